"""What facts become as CDEvents: every one valid against its schema and as a CloudEvent, with what the seed asks for."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest

from core.errors import InvalidInput
from events.cdevents.codec import check_cloudevent, check_event, known_types
from events.cdevents.emission import PROFILES, as_binary, as_cloudevent, cdevents_of, emits, type_of
from events.cdevents.words import SAYINGS, saying_of
from events.models import DomainEvent
from promotions.services import create_request, reject_request, withdraw_request
from promotions.services.deployments import deployment_succeeded
from tests.conftest import content
from tests.promotions.deploying import approved, launched
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)
from tickets.services import (
    close_ticket,
    edit_ticket,
    link_ticket,
    move_ticket,
    reopen_ticket,
    unlink_ticket,
)

MINE = "dev.cdeventsx.stagepass-"


@pytest.fixture
def life(
    make_ticket,  # noqa: F811
    devops,
    cpi,
    pending,
    make_request,
    target,
    tenant,
):
    """A ticket that takes every step there is, and requests that end in every way."""
    ticket = make_ticket("CORE-7", type="documentation", labels=("docs",))
    edit_ticket(ticket=ticket, by=devops, title="Another title")
    url = "https://github.com/acme/shop/pull/42"
    link = link_ticket(ticket=ticket, url=url, by=devops, kind="pull_request")
    unlink_ticket(ticket=ticket, link=link.pk, by=devops)
    steps = ["start", "request_review", "finish_review", "start_testing", "request_approval", "decline", "start"]
    for verb in [*steps, "request_approval", "approve", "resolve"]:
        decides = verb in {"approve", "decline"}
        move_ticket(ticket=ticket, verb=verb, by=cpi if decides else devops, comment="Not yet." if decides else "")
    reopen_ticket(ticket=ticket, by=devops)
    close_ticket(ticket=ticket, by=devops, resolution="stopped")
    reject_request(promotion=pending, by=cpi, reason="Not good enough yet")
    withdraw_request(promotion=make_request(), by=devops)
    wanted = create_request(tenant=tenant, content=content(tickets=("CORE-7", "CORE-8")), by=devops)
    deployment_succeeded(deployment=launched(approved(wanted, cpi)), result={})
    return list(DomainEvent.objects.select_related("tenant").order_by("sequence"))


def bodies(facts: list[DomainEvent], profile: str) -> list[dict[str, Any]]:
    return [body for fact in facts for body in cdevents_of(fact, profile=profile)]


def types(facts: list[DomainEvent], profile: str) -> list[str]:
    return [body["context"]["type"] for body in bodies(facts, profile)]


@pytest.mark.parametrize("profile", PROFILES)
def test_everything_emitted_is_valid_and_of_its_profile(life, profile):
    known = {"standard": "0.5.1", "custom": "0.5.1", "legacy": "0.4.1"}.get(profile, "0.6.0-draft")
    told = bodies(life, profile)
    assert len(told) > 15
    for body in told:
        checked = check_event(body)
        assert (checked.spec, checked.newer) in {("0.5.1", False), (known, False)}
        assert body["context"]["version" if profile == "legacy" else "specversion"] == known
        assert checked.type.custom or checked.type.full in known_types()
        check_cloudevent(as_cloudevent(body))
    assert len({body["context"]["id"] for body in told}) == len(told), "ids are unique"


def test_who_knows_only_0_4_1_gets_its_types(life):
    told = {body["context"]["type"]: body for body in bodies(life, "legacy")}
    assert {"dev.cdevents.ticket.created.0.1.0", "dev.cdevents.service.deployed.0.2.0"} <= told.keys()
    created = told["dev.cdevents.ticket.created.0.1.0"]
    assert created["subject"]["type"] == "ticket"
    assert created["context"]["id"].endswith("/ticket.created.0.1.0")
    assert created["context"]["links"][0]["target"]["domainId"].endswith(":issue:CORE-7")


def test_every_event_of_the_seed_is_emitted(life):
    all_types = set(types(life, "draft-custom"))
    words = {"opened", "inprogress", "inreview", "reviewed", "testing", "resolved", "linked", "approved", "declined"}
    assert {f"{MINE}ticket.{word}.0.1.0" for word in words} <= all_types
    assert {f"{MINE}approval.{word}.0.1.0" for word in ("approved", "declined", "inprogress")} <= all_types
    assert {f"dev.cdevents.ticket.{word}.0.2.0" for word in ("created", "updated", "closed")} <= all_types
    assert {f"dev.cdevents.approval.{word}.0.1.0" for word in ("created", "updated", "closed")} <= all_types
    assert "dev.cdevents.service.deployed.0.3.0" in all_types


def test_profiles_differ_as_they_say(life):
    standard, custom, draft = (set(types(life, name)) for name in ("standard", "custom", "draft"))
    assert not [each for each in standard if each.startswith(f"{MINE}ticket.")]
    assert [each for each in standard if each.startswith(f"{MINE}approval.")]
    assert not [each for each in standard | custom if each.startswith("dev.cdevents.approval.")]
    assert not [each for each in draft if each.startswith("dev.cdeventsx.")]
    assert standard < custom
    with pytest.raises(InvalidInput):
        cdevents_of(life[0], profile="loud")


def test_a_change_of_state_says_from_to_and_who(life):
    review = next(fact for fact in life if fact.type == "ticket.review_requested")
    updated, state = cdevents_of(review, profile="custom")
    assert updated["context"]["type"] == "dev.cdevents.ticket.updated.0.2.0"
    assert updated["subject"]["id"] == "CORE-7"
    assert updated["subject"]["content"]["updatedBy"] == "devops@example.com"
    assert updated["customData"]["stagepass"]["state"] == {"from": "in_progress", "to": "in_review"}
    assert updated["customData"]["stagepass"]["updater"] == "devops@example.com"
    assert state["context"]["type"] == f"{MINE}ticket.inreview.0.1.0"
    assert state["subject"]["content"] == {
        "uri": "http://localhost:8080/tickets/in/tenant-finance/CORE-7/", "ticketType": "documentation",
        "committer": "devops@example.com", "prevState": "in_progress", "state": "in_review",
    }  # fmt: skip
    assert updated["context"]["chainId"] == state["context"]["chainId"]


def test_the_link_of_a_ticket_names_both_ends_and_the_chain(life):
    linked = next(fact for fact in life if fact.type == "ticket.linked")
    event = cdevents_of(linked, profile="custom")[1]
    assert event["context"]["type"] == f"{MINE}ticket.linked.0.1.0"
    assert event["subject"]["content"]["domainId"] == "cdevents:v0:github::acme:shop:pr:42"
    assert event["subject"]["content"]["linkKind"] == "pull_request"
    assert event["subject"]["content"]["chainId"] == event["context"]["chainId"]
    assert event["context"]["links"] == [
        {"linkType": "RELATION", "linkKind": "ticket",
         "target": {"domainId": "cdevents:v0:stagepass::tenant-finance::issue:CORE-7"}}
    ]  # fmt: skip


def test_a_stopped_ticket_is_withdrawn(life):
    closed = next(fact for fact in life if fact.type == "ticket.closed")
    assert cdevents_of(closed)[0]["subject"]["content"]["resolution"] == "withdrawn"


def test_a_deployment_names_its_artifact_and_its_tickets(life):
    fact = next(fact for fact in life if fact.type == "deployment.succeeded")
    (event,) = cdevents_of(fact)
    assert event["subject"]["id"] == "payment-api"
    assert event["subject"]["content"] == {"environment": {"id": "prod"}, "artifactId": "pkg:generic/payment-api@2.1.0"}
    assert [link["target"]["domainId"].rpartition(":")[2] for link in event["context"]["links"]] == ["CORE-7", "CORE-8"]
    assert [ticket["key"] for ticket in event["customData"]["stagepass"]["tickets"]] == ["CORE-7", "CORE-8"]


def test_approvals_keep_to_the_drafts_words(life):
    told = [body for body in bodies(life, "draft") if ".approval." in body["context"]["type"]]
    ended = {
        body["subject"]["id"]: body["subject"]["content"] for body in told if ".closed." in body["context"]["type"]
    }
    assert {(each["decision"], each["status"]) for each in ended.values()} == {
        ("approved", "approved"), ("rejected", "rejected"), ("deferred", "cancelled")
    }  # fmt: skip
    assert all(each["responder"].startswith("urn:stagepass:user:") for each in ended.values())


def test_a_repetition_repeats_id_and_time(life):
    fact = life[0]
    assert cdevents_of(fact) == cdevents_of(DomainEvent.objects.select_related("tenant").get(pk=fact.pk))


def test_what_concerns_only_the_inside_is_not_emitted(life):
    assert not emits("ticket.stage_claimed")
    assert emits("ticket.opened")
    silent = DomainEvent(type="ticket.stage_claimed", subject_type="ticket", subject_id="CORE-7", data={})
    assert cdevents_of(silent) == []


@pytest.mark.parametrize("type", sorted(SAYINGS))
def test_a_fact_that_says_little_is_still_valid(type, tenant):
    """Facts of earlier versions, or of a person without a name."""
    fact = DomainEvent(
        type=type, tenant=tenant, subject_type="x", subject_id="Ä 1/2", subject_label="?", actor_label="system", data={},
        sequence=1, occurred_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    fact.occurred_at = fact._meta.get_field("occurred_at").to_python(fact.occurred_at)
    for profile in PROFILES:
        for body in cdevents_of(fact, profile=profile):
            check_event(body)
            check_cloudevent(as_cloudevent(body))
    assert all(type_of(said) for said in saying_of(fact))


def test_binary_mode_says_the_same_in_headers(life):
    body = cdevents_of(life[0])[0]
    body["subject"]["id"] = 'Ä "1" 100%'
    headers, content_ = as_binary(body)
    assert json.loads(content_) == body
    assert headers["content-type"] == "application/json"
    assert headers["ce-id"] == body["context"]["id"]
    assert headers["ce-subject"] == "%C3%84%20%221%22%20100%25"
    assert unquote(headers["ce-subject"]) == body["subject"]["id"]
    assert set(as_cloudevent(body)) == {name.removeprefix("ce-") for name in headers if name != "content-type"} | {
        "datacontenttype", "data",
    }  # fmt: skip
