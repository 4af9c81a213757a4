"""What is deployed here is a deployment on GitHub, once for each change, with its status and a link to the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import User
from core.clock import now
from events import outbox
from events.connections import calls
from events.connections.services import save_connection
from events.models import ChannelHealth, Connection, Delivery, OutsideMark
from iep.services import promote_stamp, release_stamp, revert_stamp
from iep.services.change import load
from promotions import services
from promotions.models import Deployment, PromotionRequest
from tests.fakes.github import SHA, GitHub
from tests.iep.conftest import _blobs_of_this_test, save, shop  # noqa: F401 (fixtures)
from tests.promotions.test_sign_off import asked  # noqa: F401 (fixture)
from tests.promotions.test_sign_off import deploy as deploy_stamp
from tickets.models import Ticket
from tickets.services import ensure_project, link_ticket, open_ticket
from tickets.types import TicketContent

DEPLOYMENTS = "/repos/acme/shop/deployments"


@pytest.fixture
def github(tenant, root, settings, monkeypatch) -> Iterator[GitHub]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(calls, "CALL_SECONDS", 1.0)
    with GitHub() as github:
        connection = Connection(tenant=tenant, kind="github", name="acme", url=github.url, deployments=True)
        save_connection(connection=connection, by=root, secret=github.token)
        github.web = f"{github.url}/acme/shop"
        yield github


@pytest.fixture
def ticket(github, tenant, devops) -> Ticket:
    """PAY-1, with pull request 42."""
    project = ensure_project(key="finance/payments", by=devops, tenant=tenant)
    ticket = open_ticket(project=project, content=TicketContent(title="Pay faster"), by=devops, key="PAY-1")
    link_ticket(ticket=ticket, url=f"{github.web}/pull/42", by=devops)
    return ticket


def told() -> list[Delivery]:
    """Whatever waits for GitHub, now."""
    outbox.route_facts()
    [lane] = {f"github:{pk}" for pk in Connection.objects.values_list("pk", flat=True)}
    Delivery.objects.filter(channel=lane, state="queued").update(next_at=now())
    ChannelHealth.objects.update(rests_until=None)
    outbox.deliver_channel(lane)
    return list(Delivery.objects.filter(channel=lane).order_by("pk"))


def begin(promotion: PromotionRequest, by: User) -> Deployment:
    services.approve_request(promotion=promotion, by=by)
    return launch(promotion)


def launch(promotion: PromotionRequest) -> Deployment:
    Deployment.objects.filter(promotion=promotion, state="queued").update(state="launching")
    services.deployment_started(deployment=newest(promotion), job_id="7")
    return newest(promotion)


def newest(promotion: PromotionRequest) -> Deployment:
    return Deployment.objects.select_related("promotion").filter(promotion=promotion).latest("attempt")


def succeed(promotion: PromotionRequest) -> None:
    services.deployment_succeeded(deployment=newest(promotion), result={})


def states(github: GitHub) -> list[list[str]]:
    return [[status["state"] for status in each["statuses"]] for each in github.deployments.values()]


def test_a_request_is_a_deployment_with_its_status(github, ticket, make_request, cpi, target, settings):
    promotion = make_request(tickets=("PAY-1",))
    told()
    assert not github.deployments, "nothing before it begins"
    begin(promotion, cpi)
    told()
    [made] = github.deployments.values()
    assert (made["sha"], made["environment"]) == (SHA, "production/payment-api")
    assert states(github) == [["in_progress"]]
    assert made["statuses"][0]["log_url"] == f"{settings.SITE_URL}/requests/{promotion.number}/"
    succeed(promotion)
    told()
    assert states(github) == [["in_progress", "success"]]
    assert made["statuses"][1]["description"] == f"{promotion.number} (payment-api 2.1.0) is deployed to production"
    assert github.statuses[SHA]["stagepass/payment-api"]["state"] == "success", "beside status and comment"
    assert len(github.comments) == 1
    assert {each.state for each in told()} == {"done"}


def test_a_later_request_makes_the_earlier_one_inactive_and_going_back_is_no_deployment(
    github, ticket, make_request, cpi, devops, target
):
    for version in ("2.1.0", "2.2.0"):
        promotion = make_request(version=version, tickets=("PAY-1",))
        begin(promotion, cpi)
        succeed(promotion)
        told()
    assert states(github) == [["success", "inactive"], ["success"]], "a start that is over is not told"
    back = services.roll_back_request(
        promotion=services.transition.load(promotion), by=devops, reason="It broke payments"
    )
    begin(back, cpi)
    succeed(back)
    told()
    assert states(github) == [["success", "inactive"], ["success", "inactive"]]


def test_a_failed_attempt_and_the_next_one_are_two(github, ticket, make_request, cpi, devops, target):
    promotion = make_request(tickets=("PAY-1",))
    services.deployment_failed(deployment=begin(promotion, cpi), error="Out of disk")
    told()
    services.retry_deployment(promotion=services.transition.load(promotion), by=devops)
    launch(promotion)
    told()
    succeed(promotion)
    told()
    assert states(github) == [["failure"], ["in_progress", "success"]]


@pytest.mark.parametrize(("do", "how"), [("status", {"status": 500}), ("drop", {}), ("hang", {}), ("slow", {})])
@pytest.mark.parametrize("where", [f"POST {DEPLOYMENTS}", f"POST {DEPLOYMENTS}/"])
def test_trouble_leaves_one_deployment_and_each_status_once(github, ticket, make_request, cpi, target, where, do, how):
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    github.misbehave(do, only=where, **how)
    told()
    assert {each.state for each in told()} == {"done"}
    assert states(github) == [["in_progress"]]
    succeed(promotion)
    told()
    assert states(github) == [["in_progress", "success"]]


def test_one_that_was_made_before_the_worker_died_is_taken_by_the_next_fact(github, ticket, make_request, cpi, target):
    """The start is overtaken when it is tried again; its deployment is found all the same."""
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    github.misbehave("drop", only=f"POST {DEPLOYMENTS}")
    told()
    succeed(promotion)
    told()
    assert states(github) == [["success"]]


def test_what_github_refuses_is_said_with_the_remedy_and_nothing_else_suffers(
    github, ticket, make_request, cpi, target
):
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    github.may_deploy = False
    dead = told()[-1]
    assert dead.state == "dead"
    assert dead.last_error == (
        "GitHub acme answered 403: Resource not accessible by personal access token."
        " Let the token write deployments, or switch them off in the connection."
    )
    assert github.statuses[SHA]["stagepass/payment-api"]["description"].endswith("is being deployed")
    github.may_deploy = True
    succeed(promotion)
    assert told()[-1].state == "done"
    assert states(github) == [["success"]]


def test_one_that_somebody_deleted_is_made_again(github, ticket, make_request, cpi, target):
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    told()
    github.deployments.clear()
    succeed(promotion)
    assert told()[-1].state == "done"
    assert states(github) == [["success"]]


def test_only_where_the_connection_says_so(github, ticket, make_request, cpi, target):
    Connection.objects.update(deployments=False)
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    succeed(promotion)
    assert {each.state for each in told()} == {"done"}
    assert github.count(f"POST {DEPLOYMENTS}") == 0
    assert github.statuses[SHA]


def test_a_release_of_a_stamp_is_one_until_it_is_taken_back(github, shop, save, devops, cpi, settings):  # noqa: F811
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42", by=devops)
    promote_stamp(stamp=stamp, by=devops)
    told()
    assert not github.deployments
    release_stamp(stamp=load(stamp), by=cpi)
    told()
    [made] = github.deployments.values()
    assert made["environment"] == "production/shop"
    assert made["statuses"][0]["log_url"] == f"{settings.SITE_URL}/iep/shop/TKT-1/"
    revert_stamp(stamp=load(stamp), by=cpi)
    told()
    assert states(github) == [["success", "inactive"]]
    release_stamp(stamp=load(stamp), by=cpi)
    told()
    assert states(github) == [["success", "inactive"], ["success"]]


def test_a_stamp_that_a_request_releases_is_one_deployment(github, asked, cpi, devops):  # noqa: F811
    link_ticket(ticket=asked.ticket, url=f"{github.web}/pull/42", by=devops)
    services.approve_request(promotion=PromotionRequest.objects.get(number=asked.sign_off), by=cpi)
    deploy_stamp(asked.sign_off)
    told()
    assert states(github) == [["success"]]
    assert [each["environment"] for each in github.deployments.values()] == ["production/shop"]
    revert_stamp(stamp=load(asked), by=cpi)
    told()
    assert states(github) == [["success", "inactive"]]


def test_a_status_that_comes_late_says_nothing(github, ticket, make_request, cpi, target):
    promotion = make_request(tickets=("PAY-1",))
    begin(promotion, cpi)
    succeed(promotion)
    told()
    first = Delivery.objects.filter(channel__startswith="github:", fact__type="deployment.succeeded").get()
    OutsideMark.objects.filter(kind="pull comment").delete()
    Delivery.objects.filter(pk=first.pk).update(state="queued")
    told()
    assert states(github) == [["success"]]
