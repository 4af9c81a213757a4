"""What the pages of the console show of each other: navigation, neighbours, the live stream."""

from __future__ import annotations

# The console: an entry shows where its address exists, so an app that is not installed leaves no gap.
NAVIGATION = [
    {"label": "Overview", "icon": "house", "url_name": "overview"},
    {"label": "Requests", "icon": "git-pull-request-arrow", "url_name": "requests"},
    {"label": "Tickets", "icon": "ticket", "url_name": "tickets"},
    {"label": "Events", "icon": "calendar-days", "url_name": "events"},
    {"label": "Import maps", "icon": "boxes", "url_name": "iep"},
    {"label": "Activity", "icon": "activity", "url_name": "activity"},
]
# What the page of a ticket shows of other apps: callables that take the person and the ticket.
TICKET_RELATED = [
    "promotions.pages.related.requests_naming",
    "iep.pages.dossier.stamps_of",
    "tickets.pages.issues.issues_of",
]
# What the page of an event shows of other apps: callables that take the person and the event.
EVENT_RELATED = ["tickets.pages.related.ticket_of_event"]
# The server-sent-event stream of a tab; empty: pages refresh every ten seconds instead.
LIVE_STREAM_URL = "/live"
