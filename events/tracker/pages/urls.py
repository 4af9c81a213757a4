"""Addresses of the pages of events, below /events/."""

from __future__ import annotations

from django.urls import path

from events.tracker.pages import event_views, side_views, views

urlpatterns = [
    path("", views.event_table, name="events"),
    path("timeline/", views.event_timeline, name="events_timeline"),
    path("calendar/", views.event_calendar, name="events_calendar"),
    path("new/", event_views.event_new, name="event_new"),
    path("locks/", side_views.lock_list, name="event_locks"),
    path("locks/<uuid:key>/release/", side_views.lock_release, name="event_lock_release"),
    path("catalog/", side_views.catalog_list, name="catalog"),
    path("catalog/<path:name>/", side_views.catalog_entry, name="catalog_entry"),
    path("<uuid:key>/", event_views.event_detail, name="event"),
    path("<uuid:key>/edit/", event_views.event_edit, name="event_edit"),
    path("<uuid:key>/comment/", event_views.event_comment, name="event_comment"),
    path("<uuid:key>/<slug:verb>/", event_views.event_step, name="event_step"),
]
