"""From a ticket to the incident: what tickets, requests and Tracker events say joins into one chain."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from core.errors import NotFound
from events.chain.following import follow_log, start_over
from events.chain.kinds import NodeKind, State
from events.models import ChainEdge, ChainNode, ChainStatement, DomainEvent, LogFollower
from events.tracker.bulk import record_events
from events.tracker.records import delete_event, update_event
from events.tracker.vocabulary import Environment, Status, Type
from promotions.models import Deployment
from promotions.services import approve_request
from promotions.services.deployments import deployment_failed, deployment_started, deployment_succeeded
from promotions.states import DeploymentState
from tests.events.chain.conftest import names, node_of, shape
from tickets.models import Project
from tickets.services import link_ticket, open_ticket, unlink_ticket
from tickets.types import TicketContent

PULL = "https://github.com/org/payment/pull/12"


@pytest.fixture
def ticket(tenant, devops):
    project = Project.objects.create(tenant=tenant, key="finance/payments", prefix="PAY")
    return open_ticket(project=project, content=TicketContent(title="Pay faster"), key="PAY-1", by=devops)


def deploy(promotion, cpi, *, good: bool = True):
    """Approve and run its deployment to the end."""
    approve_request(promotion=promotion, by=cpi)
    attempt = Deployment.objects.get(promotion=promotion)
    Deployment.objects.filter(pk=attempt.pk).update(state=DeploymentState.LAUNCHING)
    deployment_started(deployment=attempt, job_id="7")
    attempt = Deployment.objects.get(pk=attempt.pk)
    if good:
        deployment_succeeded(deployment=attempt, result={})
    else:
        deployment_failed(deployment=attempt, error="Out of disk")
    return attempt


def test_a_ticket_is_followed_to_the_incident_it_caused(ticket, make_request, cpi, devops, target, record, chain):
    link_ticket(ticket=ticket, url=f"{PULL}/files?w=1", by=devops, title="Cache the rates")
    promotion = make_request(tickets=("pay-1",))
    attempt = deploy(promotion, cpi)
    told = record(title="Deploy payment-api v2.1.0", pull_request_link=PULL)
    record(type=Type.incident, title="Checkout times out", status=Status.open, related_id=told.pk)
    found = shape(chain(NodeKind.TICKET, "PAY-1"))
    number, decided = promotion.number, f"Approved by {cpi.email}"
    assert {
        ("Pay faster", "names", "Cache the rates"),
        ("Pay faster", "names", "payment-api 2.1.0"),
        ("payment-api 2.1.0", "decided", decided),
        (decided, "deployed", "Deploy payment-api 2.1.0"),
        ("Deploy payment-api 2.1.0", "runs_in", "production"),
        ("Cache the rates", "deployed", "Deploy payment-api v2.1.0"),
        ("Deploy payment-api v2.1.0", "caused", "Checkout times out"),
    } <= found
    assert node_of(NodeKind.REQUEST, number).state == "deployed"
    assert node_of(NodeKind.DEPLOYMENT, attempt.deployment_id).state == State.SUCCEEDED
    back = chain(NodeKind.INCIDENT, str(told.followers.get().pk), direction="ancestors")
    assert "Pay faster" in names(back)


def test_a_failed_deployment_is_told_as_failed(make_request, cpi, target, chain):
    attempt = deploy(make_request(tickets=("X-1",)), cpi, good=False)
    follow_log()
    node = node_of(NodeKind.DEPLOYMENT, attempt.deployment_id)
    assert (node.state, node.environment, node.service, node.version) == (
        State.FAILED, "production", "payment-api", "2.1.0",
    )  # fmt: skip
    assert node.at < node.ended_at


def test_an_edited_event_leaves_its_old_relations(record, devops, chain):
    event = record(ticket="PAY-1", ended_at=now())
    follow_log()
    update_event(event=event, content={"ticket": "PAY-2", "status": Status.start, "ended_at": None}, by=devops)
    assert shape(chain(NodeKind.TICKET, "PAY-2")) >= {("PAY-2", "names", "Deploy payment-api")}
    assert names(chain(NodeKind.TICKET, "PAY-1")) == ["PAY-1"]
    node = node_of(NodeKind.DEPLOYMENT, str(event.pk))
    assert (node.state, node.ended_at) == (State.RUNNING, None)


def test_a_deleted_event_is_on_no_chain(record, devops, chain):
    event = record(ticket="PAY-1")
    assert len(chain(NodeKind.TICKET, "PAY-1").nodes) == 3
    delete_event(event=event, by=devops)
    assert names(chain(NodeKind.TICKET, "PAY-1")) == ["PAY-1"]
    with pytest.raises(NotFound):
        chain(NodeKind.DEPLOYMENT, str(event.pk))


def test_a_link_taken_away_is_on_the_chain_no_more(ticket, devops, chain):
    link = link_ticket(ticket=ticket, url=PULL, by=devops)
    assert len(chain(NodeKind.TICKET, "PAY-1").nodes) == 2
    unlink_ticket(ticket=ticket, link=link.pk, by=devops)
    assert len(chain(NodeKind.TICKET, "PAY-1").nodes) == 1


def test_a_batch_is_read_event_by_event(tenant, devops, chain):
    contents = [
        {"title": f"Deploy {n}", "type": 1, "service": "ledger", "environment": Environment.UAT, "ticket": "PAY-9"}
        for n in range(5)
    ]
    record_events(tenant=tenant, contents=contents, by=devops)
    assert len(chain(NodeKind.TICKET, "PAY-9").nodes) == 5 + 2


def everything() -> list[tuple]:
    edges = ChainEdge.objects.values_list(
        "from_node__kind", "from_node__key", "kind", "to_node__kind", "to_node__key", "statement__ref"
    )
    nodes = ChainNode.objects.values_list(
        "kind", "key", "label", "state", "service", "environment", "version", "at", "ended_at", "audiences", "known"
    )
    return [sorted(edges), sorted(map(str, nodes)), sorted(ChainStatement.objects.values_list("ref", "version"))]


def test_the_graph_told_anew_is_the_same(ticket, make_request, cpi, devops, target, record):
    link_ticket(ticket=ticket, url=PULL, by=devops)
    deploy(make_request(tickets=("PAY-1",)), cpi)
    incident = record(type=Type.incident, status=Status.open, related_id=record(ticket="PAY-1").pk)
    update_event(event=incident, content={"status": Status.close}, by=devops)
    follow_log()
    before = everything()
    assert before[0]
    start_over()
    assert everything() == [[], [], []]
    follow_log()
    assert everything() == before


def test_what_cannot_be_understood_holds_nothing_up(record, chain, tenant):
    from django.db import transaction

    from events.services import publish
    from events.types import Audience, Subject

    with transaction.atomic():
        broken = publish(
            type="event.recorded", subject=Subject("event", "no uuid", "broken"), tenant=tenant, by=None, data={},
            audience=Audience(),
        )  # fmt: skip
    record(ticket="PAY-1")
    assert len(chain(NodeKind.TICKET, "PAY-1").nodes) == 3
    reader = LogFollower.objects.get()
    assert [fault["sequence"] for fault in reader.faults] == [broken.sequence]
    assert reader.position == DomainEvent.objects.count()


def test_reading_the_log_again_changes_nothing(record):
    record(ticket="PAY-1")
    follow_log()
    before = everything()
    LogFollower.objects.update(position=0)
    assert follow_log() == 1
    assert everything() == before
    assert dt.timedelta(0) <= now() - LogFollower.objects.get().moved_at
