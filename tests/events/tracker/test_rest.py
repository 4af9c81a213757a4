"""Tracker over REST: what each address answers, and what it refuses."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import time_machine
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from accounts.services import issue_token, revoke_token
from events.models import DomainEvent, Event, StatusNumbers, TrackerClient
from events.tracker.access import Caller
from events.tracker.bulk import copy_rows
from events.tracker.operations.table import OPERATIONS
from events.tracker.records import record_event, update_event
from tests.events.tracker.conftest import Rest, columns, deployment, rest_of

pytestmark = pytest.mark.django_db


def test_an_answer_serves_clients_of_tracker_and_readers_of_the_guide(rest, tenant):
    status, answer = rest.post("event", deployment())
    assert status == 200
    assert answer["id"] == answer["event"]["metadata"]["id"]
    assert answer["event"]["metadata"]["tenant"] == tenant.slug
    assert answer["event"]["attributes"]["startDate"] is None
    assert [line["changeType"] for line in answer["event"]["changelog"]] == ["created"]


def test_the_body_is_json_whatever_its_content_type(rest):
    answer = rest.client.generic(
        "POST", "/api/v1alpha1/event", b'{"title": "x", "attributes": {"type": 1, "service": "y"}}',
        content_type="application/x-www-form-urlencoded", headers=rest.headers,
    )  # fmt: skip
    assert answer.status_code == 200


def test_each_fault_is_named_with_its_field(rest):
    status, answer = rest.post("event", {"attributes": {"priority": 2}})
    assert (status, answer["code"]) == (400, 3)
    fields = [fault["field"] for fault in answer["details"][1]["fieldViolations"]]
    assert fields == ["title", "attributes.service", "attributes.type"]


BAD = [
    (b"{", 400, "no JSON"),
    (b"[]", 400, "JSON object"),
    (b"[" * 100_000, 400, "no JSON"),
    (b'{"title": NaN}', 400, "no JSON"),
    (b"\xff", 400, "no JSON"),
    (b'{"title": "' + b"x" * 2_200_000 + b'"}', 413, "too large"),
]


@pytest.mark.parametrize(("body", "status", "words"), BAD)
def test_bodies_that_are_no_request(rest, body, status, words):
    found, answer = rest.post("event", body)
    assert (found, words in answer["message"]) == (status, True), answer
    assert set(answer) == {"code", "message", "details"}


WRONG = {
    "title": ["", "   ", 5, "x" * 501, "a\x00b", {}],
    "attributes": [5, "x", []],
    "links": [5, {"pullRequestLink": "javascript:alert(1)"}, {"ticket": "x" * 201}, {"ticket": 5}],
    "slackId": [5, "x" * 201],
    "tenant": ["nowhere", "tenant-retail"],
}
WRONG_ATTRIBUTES = {
    "type": [0, None, 6, -1, "nope", "", True, 1.5, [1], {}],
    "service": ["", "  ", None, 5, "x" * 201],
    "priority": [6, -1, "P9", "x", True],
    "status": [15, 99, -1, "nope"],
    "environment": [9, "nowhere", -1],
    "impact": [4, -1, "high", [], {}],
    "startDate": ["yesterday", "2024-01-15", 5, "2024-13-01T00:00:00Z"],
    "endDate": ["x", "1999-01-01T00:00:00Z"],
    "message": ["x" * 50_001, 5, []],
    "owner": ["x" * 201, 5],
    "source": ["x" * 201, {}],
    "stakeHolders": ["x", [5], ["x"] * 101, ["x" * 201]],
    "notification": ["yes", 5],
    "notifications": [{}, [None, 5]],
    "relatedId": ["not there", 5, "00000000-0000-7000-8000-000000000000"],
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG.items() for value in values]
    + [(f"attributes.{field}", value) for field, values in WRONG_ATTRIBUTES.items() for value in values],
)
@pytest.mark.parametrize("verb", ["create", "update"])
def test_bad_input_is_refused_field_by_field(rest, event, other_tenant, field, value, verb):
    body = deployment(startDate="2024-01-01T00:00:00Z")
    outer, _, inner = field.partition(".")
    if inner:
        body[outer][inner] = value
    else:
        body[outer] = value
    if verb == "update" and field == "tenant":
        return
    status, answer = rest.post("event", body) if verb == "create" else rest.put("event", body | {"id": str(event.pk)})
    assert status in {400, 404}, answer
    assert answer["code"] in {3, 5}
    assert (inner or outer) in answer["message"] or status == 404 or "to relate to" in answer["message"], answer[
        "message"
    ]
    assert Event.objects.count() == 1


QUERIES = ["type=9", "type=nope", "priority=x", "status=99", "environment=-1", "impact=maybe", "per_page=x", "page=-1"]
QUERIES += ["start_date=soon", "end_date=2024-02-30", "per_page=10001", "page=999999&per_page=100", "cursor=x"]
QUERIES += ["order=up", "perPage=1&per_page=2", "service=a%00b", "impactLevel=-1", "page=99999999999"]


@pytest.mark.parametrize("query", QUERIES)
def test_bad_queries_are_refused(rest, event, query):
    status, answer = rest.get(f"events/search?{query}")
    assert (status, answer["code"]) == (400, 3), answer


def test_a_bad_enum_in_a_query_is_told_in_the_words_clients_know(rest):
    _, answer = rest.get("events/search?type=nope")
    assert answer["message"].startswith('parsing field "type": "nope" is not a valid value')


def test_update_and_delete_what_is_not_there(rest):
    assert rest.put("event", deployment() | {"id": "nope"})[0] == 404
    assert rest.put("event", deployment())[1]["message"].startswith("id is required")
    assert rest.delete("event/nope")[0] == 404
    assert rest.get("event/00000000-0000-0000-0000-000000000000")[1]["code"] == 5


def test_an_event_is_found_by_its_slack_id_everywhere(rest):
    _, made = rest.post("event", deployment())
    path = f"event/{made['id']}"
    assert rest.post(f"{path}/slack", {"slackId": "171.25"})[0] == 200
    status, answer = rest.post(f"{path}/slack", {"slackId": "172"})
    assert (status, answer["code"]) == (409, 10)
    assert rest.post(f"{path}/slack", {})[0] == 400
    assert rest.get("event/171.25")[1]["id"] == made["id"]
    assert rest.put("event", {"slackId": "171.25", "attributes": {"status": "done"}})[0] == 200
    assert rest.post("event/171.25/changelog", {"entry": {"comment": "seen"}})[0] == 200
    fact = DomainEvent.objects.get(type="event.commented")
    assert fact.data["line"] == {"type": "CHANGE_TYPE_UNSPECIFIED", "comment": "seen"}
    _, log = rest.get("event/171.25/changelog?per_page=2&page=2")
    assert log["totalCount"] == 4
    assert [line["changeType"] for line in log["changelog"]] == ["status_changed", "CHANGE_TYPE_UNSPECIFIED"]
    assert rest.get("event/171.25/changelog?page=9")[1] == {"changelog": [], "totalCount": 4}
    assert rest.delete("event/171.25")[1] == {"id": made["id"], "slackId": "171.25"}


def test_the_changelog_tells_what_changed(rest):
    _, made = rest.post("event", deployment(status="start", owner="ana"))
    changes = [
        {"attributes": {"status": "success"}},
        {"links": {"ticket": "PAY-1"}},
        {"title": "Again", "attributes": {"priority": "P1"}},
        {"attributes": {"owner": "bert"}},
        {"attributes": {"message": "done"}},
        {"attributes": {"message": "done"}},
    ]
    for change in changes:
        _, answer = rest.put("event", {"id": made["id"], **change})
    lines = [(line["changeType"], line["field"]) for line in answer["event"]["changelog"]]
    assert lines == [
        ("created", ""), ("status_changed", "status"), ("linked", "ticket"), ("updated", "priority"),
        ("updated", "title"), ("approved", "owner"), ("updated", ""),
    ]  # fmt: skip
    assert answer["event"]["changelog"][1]["newValue"] == "success"
    assert answer["event"]["metadata"]["duration"].endswith("s")
    assert DomainEvent.objects.filter(type="event.updated").count() == 5


def test_impact_keeps_its_level_when_a_client_sends_back_the_switch(rest):
    _, made = rest.post("event", deployment(impact=3))
    _, answer = rest.put("event", {"id": made["id"], "attributes": {"impact": True}})
    assert answer["event"]["attributes"]["impactLevel"] == 3
    _, answer = rest.put("event", {"id": made["id"], "attributes": {"impact": False}})
    assert answer["event"]["attributes"]["impactLevel"] == 0


def test_a_follower_is_tied_and_timed(rest, event):
    _, answer = rest.post("event", deployment(relatedId=str(event.pk)))
    assert answer["event"]["attributes"]["relatedId"] == str(event.pk)
    assert answer["event"]["metadata"]["duration"] is not None
    assert rest.get(f"events/search?related_id={event.pk}")[1]["totalCount"] == 1
    assert rest.put("event", {"id": answer["id"], "attributes": {"relatedId": answer["id"]}})[0] == 400
    assert rest.delete(f"event/{event.pk}")[0] == 200
    assert rest.get(f"event/{answer['id']}")[1]["event"]["attributes"]["relatedId"] == ""


def record(tenant, **changes):
    return record_event(tenant=tenant, content=columns(**changes), by=None)


FILTERS = [
    "source=jenkins", "type=incident", "priority=P1", "status=open", "service=payment", "environment=production",
    "impact=true", "impact=2", "slack_id=17.1", "slackId=17.1", "owner=ana", "ticket=PAY-9", "q=pool", "q=exhausted+pool",
    "start_date=2024-01-31&end_date=2024-01-31", "end_date=2024-02-01T00:00:00Z", "type=4&environment=7",
]  # fmt: skip


@pytest.mark.parametrize("query", FILTERS)
def test_each_filter_finds_what_it_says_and_nothing_else(rest, tenant, query):
    wanted = record(
        tenant, title="Connection pool exhausted", source="jenkins", type=4, priority=1, status=9, service="payment",
        environment=7, impact=2, slack_id="17.1", owner="ana", ticket="PAY-9",
        started_at=dt.datetime(2024, 1, 31, 23, 59, tzinfo=dt.UTC),
    )  # fmt: skip
    record(tenant, title="Other", started_at=dt.datetime(2024, 3, 1, tzinfo=dt.UTC))
    _, answer = rest.get(f"events/search?{query}")
    assert [event["metadata"]["id"] for event in answer["events"]] == [str(wanted.pk)]
    assert answer["totalCount"] == 1


def test_a_search_without_filters_finds_all(rest, tenant):
    record(tenant)
    assert rest.get("events/search")[1]["totalCount"] == 1


@pytest.mark.parametrize("query", ["q=absent", "service=absent", "priority=5", "impact=3", "related_id=absent"])
def test_nothing_found_is_an_empty_list(rest, event, query):
    _, answer = rest.get(f"events/search?{query}")
    assert answer == {"events": [], "totalCount": 0, "nextCursor": "", "totalCountCapped": False}


def test_pages_by_cursor_go_through_everything_once_in_either_order(rest, tenant):
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    made = [str(record(tenant, started_at=moment + dt.timedelta(days=number // 2)).pk) for number in range(9)]
    for order in ("desc", "asc"):
        seen, cursor = [], ""
        while True:
            _, page = rest.get(f"events/list?per_page=2&order={order}&cursor={cursor}")
            seen += [event["metadata"]["id"] for event in page["events"]]
            assert page["totalCount"] == 9
            cursor = page["nextCursor"]
            if not cursor:
                break
        assert sorted(seen) == sorted(made)
        assert len(seen) == 9
    dates = [event["attributes"]["startDate"] for event in rest.get("events/list")[1]["events"]]
    assert dates == sorted(dates, reverse=True)


def test_counts_stop_at_their_limit_and_say_so(rest, tenant):
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    copy_rows(Event, [Event(tenant=tenant, happened_at=moment, created_by="x", **columns()) for _ in range(10_001)])
    _, page = rest.get("events/list?per_page=1")
    assert (page["totalCount"], page["totalCountCapped"]) == (10_000, True)
    _, page = rest.get("events/search?q=deploy&per_page=1")
    assert (page["totalCount"], page["totalCountCapped"]) == (1000, True)
    copy_rows(Event, [Event(tenant=tenant, happened_at=moment, created_by="x", **columns(title="just so many"))
                      for _ in range(1000)])  # fmt: skip
    _, page = rest.get("events/search?q=many&per_page=1")
    assert (page["totalCount"], page["totalCountCapped"]) == (1000, False)


def test_today_is_what_begins_today(rest, tenant):
    with time_machine.travel("2026-03-05T23:30:00Z", tick=False):
        now = dt.datetime.now(dt.UTC)
        today = record(tenant)
        record(tenant, started_at=now - dt.timedelta(days=1))
        record(tenant, started_at=now + dt.timedelta(hours=1))
        _, answer = rest.get("events/today?per_page=10&page=1")
    assert [event["metadata"]["id"] for event in answer["events"]] == [str(today.pk)]


def test_statistics_count_by_the_day_of_record(rest, tenant):
    for day, type, service in (("2026-01-31", 1, "a"), ("2026-02-01", 1, "a"), ("2026-02-10", 4, "b")):
        with time_machine.travel(f"{day}T12:00:00Z", tick=False):
            record(tenant, type=type, service=service)
    span = "start_date=2026-01-01&end_date=2026-02-10"
    _, answer = rest.get(f"events/stats?{span}")
    assert answer == {"totalCount": "3", "startDate": "2026-01-01", "endDate": "2026-02-10"}
    assert rest.get(f"events/stats?{span}&types=4&types=3")[1]["totalCount"] == "1"
    assert rest.get(f"events/stats?{span}&service=a&types=incident")[1]["totalCount"] == "0"
    assert rest.get(f"events/stats?{span}&impact=true")[1]["totalCount"] == "0"
    _, monthly = rest.get(f"events/stats/monthly?{span}&group_by_service=true")
    assert [(line["month"], line["service"], line["count"]) for line in monthly["stats"]] == [
        (1, "a", "1"), (2, "a", "1"), (2, "b", "1"),
    ]  # fmt: skip
    last = "start_date=2026-02-10T12:00:00Z&end_date=2026-02-10T12:00:00Z"
    assert rest.get(f"events/stats?{last}")[1]["totalCount"] == "1"
    assert rest.get("events/stats")[0] == 400
    assert rest.get("events/stats?start_date=2026-02-01&end_date=2026-01-01")[0] == 400


@pytest.mark.parametrize("path", ["events/list", "events/search?service=ledger", "events/today"])
def test_lists_are_written_as_the_general_codec_writes_them(rest, devops, tenant, path):
    first = record(tenant, title='Quote " and \\ and é \u2028', impact=2, stakeholders=["a", 'b"'], notification=True)
    update_event(event=first, content={"status": 3, "ticket": "PAY-1"}, by=devops)
    record(tenant, related_id=str(first.pk), started_at=dt.datetime.now(dt.UTC), notifications=["slack"])
    assert rest.get(path)[0] == 200
    name = {"list": "ListEvents", "sear": "SearchEvents", "toda": "TodayEvents"}[path[7:11]]
    operation = OPERATIONS["event", name]
    wanted = operation.response.render(operation.call(Caller(devops), {}))
    assert len(wanted["events"]) == 2
    # Character by character, but for the escapes, of which JSON leaves a choice.
    told = rest.answer.content.decode()
    compact = {"separators": (",", ":")}
    assert json.dumps(json.loads(told), ensure_ascii=False, **compact) == told
    assert json.dumps(json.loads(told), **compact) == json.dumps(wanted, **compact)


# Who


def test_a_dead_key_never_has_a_strangers_rights(tenant, devops):
    token, secret = issue_token(user=devops, name="x", scopes=["events:read"])
    assert Rest(secret).get("events/list")[0] == 200
    assert Rest(**{"X-Api-Key": secret}).get("events/list")[0] == 200
    revoke_token(token=token)
    for headers in ({"Authorization": f"Bearer {secret}"}, {"X-Api-Key": secret}, {"Authorization": "Basic eDp5"}):
        status, answer = Rest(**headers).get("events/list")
        assert (status, answer["code"]) == (401, 16)


def test_scopes_and_roles_bound_a_token(devops, viewer, make_user, tenant):
    assert rest_of(devops, "events:read").post("event", deployment())[0] == 403
    assert rest_of(devops, "tickets:read").get("events/list")[0] == 403
    assert rest_of(viewer).post("event", deployment())[0] == 403
    assert rest_of(viewer).get("events/list")[0] == 200
    assert rest_of(make_user("nobody")).get("events/list") == (
        200, {"events": [], "totalCount": 0, "nextCursor": "", "totalCountCapped": False},
    )  # fmt: skip


def test_strangers_have_the_rights_of_the_settings(stranger, tenant):
    assert stranger.post("event", deployment())[0] == 200
    with override_settings(TRACKER_ANONYMOUS_RIGHTS=["read"]):
        assert stranger.get("events/list")[0] == 200
        assert stranger.post("event", deployment())[0] == 401
    with override_settings(TRACKER_ANONYMOUS_RIGHTS=[]):
        status, answer = stranger.get("events/list")
        assert (status, answer["code"]) == (401, 16)
    with override_settings(TRACKER_ANONYMOUS_TENANT=""):
        assert stranger.get("events/list")[0] == 401


def test_a_page_of_another_site_cannot_use_a_strangers_rights(stranger, tenant, event):
    status, _ = stranger.call("POST", "event", deployment(), **{"Sec-Fetch-Site": "cross-site"})
    assert status == 403
    assert stranger.call("GET", "unlock/x", **{"Sec-Fetch-Site": "cross-site"})[0] == 403
    assert stranger.call("GET", "events/list", **{"Sec-Fetch-Site": "cross-site"})[0] == 200


def test_a_client_may_count_a_status_as_the_wire_does(devops):
    token, secret = issue_token(user=devops, name="slack bot", scopes=["events:write"])
    TrackerClient.objects.create(token=token)
    _, answer = Rest(secret).post("event", deployment(status=9))
    assert answer["event"]["attributes"]["status"] == "open"
    with override_settings(TRACKER_STATUS_NUMBERS=StatusNumbers.WIRE):
        _, answer = rest_of(devops).post("event", deployment(status=4))
        assert answer["event"]["attributes"]["status"] == "warning"


def test_someone_of_several_tenants_names_one(cpi_admin, tenant, other_tenant):
    everywhere = rest_of(cpi_admin)
    assert everywhere.post("event", deployment())[1]["event"]["metadata"]["tenant"] == tenant.slug
    assert (
        everywhere.post("event", deployment() | {"tenant": other_tenant.slug})[1]["event"]["metadata"]["tenant"]
        == other_tenant.slug
    )
    assert everywhere.get("events/list")[1]["totalCount"] == 2
    assert everywhere.get(f"events/list?tenant={other_tenant.slug}")[1]["totalCount"] == 1
    named = rest_of(cpi_admin, **{"X-Tenant": other_tenant.slug})
    assert named.get("events/list")[1]["totalCount"] == 1


def test_other_addresses_and_methods(rest):
    assert rest.get("nothing")[1] == {"code": 5, "message": "Not Found"} | {"details": rest.answer.json()["details"]}
    status, answer = rest.call("PATCH", "event")
    assert (status, answer["code"], rest.answer["Allow"]) == (405, 12, "OPTIONS, POST, PUT")
    assert rest.call("OPTIONS", "event")[0] == 204


# Cost


@pytest.mark.parametrize(
    ("path", "most"), [("events/list?per_page=50", 4), ("events/search?type=1&environment=0&per_page=50", 6)]
)
def test_a_page_costs_the_same_however_many_events_it_has(rest, tenant, path, most):
    counts = []
    for _ in range(2):
        for _ in range(20):
            event = record(tenant)
            Event.objects.filter(pk=event.pk).update(updated_at=event.updated_at + dt.timedelta(seconds=1))
        rest.get(path)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rest.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= most, [query["sql"][:90] for query in queries]


def test_recording_costs_six_statements(rest):
    rest.post("event", deployment())
    with CaptureQueriesContext(connection) as queries:
        rest.post("event", deployment())
    statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
    assert len(statements) <= 6, "\n".join(sql[:100] for sql in statements)
