"""Receiving CDEvents: in every mode, once, unchanged, with the tickets they name; the rest becomes dead letters."""

from __future__ import annotations

import json
import uuid

import pytest

from accounts.models import Tenant
from core.errors import NotAllowed
from events.cdevents.cloudevents import MAX_BATCH, Item
from events.cdevents.codec import InvalidEvent
from events.cdevents.letters import bury
from events.cdevents.receiving import Incoming, receive
from events.models import DeadLetter, DomainEvent, ReceivedEvent, ReceivedLink
from events.models.received import Mode
from tests.api import assert_problem
from tests.events.cdevents.conftest import ADDRESS, BARE, BATCH, STRUCTURED, a_change
from tests.events.cdevents.test_codec import VERSIONS, conformance
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)

MODES = ("bare", "binary", "structured", "batch")


def facts(type: str = "event.received") -> list[DomainEvent]:
    return list(DomainEvent.objects.filter(type=type).order_by("sequence"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_conformance_event_is_stored_once_and_read_back_equal(sender, version, mode):
    events = conformance(version)
    for number, event in enumerate(events):
        event["context"]["id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{version}{number}"))
    for status in (201, 200):
        for event in events:
            answer = sender.send_as(mode, event)
            assert answer.status_code == (200 if mode == "batch" else status), answer.content
            told = answer.json()["items"][0] if mode == "batch" else answer.json()
            assert told["status"] == ("accepted" if status == 201 else "duplicate"), told
            read = sender.caller.get(f"{ADDRESS}/{told['id']}").json()
            assert read["event"] == event
            assert read["mode"] == mode
            assert read["schemaUriUnverified"] == ("schemaUri" in event["context"])
    assert ReceivedEvent.objects.count() == len(events) == len(facts())
    assert not DeadLetter.objects.exists()


def test_what_was_sent_is_kept_to_the_letter(sender):
    text = (
        '{ "subject": {"content":{}, "id":"x"},\n "context": '
        + json.dumps(a_change()["context"])
        + ', "customData": {"n": 1.10}}'
    )
    number = sender.send(text).json()["id"]
    assert sender.caller.get(f"{ADDRESS}/{number}").json()["raw"] == text
    parts = [json.dumps(a_change(2)), '  {"broken": ', json.dumps(a_change(3), indent=3)]
    answer = sender.send("[" + parts[0] + " ,\n" + parts[2] + "]").json()
    assert [sender.caller.get(f"{ADDRESS}/{item['id']}").json()["raw"] for item in answer["items"]] == [
        parts[0],
        parts[2],
    ]


def test_the_fact_says_what_the_event_points_at(sender, make_ticket):  # noqa: F811
    make_ticket("CORE-007")
    event = a_change(text="core-7: pay, after CORE-8 and PROJECT-1, UTF-8")
    event["context"]["links"] = [
        {"linkType": "RELATION", "linkKind": "TRIGGER", "target": {"contextId": "abc"}, "tags": {"a": "b"}},
        {"linkType": "PATH", "from": {"contextId": "def"}},
        {"linkType": "END"},
    ]
    event["context"]["chainId"] = "chain-1"
    told = sender.send(event).json()
    assert (told["tickets"], told["unknownTickets"]) == (["CORE-007"], ["PROJECT-1"])
    (fact,) = facts()
    assert (fact.subject_type, fact.subject_id) == ("cdevent", str(told["id"]))
    assert fact.actor_label == "devops@example.com"
    assert fact.data == {
        "received": told["id"], "mode": "bare",
        "event": {
            "id": "id-1", "source": "/ci", "type": "dev.cdevents.change.created.0.4.0", "subject": "change",
            "predicate": "created", "version": "0.4.0", "custom": False, "timestamp": "2026-01-01T00:00:00Z",
            "chain_id": "chain-1",
        },
        "subject": {"id": "1", "source": "https://github.com/acme/shop"},
        "references": [{"role": "repository", "kind": "repository", "id": "acme/shop", "source": ""}],
        "links": [
            {"type": "RELATION", "kind": "TRIGGER", "target": {"context_id": "abc"}, "tags": {"a": "b"}},
            {"type": "PATH", "from": {"context_id": "def"}}, {"type": "END"},
        ],
        "tickets": ["CORE-007"], "mentions": ["PROJECT-1"], "outcome": "", "commits": [], "commands": [], "verdict": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "place",
    [
        lambda event: event["context"].update(links=[_relation("cdevents:v0:stagepass::x::issue:CORE-7")]),
        lambda event: event["context"].update(links=[_relation("cdevents:v0:jira:acme::CORE:issue:CORE%2D7")]),
        lambda event: event.update(customData={"tickets": ["CORE-7"]}),
        lambda event: event.update(customData={"tool": {"tickets": [{"key": "core-7"}]}}),
        lambda event: event["subject"]["content"].update(description="x (CORE-7)"),
    ],
)
def test_tickets_are_named_in_many_places(sender, make_ticket, place):  # noqa: F811
    make_ticket("CORE-7")
    event = a_change()
    place(event)
    assert sender.send(event).json()["tickets"] == ["CORE-7"]


def _relation(domain_id):
    return {"linkType": "RELATION", "linkKind": "x", "target": {"domainId": domain_id}}


def test_the_same_id_with_another_content_is_a_conflict_and_kept_aside(sender):
    first = sender.send(a_change()).json()
    problem = assert_problem(sender.send(a_change(text="Another")), 409, "id_reused", "context.id")
    assert problem["first"] == first["id"]
    letter = DeadLetter.objects.get(pk=problem["deadLetter"])
    assert (letter.code, letter.event_id, letter.source) == ("id_reused", "id-1", "/ci")
    assert sender.send(a_change(source="/other", text="Another")).status_code == 201


def test_an_id_of_one_tenant_is_free_in_another(sender, sender_of, outsider):
    assert sender.send(a_change()).status_code == 201
    other = sender_of(outsider)
    assert other.send(a_change(text="Another")).status_code == 201
    assert len(other.caller.get(ADDRESS).json()) == 1


def test_a_batch_is_answered_item_by_item(sender):
    sent = [as_event(a_change(1)), as_event(a_change(1)), as_event(a_change(1, text="Another")), {"specversion": "1.0"},
            "nonsense", as_event(a_change(2, type="dev.cdevents.change.exploded.0.1.0")), as_event(a_change(3))]  # fmt: skip
    answer = sender.send(sent, BATCH)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["duplicates"], told["rejected"]) == (2, 1, 4)
    assert [item["status"] for item in told["items"]] == [
        "accepted", "duplicate", "rejected", "rejected", "rejected", "rejected", "accepted"
    ]  # fmt: skip
    assert [item.get("code", "") for item in told["items"]] == [
        "", "", "id_reused", "invalid_event", "unreadable", "unknown_type", ""
    ]  # fmt: skip
    assert DeadLetter.objects.count() == 4
    assert [fact.data["event"]["id"] for fact in facts()] == ["id-1", "id-3"]
    assert sender.send([], BATCH).json() == {"accepted": 0, "duplicates": 0, "rejected": 0, "items": []}


def as_event(body):
    context = body["context"]
    return {"specversion": "1.0", "data": body, **{name: context[name] for name in ("id", "source", "type")}}


def test_a_batch_is_bounded(sender):
    sent = [a_change(number) for number in range(MAX_BATCH + 1)]
    assert_problem(sender.send(sent), 413, "too_many_events")
    assert not ReceivedEvent.objects.exists()
    answer = sender.send(sent[:MAX_BATCH])
    assert answer.json()["accepted"] == MAX_BATCH


def test_separate_links_are_stored_once(sender):
    link = {
        "linkType": "PATH", "chainId": "c-1", "timestamp": "2026-01-01T00:00:00Z", "from": {"contextId": "a"},
        "to": {"domainId": "cdevents:v0:jira:::CORE:issue:CORE-7"},
    }  # fmt: skip
    assert [sender.send(link).status_code for _ in range(2)] == [201, 200]
    assert sender.send([as_event(a_change()), link], BATCH).json()["duplicates"] == 1
    assert ReceivedLink.objects.count() == 1
    (fact,) = facts("link.received")
    assert fact.data["source"] == {"context_id": "a"}
    assert fact.data["target"] == {"domain_id": "cdevents:v0:jira:::CORE:issue:CORE-7"}
    assert (fact.data["type"], fact.data["chain_id"]) == ("PATH", "c-1")
    assert sender.caller.get(f"{ADDRESS}/links?chainId=c-1").json()[0]["link"] == link
    assert sender.caller.get(f"{ADDRESS}/links?chainId=c-2").json() == []
    assert_problem(sender.send(link | {"linkType": "X"}), 400, "invalid_event", "linkType")


BAD = {
    "no JSON": ("{", BARE, {}, "unreadable"),
    "no UTF-8": (b'{"a": "\xff"}', BARE, {}, "unreadable"),
    "NaN": ('{"a": NaN}', BARE, {}, "unreadable"),
    "infinity": ('{"a": 1e999}', BARE, {}, "unreadable"),
    "twice": ('{"context": {}, "context": {}}', BARE, {}, "unreadable"),
    "deep": ("[" * 3000 + "]" * 3000, BARE, {}, "unreadable"),
    "deep object": ('{"a":' * 3000 + "1" + "}" * 3000, BARE, {}, "unreadable"),
    "surrogate": ('{"a": "\\ud800"}', BARE, {}, "unreadable"),
    "nul": (json.dumps(a_change(text="\x00")), BARE, {}, "unreadable"),
    "raw nul": (b'{"a": "\x00"}', BARE, {}, "unreadable"),
    "huge number": ('{"a": ' + "1" * 5000 + "}", BARE, {}, "unreadable"),
    "empty": ("", BARE, {}, "unreadable"),
    "a text": ('"hello"', BARE, {}, "invalid_event"),
    "null": ("null", STRUCTURED, {}, "unreadable"),
    "no data": ({"specversion": "1.0", "id": "1", "source": "/", "type": "x"}, STRUCTURED, {}, "invalid_event"),
    "old CloudEvents": (as_event(a_change()) | {"specversion": "0.3"}, STRUCTURED, {}, "invalid_event"),
    "upper case attribute": (as_event(a_change()) | {"Foo": "x"}, STRUCTURED, {}, "invalid_event"),
    "two datas": (as_event(a_change()) | {"data_base64": "e30="}, STRUCTURED, {}, "invalid_event"),
    "no base64": ({**as_event(a_change()), "data": None, "data_base64": "%"}, STRUCTURED, {}, "invalid_event"),
    "other id": (as_event(a_change()) | {"id": "2"}, STRUCTURED, {}, "envelope_mismatch"),
    "other type": (a_change(), BARE, {"ce_specversion": "1.0", "ce_id": "id-1", "ce_source": "/ci", "ce_type": "x"}, "envelope_mismatch"),
    "missing id": (a_change(), BARE, {"ce_specversion": "1.0", "ce_source": "/ci", "ce_type": "x"}, "invalid_event"),
    "overlong escape": (a_change(), BARE, {"ce_specversion": "1.0", "ce_id": "%C0%A0", "ce_source": "/", "ce_type": "x"}, "unreadable"),
    "long id": (a_change(id="x" * 301), BARE, {}, "too_long"),
    "long source": (a_change(source="x" * 1001), BARE, {}, "too_long"),
    "someone else's event": (as_event(a_change(type="com.example.push")), STRUCTURED, {}, "unknown_type"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_hostile_input_is_refused_with_a_reason_and_kept(sender, name):
    content, content_type, headers, code = BAD[name]
    problem = assert_problem(sender.send(content, content_type, **headers), 400, code)
    letter = DeadLetter.objects.get(pk=problem["deadLetter"])
    assert (letter.code, letter.state) == (code, "waiting")
    assert len(letter.reason) > 10
    sender.send(content, content_type, **headers)
    assert DeadLetter.objects.get().times == 2, "the same one again only counts"
    assert not ReceivedEvent.objects.exists()
    assert sender.send(a_change(99)).status_code == 201, "and the next is fine"


def test_a_letter_that_comes_again_says_the_latest_reason(tenant):
    item = Item(Mode.BARE, "{}")
    for reason, field in (("It was too long.", "a"), ("It has no type.", "type")):
        letter = bury(item, InvalidEvent(reason, field=field), tenant=tenant, by=None)
    letter.refresh_from_db()
    assert (letter.reason, letter.field, letter.times) == ("It has no type.", "type", 2)


def test_binary_headers_are_read_as_the_binding_says(sender):
    event = a_change(source="/Ä", id='a "b" %')
    event["context"]["source"] = "/%C3%84"
    headers = {
        "CE_Specversion": "1.0",
        "ce_ID": '"a \\"b\\" %25"',
        "Ce_Source": "/%25C3%2584",
        "ce_type": event["context"]["type"],
    }
    answer = sender.send(event, **headers)
    assert answer.status_code == 201, answer.content


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/cloudevents+avro", ""])
def test_other_content_types_are_415(sender, content_type):
    assert sender.send("{}", content_type).status_code == 415


def test_a_body_that_is_too_large_is_413(sender, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert_problem(sender.send(a_change(text="x" * 1000)), 413, "too_large")


def test_a_higher_minor_version_is_stored_and_said_to_be_newer(sender):
    told = sender.send(a_change(type="dev.cdevents.change.created.0.5.0")).json()
    assert told["newerThanKnown"]


def test_an_idempotency_key_repeats_the_answer_and_keeps_the_letter(sender):
    answers = [sender.send(a_change(), Idempotency_Key="k-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    refused = sender.send("{", Idempotency_Key="k-2")
    assert DeadLetter.objects.filter(pk=refused.json()["deadLetter"]).exists()


def test_only_those_who_may_record_events_and_only_where(sender_of, viewer, cpi_admin, tenant, other_tenant, devops):
    assert_problem(sender_of(viewer).send(a_change()), 403, "not_authorized")
    with pytest.raises(NotAllowed):
        receive(items=[Incoming(Item("bare", "{}", a_change()))], tenant=tenant, by=viewer)
    admin = sender_of(cpi_admin)
    assert admin.send(a_change(), query="?tenant=tenant-retail").status_code == 201
    assert admin.send(a_change(), X_Tenant="tenant-finance").status_code == 201
    assert_problem(sender_of(devops).send(a_change(2), query="?tenant=tenant-retail"), 404, "not_found")
    owners = ReceivedEvent.objects.values_list("tenant__slug", flat=True)
    assert sorted(owners) == ["tenant-finance", "tenant-retail"]
    assert [row["tenant"] for row in sender_of(devops).caller.get(ADDRESS).json()] == ["tenant-finance"]
    assert Tenant.objects.count() == 2


def test_the_list_is_narrowed_and_paged(sender, make_ticket):  # noqa: F811
    make_ticket("CORE-7")
    for number in range(5):
        sender.send(a_change(number, text="CORE-7" if number == 3 else "", chainId="c" if number > 2 else "d"))
    numbers = [row["id"] for row in sender.caller.get(ADDRESS).json()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 5

    def ids(query):
        return [row["eventId"] for row in sender.caller.get(f"{ADDRESS}?{query}").json()]

    assert ids("ticket=CORE-7") == ["id-3"]
    assert ids("chainId=c") == ["id-4", "id-3"]
    assert ids("type=dev.cdevents.ticket.") == []
    assert ids("type=dev.cdevents.change.&limit=1") == ["id-4"]
    assert ids(f"before={numbers[1]}&limit=2") == ["id-2", "id-1"]
    assert ids("eventId=id-1&source=/ci&subjectId=1") == ["id-1"]
    assert ids("since=2026-01-01T00:00:01Z") == []
    assert ids("tenant=tenant-retail") == []
    assert sender.caller.get(f"{ADDRESS}?tenant=%00").status_code == 400
