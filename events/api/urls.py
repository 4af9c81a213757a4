"""Addresses of the REST face of CDEvents."""

from __future__ import annotations

from django.urls import URLPattern

from core.rest import both_spellings
from events.api import views

urlpatterns: list[URLPattern] = [
    *both_spellings("v1/cdevents", views.ReceiveView.as_view(), "api_cdevents"),
    *both_spellings("v1/cdevents/emitted", views.EmittedView.as_view(), "api_cdevents_emitted"),
    *both_spellings("v1/cdevents/links", views.LinksView.as_view(), "api_cdevents_links"),
    *both_spellings("v1/cdevents/dead-letters", views.LettersView.as_view(), "api_dead_letters"),
    *both_spellings("v1/cdevents/dead-letters/<int:letter>", views.LetterView.as_view(), "api_dead_letter"),
    *both_spellings("v1/cdevents/dead-letters/<int:letter>/replay", views.ReplayView.as_view(), "api_replay_letter"),
    *both_spellings("v1/cdevents/dead-letters/<int:letter>/discard", views.DiscardView.as_view(), "api_discard_letter"),
    *both_spellings("v1/cdevents/<int:event>", views.ReceivedView.as_view(), "api_cdevent"),
    *both_spellings("v1/webhooks/dry-run", views.DryRunView.as_view(), "api_webhook_dry_run"),
]
