"""Addresses of tickets: pages and REST.

A ticket is at its key; where several tenants have that key, and for people who see many tenants, under `in/<tenant>`.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, include, path

from tickets.views import board, bulk, detail, form, verbs, workers

_ONE: list[tuple[str, Callable[..., HttpResponse], str]] = [
    ("", detail.ticket_detail, "ticket"),
    ("edit/", form.ticket_edit, "ticket_edit"),
    ("comment/", detail.ticket_comment, "ticket_comment"),
    ("dependency/", detail.ticket_dependency, "ticket_dependency"),
    ("link/", detail.ticket_link, "ticket_link"),
    ("<slug:slug>/", verbs.ticket_verb, "ticket_verb"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("tickets.api.urls")),
    path("workers/", workers.worker_list, name="workers"),
    path("workers/<slug:tenant>/<str:worker_id>/stop/", workers.worker_stop, name="worker_stop"),
    path("tickets/", board.ticket_board, name="tickets"),
    path("tickets/new/", form.ticket_new, name="ticket_new"),
    path("tickets/preview/", form.preview, name="ticket_preview"),
    path("tickets/bulk/", bulk.ticket_bulk, name="ticket_bulk"),
    *[path(f"tickets/in/<slug:tenant>/<str:key>/{end}", view, name=f"{name}_in") for end, view, name in _ONE],
    *[path(f"tickets/<str:key>/{end}", view, name=name) for end, view, name in _ONE],
]
