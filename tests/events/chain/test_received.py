"""CDEvents on the chain: what webhooks and pipelines send about one change joins, in whatever order it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from events.cdevents.emission import cdevents_of
from events.chain.following import follow_log
from events.chain.kinds import NodeKind
from events.chain.queries import cargo_of, find_nodes, running_in
from events.models import ChainNode, DomainEvent, LogFollower
from tests.api import call_as
from tests.events.cdevents.conftest import Sender
from tests.events.chain.conftest import names, node_of, shape
from tickets.services import ensure_project, open_ticket
from tickets.types import TicketContent

SHA, EARLIER = "a" * 40, "b" * 40
REPOSITORY = "https://github.com/acme/shop"
PURL = f"pkg:github/acme/shop@{SHA}"


def event(kind: str, number: int, subject: str, content: dict[str, Any], custom: Any = None, **context: Any) -> dict:
    """A CDEvent of the minute `number`."""
    body = {
        "context": {
            "specversion": "0.5.1", "id": f"id-{number}", "source": "/ci", "type": f"dev.cdevents.{kind}",
            "timestamp": f"2026-01-01T00:{number:02}:00Z", "chainId": "d0be0005-cca7-4175-8fe3-f64d2f27bc01",
        } | context,
        "subject": {"id": subject, "source": REPOSITORY, "content": content},
    }  # fmt: skip
    return body | ({"customData": {"stagepass": custom}} if custom else {})


def the_story() -> list[dict]:
    """Pull request, merge, build, test, deployment, incident; the ticket is named in the pull request only."""
    place = {"environment": {"id": "prod"}}
    caused = [{"linkType": "RELATION", "linkKind": "causedBy", "target": {"contextId": "id-5"}}]
    pull = {"title": "Show the costs", "url": f"{REPOSITORY}/pull/7", "head": EARLIER}
    return [
        event("change.created.0.4.0", 1, "7", {"description": "PAY-1 show the costs"}, pull),
        event("change.merged.0.3.0", 2, "7", {}, pull | {"mergeCommit": SHA}),
        event("build.finished.0.3.0", 3, "build-9", {"artifactId": PURL}, {"commit": SHA}),
        event("testsuiterun.finished.0.3.0", 4, "suite-1", place | {"outcome": "success"}, None),
        event("service.deployed.0.3.0", 5, "shop", place | {"artifactId": PURL}),
        event("incident.detected.0.3.0", 6, "inc-1", place | {"description": "Errors"}, links=caused),
    ]


@pytest.fixture
def sender(devops: User) -> Sender:
    return Sender(call_as(devops))


@pytest.fixture
def ticket(tenant, devops):
    project = ensure_project(key="acme/shop", by=devops, tenant=tenant)
    return open_ticket(project=project, by=devops, key="PAY-1", content=TicketContent("Costs"))


EXPECTED = {
    ("Costs", "names", "Show the costs"),
    ("Show the costs", "merged_as", SHA),
    (SHA, "built", "Build build-9"),
    ("Build build-9", "produced", PURL),
    (PURL, "deployed", f"Deploy shop {SHA[:12]}"),
    (f"Deploy shop {SHA[:12]}", "runs_in", "production"),
    (f"Deploy shop {SHA[:12]}", "names", "Errors"),
}


@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "the other way round"])
def test_everything_about_one_change_is_one_chain(sender, ticket, chain, turn, tenant, cpi):
    for body in the_story()[::turn]:
        answer = sender.send(body)
        assert answer.status_code in {200, 201, 202}, answer.content
    found = chain(NodeKind.TICKET, "PAY-1")
    missing = EXPECTED - {(a, "names" if kind == "linked" else kind, b) for a, kind, b in shape(found)}
    assert not missing
    assert "message" not in {node.kind for node in found.nodes}
    assert "Costs" in names(chain(NodeKind.INCIDENT, f"{REPOSITORY}#inc-1", direction="ancestors"))
    assert [(one.service, one.environment) for one in running_in(cpi, tenant)] == [("shop", "production")]
    (deployment,) = find_nodes(cpi, tenant, NodeKind.DEPLOYMENT, "/ci#id-5")
    assert [node.key for node in cargo_of(cpi, tenant, deployment).tickets] == ["PAY-1"]


def test_a_removed_service_runs_no_more_until_it_is_deployed_again(sender, tenant, cpi):
    place = {"environment": {"id": "prod"}}
    told = [("deployed", 1, ["shop"]), ("removed", 2, []), ("deployed", 3, ["shop"])]
    for predicate, minute, running in told:
        content = place | ({"artifactId": PURL} if predicate == "deployed" else {})
        sender.send(event(f"service.{predicate}.0.3.0", minute, "shop", content))
        follow_log()
        assert [one.service for one in running_in(cpi, tenant)] == running


def test_a_link_may_come_before_what_it_joins(sender, chain, tenant):
    link = {
        "linkType": "RELATION", "linkKind": "ARTIFACT", "chainId": "d0be0005-cca7-4175-8fe3-f64d2f27bc01",
        "timestamp": "2026-01-01T00:00:00Z", "source": {"contextId": "id-5"}, "target": {"contextId": "id-6"},
    }  # fmt: skip
    assert sender.send(link).status_code in {200, 201, 202}
    deployed, incident = the_story()[4:]
    del incident["context"]["links"]
    for body in (incident, deployed):
        sender.send(body)
    assert (f"Deploy shop {SHA[:12]}", "linked", "Errors") in shape(chain(NodeKind.INCIDENT, f"{REPOSITORY}#inc-1"))


def test_a_chain_is_found_by_its_chain_id(sender, ticket, chain, cpi):
    for body in the_story():
        sender.send(body)
    chain(NodeKind.TICKET, "PAY-1")
    answer = call_as(cpi).get("/v1/chain?chain_id=d0be0005-cca7-4175-8fe3-f64d2f27bc01")
    assert {"Errors", "Build build-9"} <= {thing["label"] for thing in answer.json()["things"]}


def test_incidents_are_resolved_and_failures_are_failures(sender, chain):
    place = {"environment": {"id": "prod"}}
    sender.send(event("incident.resolved.0.3.0", 9, "inc-1", place))
    sender.send(event("incident.detected.0.3.0", 6, "inc-1", place | {"description": "Errors"}))
    node = chain(NodeKind.INCIDENT, f"{REPOSITORY}#inc-1").nodes[0]
    assert (node.state, node.at.minute, node.ended_at.minute) == ("resolved", 6, 9)
    sender.send(event("pipelinerun.finished.0.3.0", 10, "run-1", {"outcome": "failure", "pipelineName": "CI"}))
    assert chain(NodeKind.BUILD, f"{REPOSITORY}#run-1").nodes[0].state == "failed"


def test_conformance_events_are_all_understood(sender, chain, tenant):
    """Every event of the specification is read without a fault."""
    folder = Path(__file__).parents[1] / "cdevents" / "conformance"
    for path in sorted(folder.glob("all-*.json")):
        for each in json.loads(path.read_text())["events"]:
            body = each["event"]
            body["context"]["id"] = f"{path.stem}-{each['path']}"
            sender.send(body)
    while follow_log():
        pass
    assert LogFollower.objects.get().faults == []
    assert ChainNode.objects.filter(tenant=tenant, known=True).count() > 10


def test_what_a_deployment_carried_since_the_last_one(sender, ticket, chain, cpi, tenant):
    """A commit between two deployed ones belongs to the second, although nothing was built of it."""
    shas = [letter * 40 for letter in "cde"]
    for minute, sha in enumerate(shas, start=20):
        content = {"repository": {"id": "acme/shop"}, "branch": "main", "message": f"Work {sha[0]}"}
        body = event("x", minute, sha, content)
        body["context"]["type"] = "dev.cdeventsx.stagepass-commit.pushed.0.1.0"
        if sha[0] == "d":
            body["customData"] = {"tickets": ["PAY-1"]}
        assert sender.send(body).status_code in {200, 201, 202}
    for minute, sha in ((30, shas[0]), (31, shas[2])):
        place = {"environment": {"id": "prod"}, "artifactId": f"pkg:github/acme/shop@{sha}"}
        sender.send(event("service.deployed.0.3.0", minute, "shop", place))
    chain(NodeKind.DEPLOYMENT, "/ci#id-31")
    cargo = cargo_of(cpi, tenant, node_of(NodeKind.DEPLOYMENT, "/ci#id-31"))
    assert cargo.since is not None
    assert cargo.since.key == "/ci#id-30"
    assert {node.label for node in cargo.commits} == {"Work d", "Work e"}
    assert [node.key for node in cargo.tickets] == ["PAY-1"]


def test_ids_that_two_sources_share_join_nothing(sender, ticket, chain):
    """Links give an id alone: it is meant of the sender's own event, else of whoever used it first."""
    suite = {"environment": {"id": "qa"}, "outcome": "success"}
    caused = [{"linkType": "PATH", "from": {"contextId": "id-1"}}]
    for source, name in (("/ci", "mine"), ("/elsewhere", "other"), ("/monitor", "")):
        bodies = [event("build.finished.0.3.0", 1, name, {})] if name else []
        bodies.append(event("testsuiterun.finished.0.3.0", 2, f"of {name}", suite, links=caused))
        for body in bodies:
            body["context"]["source"] = source
            assert sender.send(body).status_code == 201
    assert set(names(chain(NodeKind.BUILD, f"{REPOSITORY}#mine"))) == {"Build mine", "Test of mine", "Test of "}
    assert set(names(chain(NodeKind.BUILD, f"{REPOSITORY}#other"))) == {"Build other", "Test of other"}


def test_a_link_to_an_event_of_ours_leads_to_what_it_told_of(sender, ticket, make_request, chain, tenant):
    """Somebody who pulled our events links to their ids; the request stays unknown to who may not see requests."""
    pending = make_request(tickets=("PAY-1",))
    told = {
        fact.type: body["context"]["id"]
        for fact in DomainEvent.objects.select_related("tenant").order_by("sequence")
        for body in cdevents_of(fact)[:1]
    }
    caused = [{"linkType": "PATH", "from": {"contextId": told["ticket.opened"]}}]
    assert sender.send(event("build.finished.0.3.0", 1, "b", {}, links=caused)).status_code == 201
    assert set(names(chain(NodeKind.BUILD, f"{REPOSITORY}#b", direction="ancestors"))) == {"Costs", "Build b"}
    link = {
        "linkType": "RELATION", "linkKind": "triggered", "chainId": "d0be0005-cca7-4175-8fe3-f64d2f27bc01",
        "timestamp": "2026-01-01T00:00:00Z", "source": {"contextId": told["promotion.created"]},
        "target": {"contextId": "id-1"},
    }  # fmt: skip
    assert sender.send(link).status_code in {200, 201}
    found = chain(NodeKind.BUILD, f"{REPOSITORY}#b", direction="ancestors")
    assert pending.number in {node.key for node in found.nodes}
    held = ChainNode.objects.get(kind="request").audiences
    assert set(held) == {f"view_own_promotions:{pending.author_id}", "view_promotions"}
