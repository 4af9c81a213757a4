"""A stamp on its way moves the ticket's issue in Jira, keeps a pull request's comment up to date, and is told in Slack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.clock import now
from events import outbox
from events.connections import calls
from events.connections.services import save_connection
from events.models import ChainEdge, ChainNode, ChainStatement, ChannelHealth, Connection, Delivery, Subscription
from iep.services import promote_stamp, release_stamp, revert_stamp
from iep.services.change import load
from tests.events.slack.conftest import deliver as deliver_slack
from tests.events.slack.conftest import only_message, slack  # noqa: F401 (fixtures)
from tests.fakes.github import SHA, GitHub
from tests.fakes.jira import Jira
from tests.tickets.outside.conftest import connect
from tickets.models import TicketIssue
from tickets.services import link_ticket


@pytest.fixture(autouse=True)
def _this_machine_may_be_called(settings, monkeypatch):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    monkeypatch.setattr(calls, "CALL_SECONDS", 1.0)


@pytest.fixture
def github(tenant, root) -> Iterator[GitHub]:
    with GitHub() as github:
        connection = Connection(tenant=tenant, kind="github", name="acme", url=github.url, places="acme")
        save_connection(connection=connection, by=root, secret=github.token)
        github.connection, github.web = connection, f"{github.url}/acme/shop"
        yield github


def deliver(kind: str) -> list[Delivery]:
    """Whatever waits for the Jiras or GitHubs, now."""
    outbox.route_facts()
    lanes = {f"{kind}:{pk}" for pk in Connection.objects.filter(kind=kind).values_list("pk", flat=True)}
    Delivery.objects.filter(channel__in=lanes, state="queued").update(next_at=now())
    ChannelHealth.objects.update(rests_until=None)
    for lane in lanes:
        outbox.deliver_channel(lane)
    return list(Delivery.objects.filter(channel__in=lanes).order_by("pk"))


def test_a_promotion_moves_the_issue_and_shows_the_preview(tenant, root, shop, save, devops, cpi, settings):
    with Jira() as jira:
        stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
        pair = connect(jira, tenant, root, shop.project, devops)
        issue = jira.create("SHOP-1")
        TicketIssue.objects.create(
            ticket=stamp.ticket, jira=pair, connection=pair.connection, issue_id=issue["id"], key="SHOP-1"
        )
        jira.move("SHOP-1", "In Progress")
        promote_stamp(stamp=stamp, by=devops)
        deliver("jira")
        assert issue["fields"]["status"]["name"] == "In Review"
        assert issue["links"]["stagepass:TKT-1:shop"]["url"] == f"{settings.SITE_URL}/apps/shop/?qa=TKT-1"
        [comment] = issue["comments"]
        assert "TKT-1 can be tested in QA on Shop." in str(comment["body"])
        assert "?qa=TKT-1" in str(comment["body"])
        release_stamp(stamp=load(stamp), by=cpi)
        deliver("jira")
        assert issue["fields"]["status"]["name"] == "Done"
        assert "TKT-1 is in production of Shop." in str(issue["comments"][-1]["body"])
        assert not Delivery.objects.filter(channel__startswith="jira:").exclude(state="done").exists()


def test_a_pull_request_has_one_comment_and_its_head_a_status(github, save, devops, cpi, settings):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42", by=devops, kind="pull_request")
    promote_stamp(stamp=stamp, by=devops)
    deliver("github")
    [comment] = github.comments.values()
    assert f"[preview]({settings.SITE_URL}/apps/shop/?qa=TKT-1)" in comment["body"]
    mark = github.statuses[SHA]["stagepass/shop"]
    assert (mark["state"], mark["description"]) == ("pending", "TKT-1 is in QA")
    assert mark["target_url"] == f"{settings.SITE_URL}/apps/shop/?qa=TKT-1"
    release_stamp(stamp=load(stamp), by=cpi)
    deliver("github")
    [comment] = github.comments.values()
    assert "TKT-1 is in production" in comment["body"]
    assert "preview" not in comment["body"]
    assert github.statuses[SHA]["stagepass/shop"]["state"] == "success"
    assert not Delivery.objects.filter(channel__startswith="github:").exclude(state="done").exists()


def test_a_request_that_names_the_ticket_is_a_line_of_the_same_comment(github, save, make_request, devops, cpi):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42/files", by=devops, kind="pull_request")
    promote_stamp(stamp=stamp, by=devops)
    promotion = make_request(tickets=("TKT-1",))
    deliver("github")
    [comment] = github.comments.values()
    assert "TKT-1 is in QA" in comment["body"]
    assert f"{promotion.number} (payment-api 2.1.0) waits for approval" in comment["body"]
    assert set(github.statuses[SHA]) == {"stagepass/shop", "stagepass/payment-api"}


def test_a_change_that_the_chain_knows_is_found_without_a_link(github, tenant, save, devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    said = ChainStatement.objects.create(tenant=tenant, ref="cdevent:1", version=1)
    one = ChainNode.objects.create(tenant=tenant, kind="ticket", key="TKT-1")
    other = ChainNode.objects.create(tenant=tenant, kind="commit", key=SHA, url=f"{github.web}/commit/{SHA}")
    ChainEdge.objects.create(statement=said, from_node=one, to_node=other, kind="names")
    promote_stamp(stamp=stamp, by=devops)
    deliver("github")
    assert github.statuses[SHA]["stagepass/shop"]["state"] == "pending"
    assert not github.comments, "a commit by itself has no conversation"


def test_nothing_that_is_not_linked_or_not_this_connections_is_touched(github, save, devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    for url in ("https://github.com/acme/shop/pull/42", f"{github.url}/rival/shop/pull/42", f"{github.web}/issues/42"):
        link_ticket(ticket=stamp.ticket, url=url, by=devops)
    promote_stamp(stamp=stamp, by=devops)
    assert {each.receipt["skipped"] for each in deliver("github")} == {"no commit or pull request is linked"}
    assert github.calls == []


@pytest.mark.parametrize(("do", "how"), [("status", {"status": 502}), ("drop", {}), ("hang", {})])
def test_trouble_leaves_one_comment(github, save, devops, do, how):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42", by=devops)
    promote_stamp(stamp=stamp, by=devops)
    github.misbehave(do, only="POST /repos/acme/shop/issues/42/comments", **how)
    assert "queued" in {each.state for each in deliver("github")}
    for _ in range(3):
        deliveries = deliver("github")
    assert {each.state for each in deliveries} == {"done"}
    [comment] = github.comments.values()
    assert "TKT-1 is in QA" in comment["body"]


def test_a_limit_that_is_used_up_rests_until_github_says(github, save, devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42", by=devops)
    reset = int(now().timestamp()) + 600
    headers = {"x_ratelimit_remaining": 0, "x_ratelimit_reset": reset}
    github.misbehave("status", status=403, headers=headers)
    outbox.route_facts()
    lane = f"github:{github.connection.pk}"
    outbox.deliver_channel(lane)
    health = ChannelHealth.objects.get(channel=lane)
    assert health.rests_until is not None
    assert 500 < (health.rests_until - now()).total_seconds() <= 600


def test_a_comment_someone_deleted_is_made_again(github, save, devops):
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    link_ticket(ticket=stamp.ticket, url=f"{github.web}/pull/42", by=devops)
    promote_stamp(stamp=stamp, by=devops)
    deliver("github")
    github.comments.clear()
    revert_stamp(stamp=load(stamp), by=devops)
    deliver("github")
    [comment] = github.comments.values()
    assert "is back in dev" in comment["body"]


def test_slack_hears_of_stamps_where_it_subscribed(slack, save, devops):  # noqa: F811
    Subscription.objects.create(channel="slack", target="#releases", patterns=["stamp.promoted", "stamp.released"])
    stamp = save("TKT-1", {"src/cart.js": b"new"}).stamp
    promote_stamp(stamp=stamp, by=devops)
    deliver_slack()
    assert only_message(slack)["text"] == "TKT-1 on Shop: stamp.promoted"
