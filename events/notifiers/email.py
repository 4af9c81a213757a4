"""Tells people by e-mail: text and HTML, threaded per subject, the same Message-ID however often it is sent."""

from __future__ import annotations

import datetime as dt
import hashlib
import smtplib
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import format_datetime
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.template.loader import render_to_string

from accounts.models import User
from core.failpoints import failpoint
from events.models import Delivery, DomainEvent, HeldNotice
from events.notifiers.base import NoticeKind, Told, Words, notice_about
from events.notifiers.filters import subscribed
from events.notifiers.operations import SUBSCRIBED
from events.preferences import find_reader, judge, unsubscribe_token
from events.selectors import may_know
from events.types import DeliveryFailed, DeliveryRefused

EMAIL = "email"
log = structlog.get_logger(__name__)


class EmailNotifier:
    """Sends one mail for each fact and person, unless that person prefers a digest, quiet or nothing."""

    def recipients(self, fact: DomainEvent) -> list[str]:
        """The addresses to tell, each once, whatever its spelling."""
        kind = notice_about(fact)
        told = kind.told(fact) if kind else Told()
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
            yield partial(self._send, connection)
        finally:
            _hang_up(connection)

    def _send(self, connection: BaseEmailBackend, delivery: Delivery) -> dict[str, Any]:
        fact, kind = delivery.fact, notice_about(delivery.fact) or SUBSCRIBED
        user = find_reader(delivery.recipient, fact, kind.name)
        if skip := _reason_to_skip(user, delivery.recipient, fact, kind):
            return {"skipped": skip}
        if user is not None:
            verdict = judge(user, kind.name)
            if verdict.skip:
                return {"skipped": verdict.skip}
            if verdict.hold_until:
                return _hold(user, fact, verdict.hold_until)
        message = compose(fact, kind, delivery.recipient, user)
        message.connection = connection
        try:
            _hand_over(message, connection)
        except DeliveryFailed:  # the next one gets a fresh connection, whatever state this one is in
            _hang_up(connection)
            raise
        failpoint("after_smtp_data")
        return {"message_id": message.extra_headers["Message-ID"]}


def _reason_to_skip(user: User | None, address: str, fact: DomainEvent, kind: NoticeKind) -> str:
    """What changed since the delivery was planned: people leave, lose rights, and things get decided."""
    if user is None and address not in {
        known.lower() for known in (*kind.told(fact).addresses, *subscribed(fact, EMAIL))
    }:
        return "nobody has this address any more"
    if user is not None and not user.is_active:
        return "the account is closed"
    if user is not None and not may_know(user, fact):
        return "may not see it any more"
    return "" if kind.still_matters(fact) else "it was settled meanwhile"


def _hold(user: User, fact: DomainEvent, until: dt.datetime) -> dict[str, Any]:
    HeldNotice.objects.get_or_create(user=user, fact=fact, defaults={"due_at": until})
    return {"held_until": until.isoformat()}


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
        link = f"{settings.SITE_URL}/notices/unsubscribe/{unsubscribe_token(user, kind.name)}/"
        context["unsubscribe_url"] = link
        headers |= {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    message = EmailMultiAlternatives(
        subject=" ".join(words.subject.split()),
        body=render_to_string([f"emails/{kind.name}.txt", "emails/notice.txt"], context),
        to=[address],
        headers=headers,
    )
    message.attach_alternative(
        render_to_string([f"emails/{kind.name}.html", "emails/notice.html"], context), "text/html"
    )
    return message


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
        raise _answered(code, text) from error
    except smtplib.SMTPDataError as error:
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
