"""Every curl of the events guide works as it is written, in its order, and answers what the guide says."""

from __future__ import annotations

import pytest

from events.models import DomainEvent, Event
from tests.events.tracker.commands import curl
from tests.events.tracker.guide import CURL, PIPELINES

EXAMPLE_ID = "507f1f77bcf86cd799439011"


@pytest.fixture
def server(transactional_db, live_server, tenant):
    return live_server.url


def test_the_guide_from_its_first_curl_to_its_last(server, tenant):
    """The example id of the guide is found as what clients know an event by."""
    made = []
    for command in CURL:
        if EXAMPLE_ID in command and not Event.objects.filter(slack_id=EXAMPLE_ID).exists():
            Event.objects.filter(pk=made[0]).update(slack_id=EXAMPLE_ID)
        status, answer = curl(command, server)
        assert status == 200, (command, answer)
        if "-X POST" in command:
            made.append(answer["id"])
            assert answer["title"] == answer["event"]["title"]
            assert answer["createdAt"] == answer["event"]["metadata"]["createdAt"]
    assert len(made) == 5
    assert DomainEvent.objects.filter(type="event.recorded", tenant=tenant).count() == 5
    assert DomainEvent.objects.filter(type="event.deleted").count() == 1


def test_what_the_guide_creates_is_kept_field_by_field(server):
    _, answer = curl(CURL[0], server)
    attributes = answer["event"]["attributes"]
    assert attributes["type"] == "deployment"
    assert attributes["priority"] == "P2"
    assert attributes["status"] == "success"
    assert attributes["environment"] == "production"
    assert answer["event"]["links"] == {
        "pullRequestLink": "https://github.com/org/repo/pull/123",
        "ticket": "PROJ-456",
    }


def test_numbers_of_a_status_are_the_guides_and_impact_keeps_its_level(server):
    incident = next(command for command in CURL if "pool exhausted" in command)
    _, answer = curl(incident, server)
    attributes = answer["event"]["attributes"]
    assert (attributes["status"], attributes["impact"], attributes["impactLevel"]) == ("open", True, 3)


def test_a_partial_put_keeps_what_it_does_not_name(server):
    _, made = curl(CURL[0], server)
    status, answer = curl(CURL[1].replace(EXAMPLE_ID, made["id"]), server)
    assert status == 200
    event = answer["event"]
    assert event["attributes"]["endDate"] == "2024-01-15T10:05:00Z"
    assert event["attributes"]["service"] == "user-service"
    assert event["links"]["ticket"] == "PROJ-456"
    assert [line["changeType"] for line in event["changelog"]] == ["created", "updated"]


def test_pages_of_the_list(server):
    for _ in range(12):
        curl(CURL[0], server)
    first, second = next(c for c in CURL if "page=1" in c), next(c for c in CURL if "page=2" in c)
    _, one = curl(first, server)
    _, two = curl(second, server)
    assert [len(page["events"]) for page in (one, two)] == [10, 2]
    assert one["totalCount"] == two["totalCount"] == 12
    ids = {event["metadata"]["id"] for page in (one, two) for event in page["events"]}
    assert len(ids) == 12


def test_the_examples_for_pipelines(server):
    answers = [curl(command, server) for command in PIPELINES]
    assert [status for status, _ in answers] == [200, 200]
    action, job = (answer["event"] for _, answer in answers)
    assert (action["title"], job["title"]) == ("Deploy org/repo main", "Deploy nightly #17")
    assert action["attributes"]["owner"] == "ana"
    assert action["links"]["pullRequestLink"] == "https://github.com/org/repo/pull/7"
    assert (job["attributes"]["service"], job["attributes"]["environment"]) == ("nightly", "production")
