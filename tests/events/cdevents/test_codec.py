"""The specification's own events and vectors against our codec, and what it refuses."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from events.cdevents.codec import InvalidEvent, UnknownType, check_event, check_link, known_types, parse_type
from events.cdevents.domain_ids import DomainId, domain_id_of, parse_domain_id
from events.cdevents.formats import parse_moment

FOLDER = Path(__file__).with_name("conformance")
VERSIONS = ("0.4.1", "0.5.0", "0.5.1", "0.6.0-draft")


def conformance(version: str) -> list[dict[str, Any]]:
    """The specification's events of a version."""
    return [entry["event"] for entry in json.loads((FOLDER / f"all-{version}.json").read_text())["events"]]


@pytest.mark.parametrize(("version", "count"), [("0.4.1", 46), ("0.5.0", 46), ("0.5.1", 46), ("0.6.0-draft", 49)])
def test_every_conformance_event_is_valid(version, count):
    events = conformance(version)
    assert len(events) == count
    for event in events:
        checked = check_event(event)
        assert not checked.newer
        assert checked.type.full == event["context"]["type"]
        assert checked.unverified_schema == event["context"].get("schemaUri", "")


@pytest.mark.parametrize("version", VERSIONS)
def test_no_conformance_event_is_valid_without_what_it_needs(version):
    """Each mandatory member, left out once, and one that nobody knows, put in once."""
    for event in conformance(version):
        for path in (
            ("context", "id"),
            ("context", "source"),
            ("context", "timestamp"),
            ("subject",),
            ("subject", "id"),
        ):
            broken = copy.deepcopy(event)
            place = broken
            for name in path[:-1]:
                place = place[name]
            del place[path[-1]]
            with pytest.raises(InvalidEvent):
                check_event(broken)
        with pytest.raises(InvalidEvent):
            check_event({**event, "surprise": 1})


def event(**context: Any) -> dict[str, Any]:
    return {
        "context": {
            "specversion": "0.5.1", "id": "1", "source": "/here", "type": "dev.cdevents.ticket.updated.0.2.0",
            "timestamp": "2026-01-01T00:00:00Z",
        } | context,
        "subject": {"id": "CORE-7", "content": {"uri": "https://tickets.example.com/CORE-7"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"timestamp": "2026-01-01 00:00:00"}, "context.timestamp"),
        ({"timestamp": "2026-02-30T00:00:00Z"}, "context.timestamp"),
        ({"timestamp": "2026-01-01T00:00:00"}, "context.timestamp"),
        ({"source": "not an address"}, "context.source"),
        ({"source": "%zz"}, "context.source"),
        ({"id": ""}, "context.id"),
        ({"id": 7}, "context.id"),
        ({"chainId": None}, "context.chainId"),
        ({"tickets": []}, "context"),
        ({"links": [{"linkType": "START"}]}, "context.links[0].linkType"),
        ({"links": [{"linkType": "RELATION", "linkKind": "x", "target": "CORE-7"}]}, "context.links[0].target"),
        ({"schemaUri": "relative"}, "context.schemaUri"),
    ],
)
def test_faults_name_their_place(changes, field):
    check_event(event())
    with pytest.raises(InvalidEvent) as refused:
        check_event(event(**changes))
    assert refused.value.field.startswith(field.rpartition(".")[0])
    assert refused.value.code == "invalid_event"
    assert len(refused.value.message) < 1100


@pytest.mark.parametrize(
    "type",
    [
        "dev.cdevents.ticket.exploded.0.1.0", "dev.cdevents.ticket.updated.0.1.9", "dev.cdevents.ticket.updated.1.0.0",
        "dev.cdevents.ticket.in_progress.0.1.0", "com.example.push", "", None, 7, "dev.cdevents.ticket.updated",
        "dev.cdevents.ticket.updated.0.2.0\n", "dev.cdeventsx.stagepass.inprogress.0.1.0x",
    ],
)  # fmt: skip
def test_types_that_nobody_knows(type):
    with pytest.raises(UnknownType):
        check_event(event(type=type))


def test_a_higher_minor_version_is_newer_than_known_and_kept():
    newer = event(type="dev.cdevents.ticket.updated.0.3.0", field_of_tomorrow=1)
    assert check_event(newer).newer
    with pytest.raises(InvalidEvent):
        check_event(event(type="dev.cdevents.ticket.updated.0.3.0", timestamp="yesterday"))


@pytest.mark.parametrize(
    "type", ["dev.cdeventsx.tool-ticket.in_progress.0.1.0", "dev.cdeventsx.tool-ticket.inprogress.0.10.0"]
)
def test_custom_types_keep_to_the_pattern_of_the_specification(type):
    check_event(event(type="dev.cdeventsx.tool-ticket.inprogress.0.1.0"))
    with pytest.raises(InvalidEvent):
        check_event(event(type=type))


def test_the_types_of_all_versions_are_known():
    words = {(parse_type(each).subject, parse_type(each).predicate) for each in known_types()}
    assert len(words) == 48
    assert len({subject for subject, _ in words}) == 15


LINKS = [
    {"linkType": "START", "start": {"contextId": "a"}},
    {"linkType": "PATH", "from": {"contextId": "a"}, "to": {"contextId": "b"}},
    {
        "linkType": "RELATION",
        "source": {"contextId": "a"},
        "target": {"domainId": "cdevents:v0:jira:::CORE:issue:CORE-7"},
    },
    {"linkType": "END", "from": {"contextId": "a"}, "end": {"contextId": "b"}, "tags": {"x": 1}},
]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link["linkType"])
def test_separate_links(link):
    whole = link | {"chainId": "c", "timestamp": "2026-01-01T00:00:00Z"}
    assert check_link(whole) == link["linkType"]
    for name in set(whole) - {"linkType", "tags"}:
        with pytest.raises(InvalidEvent):
            check_link({key: value for key, value in whole.items() if key != name})
    with pytest.raises(InvalidEvent):
        check_link(whole | {"linkType": "MAYBE"})
    with pytest.raises(InvalidEvent):
        check_link([whole])


def test_domain_ids_keep_to_the_vectors():
    vectors = json.loads((FOLDER / "domainid_vectors.json").read_text())
    for vector in vectors["valid"]:
        segments = vector["segments"]
        made = DomainId(
            segments["type"], unquote(segments["resourceId"]), segments["provider"], segments["providerId"],
            segments["namespace"], tuple(segments["groups"].split("/")) if segments["groups"] else (),
        )  # fmt: skip
        assert str(made) == vector["expected"], vector
        assert parse_domain_id(vector["expected"]) == made
    for vector in vectors["invalid"]:
        assert parse_domain_id(vector["input"]) is None, vector
    assert parse_domain_id("cdevents:v0:::::issue:%C0%A0") is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/acme/shop/pull/42", "cdevents:v0:github::acme:shop:pr:42"),
        ("https://gitlab.com/acme/platform/shop/-/merge_requests/9?x=1", "cdevents:v0:gitlab::acme:platform/shop:pr:9"),
        ("https://acme.atlassian.net/browse/core-7", "cdevents:v0:jira:acme::CORE:issue:CORE-7"),
        ("https://example.com/1", "None"),
    ],
)
def test_domain_ids_of_pages(url, expected):
    assert str(domain_id_of(url)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00.123456789+01:00", "2025-12-31T23:00:00.123456+00:00"),
        ("0001-01-01T00:00:00+23:00", "None"),
        ("2026-01-01T24:00:00Z", "None"),
        ("２０２６-01-01T00:00:00Z", "None"),
    ],
)
def test_moments(text, expected):
    moment = parse_moment(text)
    assert (moment.isoformat() if moment else "None") == expected
