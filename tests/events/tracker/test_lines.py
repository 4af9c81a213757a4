"""Lists written as text at once say what the general codec says, whichever way their rows were read."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from core.clock import now
from events.models import Event, EventChange
from events.tracker.records import add_change, record_event, update_event
from events.tracker.search import Criteria, attach_changes, count_up_to, encode_cursor, window_of
from events.tracker.wire import pages
from events.tracker.wire.messages import event_plain, message
from tests.events.tracker.conftest import columns

pytestmark = pytest.mark.django_db

T0 = dt.datetime(2024, 1, 15, 10, tzinfo=dt.UTC)
DEPTHS = [
    dt.timedelta(),
    dt.timedelta(milliseconds=250),
    dt.timedelta(microseconds=1),
    dt.timedelta(microseconds=120_340),
]


@pytest.fixture
def events(tenant) -> list[Event]:
    made = [
        record_event(tenant=tenant, by=None, content=columns(
            title=f'Déployé "{n}" \\ \u2028 \U0001f680', message="a\nb\tc", source="ci" if n % 2 else "", priority=n % 6,
            status=(0, 3, 14)[n % 3], environment=n % 9, type=1 + n % 5, impact=n % 4, ticket="PAY-1" if n % 2 else "",
            owner="é" if n % 2 else "", stakeholders=['a "b"', "ü"] if n % 2 else [], notifications=["slack"] * (n % 3),
            started_at=T0 + DEPTHS[n % 4] if n % 5 else None, ended_at=T0 + dt.timedelta(1) + DEPTHS[n % 4],
            pull_request_link="https://example.com/?a=1&b=2", slack_id=f"17.{n}" if n % 2 else "", notification=bool(n % 2),
        ))
        for n in range(12)
    ]  # fmt: skip
    update_event(event=made[3], content={"status": 4, "related_id": made[1].pk}, by=None)
    add_change(event=made[4], entry={"comment": "Ça va", "timestamp": T0 + DEPTHS[2]}, by=None)
    return made


def general(criteria: Criteria, *window: int | str) -> list[object]:
    events = list(window_of(criteria, *window))
    attach_changes(events)
    return [message("event", "Event").render(event_plain(event)) for event in events]


FILTERS = [
    {}, {"type": 1}, {"type": 1, "environment": 0}, {"status": 3}, {"priority": 5}, {"environment": 8}, {"source": "ci"},
    {"owner": "é"}, {"service": "ledger"}, {"service": "absent"}, {"ticket": "PAY-1"}, {"slack_id": "17.3"},
    {"status": 3, "type": 1, "service": "ledger"},
]  # fmt: skip
BOUNDS = [{}, {"since": T0 + DEPTHS[1]}, {"until": T0 + DEPTHS[1]}, {"impact": True}, {"impact": 2}, {"text": "déployé"},
          {"ascending": True}, {"since": T0, "until": T0 + dt.timedelta(1), "ascending": True}]  # fmt: skip


@pytest.mark.parametrize("exact", FILTERS, ids=str)
def test_a_list_as_text_says_what_the_codec_says(events, tenant, other_tenant, exact):
    record_event(tenant=other_tenant, by=None, content=columns(title="Another tenant's"))
    for bounds in BOUNDS:
        for tenants in ([tenant.pk], [tenant.pk, other_tenant.pk], []):
            criteria = Criteria(tenants=tenants, exact=exact, **bounds)
            for window in ((50, 0, ""), (3, 0, ""), (4, 2, ""), (50, 0, encode_cursor(events[5]))):
                found = [json.loads(line) for line, *_ in pages.read_lines(criteria, *window)]
                assert found == general(criteria, *window)
            for most in (100, 3):
                assert pages.count_lines(criteria, most) == count_up_to(criteria, most)


def test_most_lists_are_one_prepared_statement(events, tenant):
    """Without this, the test above would compare one way of reading with itself."""
    plain = Criteria(tenants=[tenant.pk])
    assert pages.is_one_descent(plain)
    assert pages.is_one_descent(replace(plain, exact={"type": 1, "environment": 7}, since=now()))
    for slow in ({"text": "x"}, {"impact": True}, {"exact": {"type": 1, "status": 3}}, {"related": events[0].pk}):
        assert not pages.is_one_descent(replace(plain, **slow))


def test_where_a_page_ends_is_known_to_the_microsecond(events, tenant):
    (line, *_) = pages.read_lines(Criteria(tenants=[tenant.pk]), 1, 0, "")
    assert pages.cursor_behind(line) == encode_cursor(Event.objects.newest_first()[0])


# Every character that JSON or SQL could take amiss, and some of each plane.
CHARACTERS = (
    "".join(map(chr, range(1, 0x180)))
    + "\u2028\u2029\ufeff\ufffe\uffff\U0001f680\U0010ffff\\u0041 %s %% <id> {0} ',\"}]"
)


def test_every_text_comes_through(tenant):
    """As JSON; written past the services, which tidy some of it."""
    event = record_event(tenant=tenant, by=None, content=columns())
    texts = dict.fromkeys(
        ("title", "message", "source", "service", "owner", "pull_request_link", "ticket", "slack_id", "created_by"), ""
    )
    for number, name in enumerate(texts):
        texts[name] = (CHARACTERS * 2)[number : number + 200]
    lists = {"stakeholders": [CHARACTERS[:200], "", "NULL", "a,b", "{}"], "notifications": [CHARACTERS[-200:]]}
    line = {
        "user": CHARACTERS[:300],
        "field": CHARACTERS[-200:],
        "old_value": CHARACTERS,
        "new_value": "",
        "comment": CHARACTERS,
    }
    for values in (texts | {"title": CHARACTERS, "message": CHARACTERS} | lists, dict.fromkeys(texts, "")):
        Event.objects.filter(pk=event.pk).update(**values | {"service": "x", "updated_at": now()})
        EventChange.objects.create(event=event, at=T0, type=5, **line)
        assert_alike(Criteria(tenants=[tenant.pk]))


@pytest.mark.parametrize("length", [None, *(dt.timedelta(microseconds=n) for n in (
    0, 1, 10, 1_000, 10_000, 500_000, 999_999, 1_000_000, 60_000_000, 301_500_000, 10**12, 10**12 + 1_000, -1, -1_500_000,
    86_400_000_000 * 400 + 120,
))], ids=str)  # fmt: skip
def test_times_and_durations_have_the_digits_they_need(tenant, length):
    event = record_event(tenant=tenant, by=None, content=columns())
    times = dict.fromkeys(("started_at", "ended_at", "created_at", "updated_at", "happened_at"), None)
    for n, name in enumerate(times):
        times[name] = (
            T0 + (length or dt.timedelta()) * (n + 1) if abs(length or dt.timedelta()) < dt.timedelta(9000) else T0
        )
    Event.objects.filter(pk=event.pk).update(**times, duration=length)
    EventChange.objects.create(event=event, at=T0 + (length or dt.timedelta()), type=9)
    assert_alike(Criteria(tenants=[tenant.pk]))


@pytest.mark.parametrize(
    "moment", [dt.datetime(1, 1, 2, tzinfo=dt.UTC), dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)]
)
def test_the_ends_of_the_calendar(tenant, moment):
    record_event(tenant=tenant, by=None, content=columns(started_at=moment, ended_at=moment))
    assert_alike(Criteria(tenants=[tenant.pk]))


def test_every_word_has_its_name(tenant):
    for n in range(15):
        words = {"type": 1 + n % 5, "priority": n % 6, "status": n, "environment": n % 9, "impact": n % 4}
        record_event(tenant=tenant, by=None, content=columns(**words))
    event = record_event(tenant=tenant, by=None, content=columns())
    Event.objects.filter(pk=event.pk).update(updated_at=now())
    EventChange.objects.bulk_create([EventChange(event=event, at=T0, type=n) for n in range(10)])
    assert_alike(Criteria(tenants=[tenant.pk]))


def assert_alike(criteria: Criteria) -> None:
    """Both ways of reading say what the codec says."""
    for asked in (criteria, replace(criteria, tenants=[*criteria.tenants, 0])):
        lines = pages.read_lines(asked, 50, 0, "")
        assert lines
        assert [json.loads(line) for line, *_ in lines] == general(asked, 50, 0, "")
