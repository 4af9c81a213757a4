"""Reminders beyond requests: dead letters, ending tokens, late tickets, serious incidents; each once, also with two beats."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.core import mail
from django.db import connection

from accounts.services import issue_token
from core.clock import now
from events import outbox
from events.models import Delivery, DomainEvent, Reminder, Subscription
from events.reminders import remind_of_dead_letters, remind_of_tokens
from events.tracker.records import record_event
from events.tracker.vocabulary import Priority, Type
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)
from tickets.models import Ticket
from tickets.services import close_ticket, remind_of_overdue_tickets


def told() -> dict[str, str]:
    """Who gets which subject now."""
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email", limit=1000)
    return {message.to[0].partition("@")[0]: message.subject for message in mail.outbox}


def test_operators_hear_of_what_was_given_up_once_an_hour(root, pending, cpi):
    told()
    assert not remind_of_dead_letters(), "nothing was given up"
    outbox.route_facts()
    Delivery.objects.filter(pk__in=list(Delivery.objects.values_list("pk", flat=True)[:2])).update(state="dead")
    assert remind_of_dead_letters()
    assert not remind_of_dead_letters(), "told already"
    assert told()["root"] == "2 deliveries were given up"
    Reminder.objects.update(created_at=now() - dt.timedelta(hours=2))
    assert not remind_of_dead_letters(), "nothing new"


def test_owners_hear_once_that_a_token_ends(devops, cpi):
    moment = now()
    token, _ = issue_token(
        user=devops, name="pipeline", scopes=["events:read"], expires_at=moment + dt.timedelta(days=30)
    )
    issue_token(user=cpi, name="for a day", scopes=["events:read"], expires_at=moment + dt.timedelta(days=1))
    assert remind_of_tokens() == 0
    type(token).objects.filter(pk=token.pk).update(
        created_at=moment - dt.timedelta(days=25), expires_at=moment + dt.timedelta(days=5)
    )
    assert [remind_of_tokens(), remind_of_tokens()] == [1, 0]
    assert "“pipeline” expires on" in told()["devops"]


def test_people_of_a_late_ticket_hear_once_for_each_date(make_ticket, devops, cpi):  # noqa: F811
    ticket = make_ticket("TICKET-001")
    yesterday = now().date() - dt.timedelta(days=1)
    Ticket.objects.filter(pk=ticket.pk).update(due_date=yesterday)
    told()
    assert [remind_of_overdue_tickets(), remind_of_overdue_tickets()] == [1, 0]
    assert told() == {"devops": "[TICKET-001] Implement user authentication: overdue"}
    assert str(yesterday) in mail.outbox[0].body
    Ticket.objects.filter(pk=ticket.pk).update(due_date=yesterday - dt.timedelta(days=3))
    assert remind_of_overdue_tickets() == 1
    Ticket.objects.filter(pk=ticket.pk).update(due_date=yesterday - dt.timedelta(days=4))
    close_ticket(ticket=Ticket.objects.get(pk=ticket.pk), by=cpi, resolution="stopped")
    assert remind_of_overdue_tickets() == 0


def test_no_late_ticket_waits_behind_those_that_were_told_before(make_ticket):  # noqa: F811
    for number in range(5):
        make_ticket(f"TICKET-00{number}")
    Ticket.objects.update(due_date=now().date() - dt.timedelta(days=1))
    assert [remind_of_overdue_tickets(at_once=2) for _ in range(4)] == [2, 2, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_two_beats_remind_once(make_ticket, devops):  # noqa: F811
    for number in range(5):
        make_ticket(f"TICKET-00{number}")
    Ticket.objects.update(due_date=now().date() - dt.timedelta(days=1))
    gate, counts = threading.Barrier(4), []

    def beat() -> None:
        Ticket.objects.count()
        gate.wait()
        counts.append(remind_of_overdue_tickets())
        connection.close()

    threads = [threading.Thread(target=beat) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 5
    assert DomainEvent.objects.filter(type="ticket.overdue").count() == 5


@pytest.mark.parametrize(("priority", "heard"), [(Priority.P1, True), (Priority.P2, True), (Priority.P3, False)])
def test_serious_incidents_are_told(tenant, devops, cpi, viewer, priority, heard):
    content = {"title": "Payments fail", "type": Type.incident, "priority": priority, "service": "payment-api"}
    record_event(tenant=tenant, content=content, by=devops)
    assert told() == ({"cpi": f"{priority.name} incident of payment-api: Payments fail"} if heard else {})


def test_an_address_subscribes_to_what_no_notice_tells(tenant, make_ticket, devops):  # noqa: F811
    Subscription.objects.create(tenant=tenant, channel="email", target="team@example.com", patterns=["ticket.opened"])
    make_ticket("TICKET-001")
    assert told() == {"team": "TICKET-001 Implement user authentication: ticket opened"}
    Subscription.objects.all().delete()
    make_ticket("TICKET-002")
    assert told() == {}
