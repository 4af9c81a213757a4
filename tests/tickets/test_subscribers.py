"""Tickets that a deployed promotion request names are resolved, once, where their project wants it."""

from __future__ import annotations

import pytest

from events import outbox
from events.models import Delivery, DomainEvent
from promotions.models import Deployment, PromotionRequest
from promotions.services import approve_request, deployment_succeeded, roll_back_request
from promotions.states import DeploymentState, State
from tests.api import call_as
from tests.tickets.conftest import ticket_content
from tickets.models import Ticket
from tickets.services import close_ticket, edit_project, ensure_project, open_ticket


def deploy(promotion: PromotionRequest, by) -> None:
    """Approve it and have its deployment end well."""
    approve_request(promotion=promotion, by=by)
    Deployment.objects.filter(promotion=promotion).update(state=DeploymentState.RUNNING)
    PromotionRequest.objects.filter(pk=promotion.pk).update(state=State.DEPLOYING)
    deployment = Deployment.objects.select_related("promotion").get(promotion=promotion)
    deployment_succeeded(deployment=deployment, result={})


def deliver() -> list[dict]:
    outbox.route_facts()
    outbox.deliver_channel("tickets")
    assert not Delivery.objects.filter(channel="tickets").exclude(state="done").exists()
    return [d.receipt for d in Delivery.objects.filter(channel="tickets").order_by("id")]


@pytest.fixture
def promotion(make_request, target):
    return make_request(tickets=("TICKET-001", "ticket-001", "T-2", "JIRA-7", "T-3"))


def states() -> dict[str, str]:
    return dict(Ticket.objects.filter(tenant__slug="tenant-finance").values_list("key", "state"))


def test_a_deployment_resolves_its_tickets(promotion, ticket, make_ticket, cpi, devops, outsider):
    make_ticket("T-2")
    close_ticket(ticket=make_ticket("T-3"), by=devops, resolution="stopped")
    theirs = open_ticket(
        project=ensure_project(key="x", by=outsider), content=ticket_content(), by=outsider, key="TICKET-001"
    )
    deploy(promotion, cpi)
    assert deliver() == [{"tickets": ["TICKET-001", "T-2"]}]
    assert states() == {"TICKET-001": "resolved", "T-2": "resolved", "T-3": "stopped"}
    theirs.refresh_from_db()
    assert theirs.state == "open"
    fact = DomainEvent.objects.filter(type="ticket.resolved").first()
    assert (fact.actor_id, fact.data["deployed_by"]) == (None, promotion.number)


def test_delivered_twice_it_resolves_once(promotion, ticket, cpi):
    deploy(promotion, cpi)
    deliver()
    Delivery.objects.filter(channel="tickets").update(state="queued", attempts=0)
    assert deliver() == [{"tickets": []}]
    assert DomainEvent.objects.filter(type="ticket.resolved").count() == 1


def test_a_project_may_not_want_that(promotion, project, ticket, cpi):
    edit_project(project=project, by=cpi, settings={"resolve_on_deploy": False})
    deploy(promotion, cpi)
    assert deliver() == [{"tickets": []}]
    assert states() == {"TICKET-001": "open"}


def test_a_roll_back_opens_them_again(promotion, ticket, cpi, devops):
    deploy(promotion, cpi)
    deliver()
    PromotionRequest.objects.filter(pk=promotion.pk).update(replaced_version="2.0.0")
    promotion.refresh_from_db()
    back = roll_back_request(promotion=promotion, by=devops, reason="Timeouts in the checkout")
    deploy(back, cpi)
    assert deliver()[-1] == {"tickets": ["TICKET-001"]}
    assert states() == {"TICKET-001": "reopened"}


def test_the_setting_is_made_over_rest_and_holds_from_then_on(promotion, project, ticket, make_ticket, cpi, devops):
    """One project resolves when deployed, the other does not; both tickets are named by the same request."""
    other = ensure_project(key="test/by-hand", by=devops, tenant=project.tenant)
    open_ticket(project=other, content=ticket_content(), by=devops, key="T-2")
    by_hand = ("PATCH", "/v1/projects/test/by-hand", {"settings": {"resolve_on_deploy": False}})
    assert call_as(devops).call(*by_hand).status_code == 403, "how work is closed is for those who decide"
    answer = call_as(cpi).call(*by_hand)
    assert answer.status_code == 200, answer.content
    assert answer.json()["settings"]["resolve_on_deploy"] is False
    deploy(promotion, cpi)
    assert deliver() == [{"tickets": ["TICKET-001"]}]
    assert states() == {"TICKET-001": "resolved", "T-2": "open"}
    shown = call_as(devops).get("/v1/tickets/TICKET-001").json()
    assert (shown["state"], shown["status"]) == ("resolved", "open")
