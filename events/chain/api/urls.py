"""Addresses of the REST face of the chain, environments, freezes and measures."""

from __future__ import annotations

from core.rest import both_spellings
from events.chain.api import views

urlpatterns = [
    *both_spellings("v1/chain", views.ChainView.as_view(), "api_chain"),
    *both_spellings("v1/chain/tickets", views.CargoView.as_view(), "api_chain_tickets"),
    *both_spellings("v1/chain/suspects", views.SuspectsView.as_view(), "api_chain_suspects"),
    *both_spellings("v1/environments", views.EnvironmentsView.as_view(), "api_environments"),
    *both_spellings("v1/environments/running", views.RunningView.as_view(), "api_running"),
    *both_spellings("v1/environments/clearance", views.ClearanceView.as_view(), "api_clearance"),
    *both_spellings("v1/freezes", views.FreezesView.as_view(), "api_freezes"),
    *both_spellings("v1/freezes/<int:freeze>", views.FreezeView.as_view(), "api_freeze"),
    *both_spellings("v1/measures", views.MeasuresView.as_view(), "api_measures"),
]
