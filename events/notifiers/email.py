"""Tells people by e-mail: text and HTML, threaded per subject, the same Message-ID however often it is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import smtplib
import time
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from email.utils import format_datetime
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Lower
from django.template.loader import render_to_string, select_template

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import holders_of
from core.failpoints import failpoint
from events.models import Delivery, DomainEvent, NoticeChannel
from events.notifiers.base import NoticeKind, Told, Words, notice_about
from events.notifiers.digest import is_digest_elsewhere
from events.notifiers.filters import remembering, subscribed
from events.notifiers.operations import SUBSCRIBED
from events.preferences import Reader, find_readers, hold, unsubscribe_token
from events.selectors import may_know
from events.types import DeliveryFailed, DeliveryRefused

EMAIL = "email"
# Whoever reads is looked up again after this long, however many deliveries were claimed together.
FRESH_SECONDS = 2.0
log = structlog.get_logger(__name__)


class EmailNotifier:
    """Sends one mail for each fact and person, unless that person prefers a digest, quiet or nothing."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        """The addresses to tell, each once, whatever its spelling."""
        kind = notice_about(fact)
        told = kind.told(fact) if kind and not is_digest_elsewhere(fact, EMAIL) else Told()
        addresses = (*(person.email for person in told.people), *told.addresses, *subscribed(fact, EMAIL))
        return sorted({address.lower() for address in addresses})

    def send(self, delivery: Delivery) -> dict[str, Any]:
        """Send, hold back for a digest, or leave it; the receipt says which and why."""
        with self.session() as send:
            return send(delivery)

    @contextmanager
    def session(self) -> Iterator[Callable[[Delivery], dict[str, Any]]]:
        """One connection to the mail server for as long as there is mail."""
        connection = get_connection()
        try:
            yield Postman(connection)
        finally:
            _hang_up(connection)


class Postman:
    """Sends one mail after the other, and looks up the readers of what was claimed together at once."""

    def __init__(self, connection: BaseEmailBackend) -> None:
        self.connection = connection
        self.coming: dict[int, Delivery] = {}
        self.readers: dict[str, Reader] = {}
        self.holders: dict[tuple[str, int], set[int]] = {}
        self.wishes: dict[Any, Any] = {}
        self.looked_at = 0.0

    def expect(self, deliveries: Sequence[Delivery]) -> None:
        """Look up who reads them."""
        self.coming = {delivery.pk: delivery for delivery in deliveries}
        self.holders, self.wishes, self.looked_at = {}, {}, time.monotonic()
        addresses = {delivery.recipient.lower() for delivery in deliveries}
        people = User.objects.select_related("notice_settings").alias(lower_email=Lower("email"))  # as the index has it
        found = find_readers(
            people.filter(lower_email__in=addresses), NoticeChannel.EMAIL, [delivery.fact for delivery in deliveries]
        )
        self.readers = {reader.user.email.lower(): reader for reader in found.values()}

    def __call__(self, delivery: Delivery) -> dict[str, Any]:
        """Send, hold back for a digest, or leave it; the receipt says which and why."""
        if delivery.pk not in self.coming or time.monotonic() - self.looked_at > FRESH_SECONDS:
            self.expect([delivery, *(other for other in self.coming.values() if other.pk != delivery.pk)])
        self.coming.pop(delivery.pk)
        fact, kind = delivery.fact, notice_about(delivery.fact) or SUBSCRIBED
        reader = self.readers.get(delivery.recipient.lower())
        if skip := self._reason_to_skip(reader.user if reader else None, delivery.recipient, fact, kind):
            return {"skipped": skip}
        if reader is not None:
            verdict = reader.judge(fact, kind.name)
            if verdict.skip:
                return {"skipped": verdict.skip}
            if verdict.hold_until:
                return hold(reader.user, fact, verdict.hold_until, NoticeChannel.EMAIL)
        message = compose(fact, kind, delivery.recipient, reader.user if reader else None)
        message.connection = self.connection
        try:
            _hand_over(message, self.connection)
        except DeliveryFailed as failure:
            if failure.channel_down:  # the next one gets a fresh connection, whatever state this one is in
                _hang_up(self.connection)
            raise
        failpoint("after_smtp_data")
        return {"message_id": message.extra_headers["Message-ID"]}

    def _reason_to_skip(self, user: User | None, address: str, fact: DomainEvent, kind: NoticeKind) -> str:
        """What changed since the delivery was planned: people leave, lose rights, and things get decided."""
        if user is None and not self._is_told(address, fact, kind):
            return "nobody has this address any more"
        if user is not None and not user.is_active:
            return "the account is closed"
        if user is not None and not self._may_know(user, fact):
            return "may not see it any more"
        return "" if kind.still_matters(fact) else "it was settled meanwhile"

    def _is_told(self, address: str, fact: DomainEvent, kind: NoticeKind) -> bool:
        with remembering(self.wishes):
            known = (*kind.told(fact).addresses, *subscribed(fact, EMAIL))
        return address.lower() in {each.lower() for each in known}

    def _may_know(self, user: User, fact: DomainEvent) -> bool:
        """As `may_know`; those of a tenant are looked up once for all who read of it."""
        if user.pk in fact.audience_users or not fact.audience_capability or fact.tenant is None:
            return may_know(user, fact)
        key = (fact.audience_capability, fact.tenant.pk)
        if key not in self.holders:
            readers = [reader.user.pk for reader in self.readers.values()]
            holders = holders_of(Capability(fact.audience_capability), fact.tenant).filter(pk__in=readers)
            self.holders[key] = set(holders.values_list("pk", flat=True))
        return user.is_superuser or user.pk in self.holders[key]


def compose(fact: DomainEvent, kind: NoticeKind, address: str, user: User | None) -> EmailMultiAlternatives:
    """The mail about `fact` for one address; composing it again gives the same Message-ID and date."""
    words = kind.words(fact)
    context = {
        **words.context,
        "fact": fact,
        "kind": kind,
        "subject": words.subject,
        "url": words.url,
        "user": user,
        "site_url": settings.SITE_URL,
    }
    headers = _headers(fact, words, address)
    if kind.optional and user is not None:
        subject = (fact.subject_type, fact.subject_id)
        link = f"{settings.SITE_URL}/notices/unsubscribe/{unsubscribe_token(user, kind.name, subject, fact.tenant_id)}/"
        context["unsubscribe_url"] = link
        headers |= {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    message = EmailMultiAlternatives(
        subject=" ".join(words.subject.split()),
        body=render_to_string(_template_of(kind.name, "txt"), context),
        to=[address],
        headers=headers,
    )
    message.attach_alternative(render_to_string(_template_of(kind.name, "html"), context), "text/html")
    return message


@cache
def _template_of(kind: str, form: str) -> str:
    """The kind's own template, or the one that does for all: looking for what is not there takes longer than to render."""
    found: Any = select_template([f"emails/{kind}.{form}", f"emails/notice.{form}"])
    return str(found.template.name)


def _headers(fact: DomainEvent, words: Words, address: str) -> dict[str, str]:
    host = urllib.parse.urlsplit(settings.SITE_URL).hostname or "localhost"
    # Not the address itself: mail gets forwarded.
    whose = hashlib.sha256(address.lower().encode()).hexdigest()[:16]
    thread = f"<{fact.subject_type}.{urllib.parse.quote(fact.subject_id)}@{host}>"
    return {
        "Message-ID": f"<{fact.id.hex}.{whose}@{host}>",
        "In-Reply-To": thread,
        "References": thread,
        "Date": format_datetime(fact.occurred_at.astimezone(dt.UTC)),
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Id": f"Stagepass <notices.{host}>",
        "X-Stagepass-Fact": f"{fact.sequence} {fact.type}",
    }


def _hand_over(message: EmailMultiAlternatives, connection: BaseEmailBackend) -> None:
    """Give the mail to the server; DeliveryRefused for an answer that will not change, DeliveryFailed otherwise."""
    try:
        connection.open()  # and so it stays open for the next one
        message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        if code == 421:  # it hangs up
            _hang_up(connection)
        raise _answered(code, text) from error
    except smtplib.SMTPDataError as error:
        if error.smtp_code == 421:  # it hangs up
            _hang_up(connection)
        raise _answered(error.smtp_code, error.smtp_error) from error
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryRefused(f"The mail server cannot take this address: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        # No connection, no log-in, our own sender refused, or silence: it would meet every other mail too.
        reason = str(error) or type(error).__name__
        raise DeliveryFailed(f"The mail server does not take mail now: {reason}", channel_down=True) from error


def _hang_up(connection: BaseEmailBackend) -> None:
    """Whatever state it is in."""
    with suppress(smtplib.SMTPException, OSError):
        connection.close()


def _answered(code: int, text: bytes | str) -> DeliveryFailed:
    answer = f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"
    if 500 <= code < 600:
        return DeliveryRefused(f"The mail server refused it for good: {answer}")
    return DeliveryFailed(f"The mail server asks to try again later: {answer}")
