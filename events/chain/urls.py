"""Addresses of the chain and the measures: the REST face and the pages."""

from __future__ import annotations

from django.urls import include, path

from events.chain import freeze_pages
from events.chain import page as chain_page
from events.measures import page as measures_page

urlpatterns = [
    path("", include("events.chain.api.urls")),
    path("events/measures/", measures_page.measures_page, name="measures"),
    path("events/freezes/", freeze_pages.freeze_list, name="freezes"),
    path("events/freezes/<int:number>/lift/", freeze_pages.freeze_lift, name="freeze_lift"),
    path("events/clearance/", freeze_pages.clearance_page, name="clearance"),
    path("chain/<str:kind>/<path:key>/", chain_page.chain_page, name="chain"),
]
