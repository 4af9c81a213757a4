"""What was typed outlives an ended session: it waits in the browser's session until the same person is back."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict

MOST_KEPT = 100_000
_DRAFT = "draft:"


def keep_and_sign_in(request: HttpRequest) -> HttpResponse:
    """To the log-in page; what was typed waits in the session and is back in the form afterwards."""
    if request.method == "POST" and len(request.body) <= MOST_KEPT:
        request.session[_DRAFT + request.path] = request.POST.urlencode()
        messages.info(request, "Your session had ended. Sign in; what you typed is kept.")
    return redirect_to_login(request.get_full_path())


def kept_draft(request: HttpRequest, person: str) -> QueryDict | None:
    """The draft that waits for this page, if `person` (a public id) wrote it: its field `drafted_by` says so."""
    kept = request.session.get(_DRAFT + request.path)
    if not kept:
        return None
    draft = QueryDict(kept)
    return draft if draft.get("drafted_by") == person else None


def drop_draft(request: HttpRequest) -> None:
    """What waited for this page was sent."""
    request.session.pop(_DRAFT + request.path, None)
