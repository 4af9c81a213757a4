"""Bulk approval."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe


@require_safe
@login_required
def request_bulk(request: HttpRequest) -> HttpResponse:
    return redirect("requests")
