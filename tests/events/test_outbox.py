"""Facts reach their channels at least once, in order where that was promised, and end in a dead letter when refused."""

from __future__ import annotations

import threading

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test import override_settings

from accounts.roles import Capability
from events import outbox
from events.models import Delivery, DomainEvent
from events.selectors import find_chain_break
from events.services import publish
from events.types import Audience, DeliveryFailed, DeliveryRefused, Subject

heard: list[tuple[int, str]] = []
trouble: dict[int, Exception] = {}


def listen(delivery: Delivery) -> dict[str, int]:
    if error := trouble.get(delivery.fact_id):
        raise error
    heard.append((delivery.fact_id, delivery.recipient))
    return {"ears": 2}


def two_people(fact: DomainEvent) -> list[str]:
    return ["anna", "bert"]


@pytest.fixture(autouse=True)
def _subscribers():
    heard.clear()
    trouble.clear()
    here = "tests.events.test_outbox"
    table = {
        "plain": {
            "facts": ("thing.*",),
            "handler": f"{here}.listen",
            "recipients": f"{here}.two_people",
            "attempts": 2,
        },
        "ordered": {"facts": ("row.*",), "handler": f"{here}.listen", "ordered": True, "attempts": None},
    }
    with override_settings(SUBSCRIBERS=table):
        outbox.channels.cache_clear()
        yield
    outbox.channels.cache_clear()


def happen(kind: str) -> DomainEvent:
    with transaction.atomic():
        return publish(
            type=kind, subject=Subject("thing", "1", "Thing"), tenant=None, by=None, data={},
            audience=Audience(Capability.VIEW_EVENTS),
        )  # fmt: skip


def make_due() -> None:
    Delivery.objects.update(next_at="2000-01-01T00:00:00Z")


def test_a_fact_reaches_each_recipient_once(db):
    fact = happen("thing.made")
    assert outbox.route_facts() == {"plain"}
    assert outbox.route_facts() == set()
    assert outbox.deliver_channel("plain") == 2
    assert outbox.deliver_channel("plain") == 0
    assert sorted(heard) == [(fact.sequence, "anna"), (fact.sequence, "bert")]
    assert {(d.state, d.receipt["ears"]) for d in Delivery.objects.all()} == {("done", 2)}


def test_failure_is_tried_again_and_then_buried_with_its_reason(db):
    fact = happen("thing.made")
    trouble[fact.sequence] = DeliveryFailed("line is busy")
    outbox.route_facts()
    outbox.deliver_channel("plain")
    assert set(Delivery.objects.values_list("state", "attempts", "last_error")) == {("queued", 1, "line is busy")}
    make_due()
    outbox.deliver_channel("plain")
    delivery = Delivery.objects.first()
    assert (delivery.state, delivery.last_error) == ("dead", "Given up after 2 attempts: line is busy")

    trouble.clear()
    outbox.retry_delivery(delivery=delivery)
    assert outbox.deliver_channel("plain") == 1


def test_a_refusal_is_buried_at_once(db):
    trouble[happen("thing.made").sequence] = DeliveryRefused("no such address")
    outbox.route_facts()
    outbox.deliver_channel("plain")
    assert set(Delivery.objects.values_list("state", "attempts")) == {("dead", 1)}


def test_an_ordered_channel_waits_behind_a_failure(db):
    first, second = happen("row.one"), happen("row.two")
    trouble[first.sequence] = OSError("disk is full")
    outbox.route_facts()
    outbox.deliver_channel("ordered")
    assert heard == []
    trouble.clear()
    make_due()
    outbox.deliver_channel("ordered")
    assert heard == [(first.sequence, ""), (second.sequence, "")]


def test_who_died_while_sending_loses_the_lease(db):
    happen("thing.made")
    outbox.route_facts()
    Delivery.objects.update(state="sending", attempts=1, lease_until="2000-01-01T00:00:00Z")
    assert outbox.deliver_channel("plain") == 2


def test_numbers_have_no_gaps_after_a_rollback_and_the_chain_holds(db):
    happen("thing.made")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        publish(
            type="thing.made", subject=Subject("thing", "2", ""), tenant=None, by=None, data={},
            audience=Audience(),
        )  # fmt: skip
        raise ZeroDivisionError
    assert happen("thing.made").sequence == 2
    assert find_chain_break() is None


def test_facts_can_neither_be_changed_nor_deleted(db):
    fact = happen("thing.made")
    for attempt in (lambda: DomainEvent.objects.update(type="thing.unmade"), fact.delete):
        with pytest.raises(ProgrammingError, match="append_only"), transaction.atomic():
            attempt()


def test_a_change_behind_the_back_of_the_database_is_found(db):
    happen("thing.made")
    happen("thing.used")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE events_domainevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE events_domainevent SET actor_label = 'someone else' WHERE sequence = 1")
        cursor.execute("ALTER TABLE events_domainevent ENABLE TRIGGER USER")
    assert find_chain_break().sequence == 1


@pytest.mark.django_db(transaction=True)
def test_publishing_outside_a_transaction_is_refused():
    with pytest.raises(transaction.TransactionManagementError):
        publish(
            type="thing.made", subject=Subject("thing", "1", ""), tenant=None, by=None, data={}, audience=Audience()
        )


def test_a_channel_that_cannot_say_who_is_told_leaves_a_dead_letter_and_holds_up_nobody(db):
    here = "tests.events.test_outbox"
    broken = {"facts": ("*",), "handler": f"{here}.listen", "recipients": f"{here}.nobody_knows"}
    plain = {"facts": ("*",), "handler": f"{here}.listen"}
    with override_settings(SUBSCRIBERS={"broken": broken, "plain": plain}):
        outbox.channels.cache_clear()
        fact = happen("thing.made")
        outbox.route_facts()
        assert outbox.deliver_channel("plain") == 1
    dead = Delivery.objects.get(channel="broken")
    assert (dead.state, dead.last_error) == ("dead", "Nobody could say who is told: no such list")
    assert heard == [(fact.sequence, "")]


def nobody_knows(fact: DomainEvent) -> list[str]:
    raise LookupError("no such list")


def test_a_channel_that_is_down_gives_back_what_it_had_taken(db):
    first, second = happen("thing.made"), happen("thing.made")
    for fact in (first, second):
        trouble[fact.sequence] = DeliveryFailed("nobody there", channel_down=True)
    outbox.route_facts()
    outbox.deliver_channel("plain")
    assert sorted(Delivery.objects.values_list("state", "attempts")) == [("queued", 0)] * 3 + [("queued", 1)]
    assert not Delivery.objects.exclude(lease_until=None).exists()


def test_a_worker_that_is_stopped_in_a_batch_keeps_what_was_taken_and_gives_back_the_rest(db):
    facts = [happen("thing.made") for _ in range(3)]
    trouble[facts[1].sequence] = SystemExit()  # type: ignore[assignment]
    outbox.route_facts()
    with pytest.raises(SystemExit):
        outbox.deliver_channel("plain")
    states = dict(Delivery.objects.order_by("pk").values_list("pk", "state"))
    assert list(states.values()) == ["done", "done", "sending", "queued", "queued", "queued"]
    assert heard == [(facts[0].sequence, "anna"), (facts[0].sequence, "bert")]


@pytest.mark.django_db(transaction=True)
def test_as_many_places_as_there_are_and_no_more():
    taken: list[bool] = []

    def take() -> None:
        with outbox.a_place("channel:x", 2) as mine:
            taken.append(mine)
        connection.close()

    with outbox.a_place("channel:x", 2) as mine:
        assert mine
        with outbox.a_place("channel:y", 1) as other:
            assert other
        run_in_thread(take)  # the second place
        holder = threading.Thread(
            target=_hold, args=("channel:x", holding := threading.Event(), end := threading.Event())
        )
        holder.start()
        holding.wait(10)
        run_in_thread(take)
        end.set()
        holder.join(10)
    assert taken == [True, False]


def _hold(name: str, holding: threading.Event, end: threading.Event) -> None:
    with outbox.a_place(name, 2):
        holding.set()
        end.wait(10)
    connection.close()


def run_in_thread(task) -> None:
    thread = threading.Thread(target=task)
    thread.start()
    thread.join(10)
