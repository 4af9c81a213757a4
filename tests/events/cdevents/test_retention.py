"""What was received longer ago than the settings keep is forgotten, in batches, with a fact for each; the rest stays."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import override_settings

from core.clock import now
from events import tasks
from events.cdevents import retention
from events.models import DeadLetter, DomainEvent, EventSource, InboundDelivery, ReceivedEvent, ReceivedLink

LONG_AGO = dt.timedelta(days=100)


@pytest.fixture
def received(tenant, devops):
    """Five old events, one new one; an old link; two old dead letters; four old deliveries, of which two may go."""
    source = EventSource.objects.create(tenant=tenant, kind="github", name="acme")
    for number in range(6):
        ReceivedEvent.objects.create(
            tenant=tenant, source="/ci", event_id=str(number), type="t", subject="build", predicate="finished", version="1",
            subject_id="b", happened_at=now(), body={}, raw="", digest="d", mode="bare", spec="0.5.1",
            received_at=now() - (LONG_AGO if number < 5 else dt.timedelta()),
        )  # fmt: skip
    ReceivedLink.objects.create(
        tenant=tenant, type="PATH", chain_id="c", happened_at=now(), body={}, digest="l", received_at=now() - LONG_AGO
    )
    kept = {"source": source, "event": "push", "body": "{}", "received_at": now() - LONG_AGO}
    for number, state in enumerate(("done", "done", "queued", "dead")):
        delivery = InboundDelivery.objects.create(delivery_id=f"d{number}", state=state, **kept)
    letter = {"tenant": tenant, "code": "unmappable", "reason": "x", "raw": "{}", "mode": "webhook"}
    letter["received_at"] = now() - LONG_AGO
    DeadLetter.objects.create(digest="1", delivery=delivery, **letter)
    accepted = ReceivedEvent.objects.order_by("pk").first()
    DeadLetter.objects.create(digest="2", state="replayed", accepted=accepted, **letter)


def counts() -> list[int]:
    return [model.objects.count() for model in (ReceivedEvent, ReceivedLink, InboundDelivery, DeadLetter)]


def test_nothing_is_forgotten_unless_that_is_set(received):
    tasks.forget_old_events()
    assert counts() == [6, 1, 4, 2]


@override_settings(RECEIVED_RETENTION=dt.timedelta(days=90))
def test_what_is_old_goes_but_what_waits_stays(received, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    tasks.forget_old_events()
    assert counts() == [1, 0, 2, 2]
    assert {one.state for one in InboundDelivery.objects.all()} == {"queued", "dead"}
    facts = DomainEvent.objects.filter(type="received.forgotten").order_by("sequence")
    assert [(fact.data["kind"], fact.data["count"]) for fact in facts] == [
        ("events", 2), ("events", 2), ("events", 1), ("links", 1), ("deliveries", 2),
    ]  # fmt: skip
    tasks.forget_old_events()
    assert facts.count() == 5


@override_settings(DEAD_LETTER_RETENTION=dt.timedelta(days=90), RECEIVED_RETENTION=dt.timedelta(days=90))
def test_dead_letters_have_a_time_of_their_own_and_go_first(received):
    assert retention.forget_old_received() == 5 + 1 + 3 + 2
    assert counts() == [1, 0, 1, 0]
