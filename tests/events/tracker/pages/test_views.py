"""Table, timeline and calendar: who sees what, filters as addresses, bounded counts, paging, a fixed number of queries."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from events.models import Event
from events.tracker.pages import facets
from tests.events.tracker.pages.conftest import queries_of

VIEWS = ("/events/", "/events/timeline/", "/events/calendar/", "/events/calendar/?by=week")


def titles(response) -> set[str]:
    """What the page shows, whichever view it is."""
    context = response.context
    if "events" in context:
        return {event.title for event in context["events"]}
    if "timeline" in context:
        return {bar.event.title for lane in context["timeline"].lanes for bar in lane.bars}
    return {event.title for day in context["sheet"].days for event in day.all}


@pytest.mark.parametrize("view", VIEWS)
def test_people_see_the_events_of_their_tenants(
    view, browse, make_event, devops, viewer, cpi_admin, worker, outsider, other_tenant, make_user
):
    make_event("Ours")
    make_event("Theirs", by=outsider, in_tenant=other_tenant)
    expected = {
        devops: {"Ours"}, viewer: {"Ours"}, worker: {"Ours"}, cpi_admin: {"Ours", "Theirs"}, outsider: {"Theirs"},
        make_user("nobody"): set(),
    }  # fmt: skip
    for user, seen in expected.items():
        assert (user.email, titles(browse(user).get(view))) == (user.email, seen)


@pytest.mark.parametrize("view", VIEWS)
def test_filters_come_from_the_address(view, browse, make_event, devops):
    make_event("Deploy ledger", status=3, environment=7, owner="accounting", ticket="PAY-1")
    make_event("Pool exhausted", type=4, status=9, environment=7, priority=1, service="database")
    make_event("Rotate keys", type=2, status=13, environment=4, source="manual", message="all of the vault")
    client, mark = browse(devops), "&" if "?" in view else "?"
    every = {"Deploy ledger", "Pool exhausted", "Rotate keys"}
    for query, found in {
        "": every,
        "type=incident": {"Pool exhausted"},
        "type=4": {"Pool exhausted"},
        "type=nonsense": every,
        "environment=production": {"Deploy ledger", "Pool exhausted"},
        "environment=PRODUCTION&status=success": {"Deploy ledger"},
        "priority=p1": {"Pool exhausted"},
        "service=database": {"Pool exhausted"},
        "owner=accounting": {"Deploy ledger"},
        "source=manual": {"Rotate keys"},
        "ticket=PAY-1": {"Deploy ledger"},
        "q=vault": {"Rotate keys"},
        "q=exhausted+-pool": set(),
        "q=%00%27%29%3B--": set(),
        "tenant=tenant-finance": every,
        "tenant=tenant-retail": set(),
        "since=nonsense&until=9999-99-99&before=nonsense&days=5&to=x&day=x": every,
    }.items():
        assert (query, titles(client.get(f"{view}{mark}{query}"))) == (query, found)


def test_the_table_is_narrowed_by_days(browse, make_event, devops):
    make_event("Old", started_at=dt.datetime(2024, 1, 15, 23, 59, tzinfo=dt.UTC))
    make_event("New", started_at=dt.datetime(2024, 1, 16, tzinfo=dt.UTC))
    client = browse(devops)
    assert titles(client.get("/events/?until=2024-01-15")) == {"Old"}
    assert titles(client.get("/events/?since=2024-01-16")) == {"New"}
    assert titles(client.get("/events/?since=2024-01-15&until=2024-01-16")) == {"Old", "New"}


@pytest.mark.parametrize("view", [*VIEWS, "/events/?q=number&service=service-1", "/events/?type=incident&status=close"])
@pytest.mark.parametrize("person", ["devops", "cpi_admin"])
def test_pages_make_at_most_eight_queries_at_any_size(view, person, request, browse, make_many):
    client = browse(request.getfixturevalue(person))
    client.get(view)
    measured = []
    for count in (1, 50, 1000):
        Event.objects.all().delete()
        make_many(count)
        measured.append(queries_of(client, view))
    assert max(measured) <= 8, measured


def test_paging_reaches_every_event_once_and_filters_stay(browse, make_many, devops):
    make_many(130)
    Event.objects.filter(title__endswith="0").update(happened_at=now())  # the same moment for several
    client, seen, query = browse(devops), [], "?priority=&q=number"
    while query:
        response = client.get("/events/" + query)
        seen += [event.title for event in response.context["events"]]
        following = response.context["next"]
        assert not following or f"q=number&amp;before={following}" in response.content.decode()
        query = f"?q=number&before={following}" if following else ""
    assert len(seen) == len(set(seen)) == 130


def test_facets_count_what_matches_and_say_when_they_stop_counting(browse, make_many, devops, monkeypatch):
    make_many(30)
    client = browse(devops)

    def counts(query: str) -> dict[str, dict[str, str]]:
        facets = client.get("/events/" + query).context["facets"]
        return {facet.name: {choice.word: choice.count for choice in facet.choices} for facet in facets}

    every = counts("")
    assert every["type"] == dict.fromkeys(("deployment", "operation", "drift", "incident", "rpa_usage"), "6")
    chosen = counts("?type=incident")
    assert chosen["type"] == every["type"]
    assert sum(int(count) for count in chosen["priority"].values()) <= 6
    assert client.get("/events/?type=incident").context["counts"].text == "6"
    assert counts("?type=incident&environment=mco&q=absent")["type"] == {"incident": "0"}
    monkeypatch.setattr(facets, "LIMIT", 10)
    response = client.get("/events/")
    assert response.context["counts"].text == "10+"
    assert "counting stops at 10" in response.content.decode()
    assert all(choice.count.endswith("+") for facet in response.context["facets"] for choice in facet.choices)


def test_what_goes_on_from_before_the_timeline_reaches_into_it(browse, make_event, devops):
    long_ago = now() - dt.timedelta(days=20)
    make_event("Goes on", type=4, status=9, started_at=long_ago)
    make_event("Over", type=4, status=10, started_at=long_ago, ended_at=long_ago + dt.timedelta(hours=1))
    make_event("Lasted", type=2, status=11, started_at=long_ago, ended_at=now() - dt.timedelta(days=1))
    response = browse(devops).get("/events/timeline/?days=7")
    assert titles(response) == {"Goes on", "Lasted"}
    assert titles(browse(devops).get("/events/timeline/?days=30")) == {"Goes on", "Lasted", "Over"}
    bars = {bar.event.title: bar for lane in response.context["timeline"].lanes for bar in lane.bars}
    assert bars["Goes on"].x == bars["Lasted"].x == 0
    assert bars["Goes on"].open_right
    assert not bars["Lasted"].open_right


def test_lanes_are_services_or_environments_and_bars_do_not_overlap(browse, make_event, devops):
    moment = now() - dt.timedelta(hours=5)
    for number in range(9):
        make_event(f"Try {number}", environment=7 if number % 2 else 4, started_at=moment)
    make_event("Other", service="vault", environment=7)
    client = browse(devops)
    lanes = client.get("/events/timeline/").context["timeline"].lanes
    assert [lane.label for lane in lanes] == ["ledger", "vault"]
    assert [bar.row for bar in lanes[0].bars] == [0, 1, 2, 3, 4, 5]
    assert lanes[0].hidden == 3
    lanes = client.get("/events/timeline/?lanes=environment").context["timeline"].lanes
    assert [lane.label for lane in lanes] == ["Production", "UAT"]


def test_a_day_of_the_calendar_counts_what_it_does_not_name(browse, make_many, devops):
    make_many(60)
    Event.objects.update(happened_at=dt.datetime(2026, 2, 3, 12, tzinfo=dt.UTC))
    response = browse(devops).get("/events/calendar/?day=2026-02-11")
    day = next(day for day in response.context["sheet"].days if day.events)
    assert (day.date, day.count, day.more, len(day.shown)) == (dt.date(2026, 2, 3), "50+", "47+", 3)
    assert response.context["sheet"].title == "February 2026"
    assert "since=2026-02-03&amp;until=2026-02-03" in response.content.decode()
    assert not browse(devops).get("/events/calendar/?day=2026-04-11").context["sheet"].found


@pytest.mark.parametrize(("count", "more"), [(3, ""), (4, "1"), (50, "47")])
def test_a_day_of_the_calendar_says_how_many_more_there_are(browse, make_many, devops, count, more):
    make_many(count)
    Event.objects.update(happened_at=dt.datetime(2026, 2, 3, 12, tzinfo=dt.UTC))
    days = browse(devops).get("/events/calendar/?day=2026-02-11").context["sheet"].days
    assert [(day.count, day.more) for day in days if day.events] == [(str(count), more)]


@pytest.mark.parametrize("view", VIEWS)
def test_empty_pages_say_what_to_do_next(view, browse, devops, viewer):
    mark = "&" if "?" in view else "?"
    assert "Record event" in browse(devops).get(view).content.decode()
    assert "/events/new/" not in browse(viewer).get(view).content.decode()
    assert "Nothing matches" in browse(devops).get(f"{view}{mark}q=nothing").content.decode()


@pytest.mark.parametrize("view", VIEWS)
def test_a_part_is_only_for_htmx_and_strangers_are_asked_to_sign_in(view, browse, client, make_event, viewer):
    make_event("Deploy ledger")
    mark = "&" if "?" in view else "?"
    part = browse(viewer).get(f"{view}{mark}part=events", headers={"HX-Request": "true"}).content.decode()
    assert "Deploy ledger" in part
    assert "<html" not in part
    assert "<html" in browse(viewer).get(f"{view}{mark}part=events").content.decode()
    assert client.get(view).status_code == 302
