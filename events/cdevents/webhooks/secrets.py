"""The secret of a webhook, and whether a delivery is signed with it: always over the bytes as they came."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db.models import F
from django.utils.crypto import salted_hmac

from accounts.models import User
from core.errors import NotAllowed
from events.models import EventSource, SourceKind

PREFIX = "whsec_"
# How old a delivery may be whose signature covers its time.
TOLERANCE_SECONDS = 300


def secret_of(source: EventSource, site_key: str = "") -> str:
    """What to put into the sender's settings. It changes with the edition, and is made from the site's SECRET_KEY."""
    about = f"{source.key}:{source.edition}"
    made = salted_hmac("events.webhooks", about, secret=site_key or None, algorithm="sha256").digest()
    return PREFIX + base64.b64encode(made).decode()


def may_renew(source: EventSource, user: User) -> bool:
    """Whoever may change sources in the admin."""
    return user.has_perm("events.change_eventsource")


def renew_secret(*, source: EventSource, by: User) -> None:
    """The next edition of the secret; the present one ends at once. NotAllowed without the right to change sources."""
    if not may_renew(source, by):
        raise NotAllowed("You may not change sources. Ask an administrator.", code="not_authorized")
    EventSource.objects.filter(pk=source.pk).update(edition=F("edition") + 1)


def _secrets_of(source: EventSource) -> list[str]:
    """The secret under the site's key and its earlier ones."""
    return [secret_of(source, key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def is_signed(source: EventSource, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether `body` was sent by who has the source's secret. Every secret is tried, so that time tells nothing."""
    check = _CHECKS[source.kind]
    found = [check(secret, headers, body) for secret in _secrets_of(source)]
    return any(found)


def _hub(header: str) -> Callable[[str, Mapping[str, str], bytes], bool]:
    """`<header>: sha256=<hex>`, as GitHub and Jira sign."""

    def check(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return _same(headers.get(header, ""), expected)

    return check


def _gitlab(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """A signature as Standard Webhooks has it, where there is one; else the plain token."""
    if "webhook-signature" not in headers:
        return _same(headers.get("X-Gitlab-Token", ""), secret)
    moment = headers.get("webhook-timestamp", "")
    if not moment.isascii() or not moment.isdigit() or abs(time.time() - int(moment[:12])) > TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{moment}.".encode() + body
    key = base64.b64decode(secret.removeprefix(PREFIX))
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    found = [_same(given, expected) for given in headers["webhook-signature"].split()[:10]]
    return any(found)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


_CHECKS: dict[str, Callable[[str, Mapping[str, str], bytes], bool]] = {
    SourceKind.GITHUB: _hub("X-Hub-Signature-256"),
    SourceKind.JIRA: _hub("X-Hub-Signature"),
    SourceKind.GITLAB: _gitlab,
}
