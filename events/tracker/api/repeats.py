"""`Idempotency-Key` on Tracker's face: a POST that is repeated takes effect once and is answered alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts.idempotency import HEADER, answer_once
from accounts.models import User
from core.canonical import digest_of
from core.errors import InvalidInput
from events.tracker.access import Caller
from events.tracker.api.errors import respond_error, respond_fault
from events.tracker.refusals import as_domain_error


def answering(respond: Callable[[], HttpResponse]) -> HttpResponse:
    """The response, or the error in Tracker's form."""
    try:
        return respond()
    except Exception as error:
        refusal = as_domain_error(error)
        return respond_error(refusal) if refusal else respond_fault(error)


def once(request: HttpRequest, caller: Caller, respond: Callable[[], HttpResponse]) -> HttpResponse:
    """What `respond` answers to a request that may be a repetition; refusals of the verb itself are kept too."""
    key = request.headers.get(HEADER) if request.method == "POST" else None
    if key is None:
        return respond()
    if not isinstance(caller.actor, User):
        raise InvalidInput({HEADER: ["Keys belong to an account: send a token too, or leave the key out."]})
    return answer_once(caller.actor, key, _fingerprint(request), lambda: _attempt(respond), _as_kept)


def _attempt(respond: Callable[[], HttpResponse]) -> HttpResponse:
    def whole() -> HttpResponse:
        with transaction.atomic():
            return respond()

    return answering(whole)


def _fingerprint(request: HttpRequest) -> str:
    body = hashlib.sha256(request.body).hexdigest()
    return digest_of([request.method, request.path, request.GET.urlencode(), body, request.headers.get("X-Tenant")])


def _as_kept(answer: HttpResponse) -> tuple[dict[str, str], str]:
    return dict(answer.headers), answer.content.decode()
