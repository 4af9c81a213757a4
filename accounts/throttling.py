"""How many changes one account may ask for in a minute, counted atomically in the cache that all processes share."""

from __future__ import annotations

import time

import structlog
from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from core.errors import DomainError

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
READING = {"GET", "HEAD", "OPTIONS"}


class TooManyChanges(DomainError):
    """The account asked for more changes in this minute than it may; `details.retry_after` is in seconds."""

    status = 429
    code = "throttled"
    title = "Too Many Requests"


def check_changes_per_minute(account: int) -> None:
    """Count one change of the account, for faces other than REST; TooManyChanges beyond API_CHANGES_PER_MINUTE."""
    limit: int = settings.API_CHANGES_PER_MINUTE
    if limit and count_change(account) > limit:
        wait = int(seconds_left()) + 1
        raise TooManyChanges(
            f"Request was throttled. Expected available in {wait} seconds.", details={"retry_after": wait}
        )


def seconds_left() -> float:
    """Until the next minute begins."""
    return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


def count_change(account: int | None) -> int:
    """One change more of the account in this minute; how many that are, 0 while nobody can count."""
    key = f"changes:{account}:{int(time.time() // WINDOW_SECONDS)}"
    try:
        try:
            return int(cache.incr(key))
        except ValueError:  # the first of this minute
            cache.add(key, 0, timeout=2 * WINDOW_SECONDS)
            return int(cache.incr(key))
    except Exception as error:  # whatever the cache's client raises; without a cache work goes on uncounted
        log.warning("throttle.uncounted", error=str(error))
        return 0


class ChangesPerMinute(BaseThrottle):
    """Counts changes by account and minute, up to API_CHANGES_PER_MINUTE or the view's own `changes_per_minute` (0: no end).

    A brake for runaway scripts, not a security measure: while the cache is away nothing is counted or refused.
    """

    def allow_request(self, request: Request, view: APIView) -> bool:
        own: int | None = getattr(view, "changes_per_minute", None)
        limit: int = settings.API_CHANGES_PER_MINUTE if own is None else own
        if not limit or request.method in READING:
            return True
        return count_change(request.user.pk) <= limit

    def wait(self) -> float:
        """Seconds until the next minute begins."""
        return seconds_left()
