"""Stamps that lie untouched: their people hear of it once, also with two beats, and not when it is settled."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.core import mail
from django.db import connection

from core.clock import now
from events import outbox
from events.models import DomainEvent
from iep.models import Stamp
from iep.services import close_stamp, promote_stamp, remind_of_stale_stamps
from iep.services.change import load


def told() -> dict[str, str]:
    """Who gets which subject now."""
    mail.outbox.clear()
    outbox.route_facts()
    outbox.deliver_channel("email", limit=1000)
    return {message.to[0].partition("@")[0]: message.subject for message in mail.outbox}


def age(days: float) -> None:
    Stamp.objects.update(updated_at=now() - dt.timedelta(days=days))


def test_who_stamped_and_who_is_assigned_hear_once_each_time(save, devops, other_devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    stamp.ticket.assignees.add(other_devops)
    age(6.9)
    assert remind_of_stale_stamps() == 0
    age(8)
    told()
    assert [remind_of_stale_stamps(), remind_of_stale_stamps()] == [1, 0]
    subject = "TKT-1 has been in dev of shop for 8 days"
    assert told() == {"devops": subject, "other_devops": subject}
    promote_stamp(stamp=load(stamp), by=devops)
    assert remind_of_stale_stamps() == 0, "it was touched"
    age(9)
    told()
    assert remind_of_stale_stamps() == 1
    assert told()["devops"] == "TKT-1 has been in qa of shop for 9 days"


def test_settled_meanwhile_it_is_not_told(save, devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    told()
    age(8)
    remind_of_stale_stamps()
    close_stamp(stamp=load(stamp), by=devops)
    assert told() == {}


def test_what_is_closed_waits_for_others_or_nobody_wants_is_left(save, devops, settings):
    closed = save("TKT-1", {"src/cart.js": b"new"}).stamp
    close_stamp(stamp=load(closed), by=devops)
    asked = save("TKT-2", {"src/nav.js": b"new"}).stamp
    Stamp.objects.filter(pk=asked.pk).update(stage="qa", sign_off="PR-2026-0001")
    age(30)
    assert remind_of_stale_stamps() == 0
    save("TKT-3", {"src/app.css": b"new"})
    age(30)
    settings.IEP_STALE_AFTER = dt.timedelta(0)
    assert remind_of_stale_stamps() == 0


@pytest.mark.django_db(transaction=True)
def test_two_beats_remind_once(save):
    for number in range(3):
        save(f"TKT-{number + 1}", {"src/cart.js": b"new"})
    age(8)
    gate, counts = threading.Barrier(3), []

    def beat() -> None:
        Stamp.objects.count()
        gate.wait()
        counts.append(remind_of_stale_stamps())
        connection.close()

    threads = [threading.Thread(target=beat) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 3
    assert DomainEvent.objects.filter(type="stamp.stale").count() == 3
