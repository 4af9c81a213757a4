"""Addresses of promotion requests: pages, REST and callbacks."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from promotions import webhooks
from promotions.views import board, bulk, detail, form, overview

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("promotions.api.urls")),
    path("webhooks/awx/job-complete", webhooks.awx_job_complete, name="awx_job_complete"),
    path("", overview.overview, name="overview"),
    path("requests/", board.request_list, name="requests"),
    path("requests/new/", form.request_new, name="request_new"),
    path("requests/new/version/", form.version_hint, name="request_version"),
    path("requests/preview/", form.preview, name="request_preview"),
    path("requests/approve/", bulk.request_bulk, name="request_bulk"),
    path("requests/<str:number>/", detail.request_detail, name="request"),
    path("requests/<str:number>/edit/", form.request_edit, name="request_edit"),
    path("requests/<str:number>/comment/", detail.request_comment, name="request_comment"),
    path("requests/<str:number>/<slug:slug>/", detail.request_verb, name="request_verb"),
]
