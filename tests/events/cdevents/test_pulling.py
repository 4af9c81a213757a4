"""Pulling our events by a cursor, as far as person and token may see; and a batch that is cut in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from events.cdevents.codec import check_cloudevent, check_event
from events.models import DeadLetter, DomainEvent, ReceivedEvent
from tests.api import call_as
from tests.events.cdevents.conftest import a_change
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)

EMITTED = "/v1/cdevents/emitted"


def test_the_cursor_misses_nothing_and_repeats_nothing(make_ticket, devops):  # noqa: F811
    for number in range(5):
        make_ticket(f"CORE-{number + 1}")
    caller, after, seen = call_as(devops), 0, []
    while True:
        answer = caller.get(f"{EMITTED}?after={after}&limit=2").json()
        seen += [event["subject"] for event in answer["events"]]
        for event in answer["events"]:
            check_cloudevent(event)
            check_event(event["data"])
        after = answer["next"]
        if not answer["more"]:
            break
    assert seen == [f"CORE-{number + 1}" for number in range(5)]
    assert caller.get(f"{EMITTED}?after={after}").json() == {"events": [], "next": after, "more": False}
    assert [caller.get(f"{EMITTED}?limit={limit}").json()["more"] for limit in (4, 5, 6)] == [True, False, False]


def test_profile_types_and_form(make_ticket, devops):  # noqa: F811
    make_ticket("CORE-1")
    caller = call_as(devops)

    def types(query: str) -> list[str]:
        return [event["type"] for event in caller.get(f"{EMITTED}?{query}").json()["events"]]

    created, opened = "dev.cdevents.ticket.created.0.2.0", "dev.cdeventsx.stagepass-ticket.opened.0.1.0"
    assert types("") == [created]
    assert types("profile=custom") == [created, opened]
    assert types("profile=custom&types=dev.cdeventsx.*") == [opened]
    assert types("profile=custom&types=dev.cdevents.*,*.opened.*") == [created, opened]
    assert types("tenant=tenant-retail") == []
    assert caller.get(f"{EMITTED}?form=cdevents").json()["events"][0]["context"]["type"] == created
    assert caller.get(f"{EMITTED}?profile=loud").status_code == 400


def test_nobody_pulls_more_than_they_may_see(make_ticket, pending, devops, other_devops, viewer, outsider):  # noqa: F811
    make_ticket("CORE-1")

    def subjects(user, *scopes: str) -> list[str]:
        return [event["subject"] for event in call_as(user, scopes).get(EMITTED).json()["events"]]

    everything = ("events:read", "tickets:read", "requests:read")
    assert sorted(subjects(devops, *everything)) == sorted(["CORE-1", pending.number])
    assert subjects(devops, "events:read") == []
    assert subjects(devops, "events:read", "tickets:read") == ["CORE-1"]
    assert subjects(devops, "events:read", "requests:read") == [pending.number]
    assert subjects(other_devops, *everything) == ["CORE-1"]
    assert subjects(outsider, *everything) == []


RECEIVE = """
import django
django.setup()
from accounts.models import Tenant
from events.cdevents.cloudevents import read_message
from events.cdevents.receiving import Incoming, receive
import sys
items = [Incoming(item) for item in read_message("application/json", {}, sys.stdin.buffer.read())]
receive(items=items, tenant=Tenant.objects.get(), by=None)
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["before_letters", "before_receive_commit"])
def test_a_batch_cut_in_the_middle_leaves_nothing_and_may_be_sent_again(tenant, sender, place):
    batch = [a_change(number) for number in range(1, 20)] + [{"no": "event"}]
    database = connection.settings_dict
    address = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    died = subprocess.run(
        [sys.executable, "-c", RECEIVE], input=json.dumps(batch).encode(), check=False, capture_output=True,
        cwd=Path(__file__).parents[3], env={**os.environ, "DATABASE_URL": address, "FAILPOINT": f"{place}:kill"},
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    assert not ReceivedEvent.objects.exists()
    assert not DeadLetter.objects.exists()
    for accepted, duplicates in ((19, 0), (0, 19)):
        told = sender.send(batch).json()
        assert (told["accepted"], told["duplicates"], told["rejected"]) == (accepted, duplicates, 1)
    assert DomainEvent.objects.filter(type="event.received").count() == 19
    assert DeadLetter.objects.get().times == 2
