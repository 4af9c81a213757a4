"""`Idempotency-Key`: a POST that is repeated takes effect once and gets the first answer again."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast

from django.db import OperationalError, connection, transaction
from django.http import HttpResponse, HttpResponseBase
from psycopg.errors import LockNotAvailable
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import IdempotencyRecord, User
from core.canonical import digest_of
from core.clock import now
from core.errors import Conflict, DomainError, InvalidInput

HEADER = "Idempotency-Key"
KEPT_FOR = dt.timedelta(hours=24)
WAIT_SECONDS = 8
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Answer = TypeVar("Answer", bound=HttpResponseBase)
Handler = Callable[..., HttpResponseBase]


class KeyReused(DomainError):
    """The key came with another content before."""

    status = 422
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for something else"


class IdempotentPosts:
    """For views: a POST with an Idempotency-Key takes effect at most once per account and key.

    The first answer is kept in the transaction of the effect, so there is neither an effect without its record nor the
    reverse. Refusals (4xx) of the verb itself are kept too; refusals before it (401, 413, 415, malformed JSON, unknown
    parameters, missing scope) and 5xx are not, so the same key may be tried again. A second use waits for the first.
    """

    # Fields of the answer that are shown once and not kept, such as a token's secret: a repeat shows null.
    shown_once: tuple[str, ...] = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None:
            _check_key(key)
            self.post: Handler = partial(self._post_once, key, getattr(self, "post"))  # noqa: B009

    # Positional only: a part of an address may be called `key` too.
    def _post_once(
        self, key: str, handler: Handler, request: Request, /, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        return answer_once(
            cast(User, request.user),
            key,
            _fingerprint(request),
            lambda: self._attempt(handler, request, *args, **kwargs),
            lambda answer: _as_kept(answer, self.shown_once),
        )

    def _attempt(self, handler: Handler, request: Request, /, *args: Any, **kwargs: Any) -> Response:
        """The verb's answer; a refusal undoes whatever it began and is an answer too."""
        try:
            with transaction.atomic():
                answer = handler(request, *args, **kwargs)
        except Exception as error:
            answer = self.handle_exception(error)  # type: ignore[attr-defined]
        assert isinstance(answer, Response), "only answers that can be kept"
        return answer


def answer_once(
    user: User,
    key: str,
    fingerprint: str,
    attempt: Callable[[], Answer],
    as_kept: Callable[[Answer], tuple[dict[str, str], str]],
) -> Answer | HttpResponse:
    """What `attempt` answers, kept (as headers and body) in the transaction of its effect; or what was kept before."""
    _check_key(key)
    with _busy_is_a_conflict(), transaction.atomic():
        record = _claim(user, key, fingerprint)
        if record is None:
            return _replay(IdempotencyRecord.objects.get(user=user, key=key), fingerprint)
        answer = attempt()
        if answer.status_code >= 500 or answer.status_code == 429:
            transaction.set_rollback(True)
            return answer
        headers, body = as_kept(answer)
        IdempotencyRecord.objects.filter(pk=record).update(status=answer.status_code, headers=headers, body=body)
        return answer


def _check_key(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise InvalidInput({HEADER: ["Use 1 to 255 visible ASCII characters, such as a UUID."]})


def _fingerprint(request: Request) -> str:
    """What must be the same for a repeat to count as one: verb, address, body, and the version it speaks of."""
    return digest_of(
        [
            request.method,
            request.path.rstrip("/"),
            request.GET.urlencode(),
            request.data,
            request.headers.get("If-Match"),
        ]
    )


@contextmanager
def _busy_is_a_conflict() -> Iterator[None]:
    """The first use of the key takes longer than a repeat waits for it: 409 instead of a server error."""
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Conflict(
                "A request with this Idempotency-Key is still being worked on. Try again in a few seconds.",
                code="idempotency_key_in_use",
            ) from error
        raise


def _claim(user: User, key: str, fingerprint: str) -> int | None:
    """The new record's id, or None when the key is taken; waits while another transaction is about to take it."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")
        cursor.execute(
            "INSERT INTO accounts_idempotencyrecord (user_id, key, fingerprint, headers, body, created_at)"
            " VALUES (%s, %s, %s, '{}', '', %s) ON CONFLICT (user_id, key) DO NOTHING RETURNING id",
            [user.pk, key, fingerprint, now()],
        )
        row = cursor.fetchone()
        return row[0] if row else None


def _as_kept(answer: Response, shown_once: tuple[str, ...]) -> tuple[dict[str, str], str]:
    body = answer.data
    if shown_once and isinstance(body, dict):
        body = {**body, **{field: None for field in shown_once if field in body}}
    headers = dict(answer.headers)
    headers["Content-Type"] = answer.content_type or JSONRenderer.media_type
    return headers, JSONRenderer().render(body).decode() if body is not None else ""


def _replay(record: IdempotencyRecord, fingerprint: str) -> HttpResponse:
    if record.fingerprint != fingerprint:
        raise KeyReused(
            "Another request was sent with this Idempotency-Key before. Use a new key for a new request.",
            details={"first_used": record.created_at.isoformat()},
        )
    answer = HttpResponse(record.body, status=record.status, headers=record.headers)
    answer.headers["Idempotency-Replayed"] = "true"
    return answer


def forget_keys() -> int:
    """Delete what is older than a day; how many there were."""
    deleted, _ = IdempotencyRecord.objects.filter(created_at__lt=now() - KEPT_FOR).delete()
    return deleted
