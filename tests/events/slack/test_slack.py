"""Slack: one message for each request, decisions from its buttons under the same rules, and a Slack that misbehaves."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time

import pytest

from core.clock import now
from events import outbox
from events.models import (
    ChannelHealth,
    Delivery,
    DomainEvent,
    SlackAccount,
    SlackCall,
    SlackCode,
    SlackMessage,
    Subscription,
)
from events.slack.accounts import make_code
from events.slack.signatures import SIGNATURE_HEADER, TIME_HEADER, sign
from promotions.models import PromotionRequest
from promotions.services import approve_request, edit_request, reject_request
from tests.conftest import content
from tests.events.slack.conftest import SECRET, deliver, only_message, work


def buttons(message: dict) -> list[str]:
    return [
        each["action_id"] for block in message["blocks"] if block["type"] == "actions" for each in block["elements"]
    ]


def state(promotion: PromotionRequest) -> str:
    return PromotionRequest.objects.get(pk=promotion.pk).state


def said(slack) -> str:
    return slack.whispers[-1]["text"]


def test_one_message_for_each_request_updated_in_place(slack, pending, cpi):
    deliver()
    message = only_message(slack)
    assert pending.number in message["blocks"][0]["text"]["text"]
    assert buttons(message) == ["approve", "reject", "open"]
    approve_request(promotion=pending, by=cpi, comment="Looks right")
    deliver()
    message = only_message(slack)
    assert "Approved" in message["blocks"][0]["text"]["text"]
    assert "cpi@example.com: Looks right" in message["blocks"][2]["elements"][0]["text"]
    assert buttons(message) == ["open"]


def test_several_facts_that_waited_are_one_call(slack, pending, cpi):
    approve_request(promotion=pending, by=cpi)
    assert deliver() == 2
    assert slack.calls == ["chat.postMessage"]
    assert "skipped" in Delivery.objects.filter(channel="slack").latest("pk").receipt


def test_approve_by_a_click(slack, linked, pending, cpi):
    deliver()
    assert slack.click(only_message(slack)["ts"], "approve") == 200
    assert state(pending) == "pending", "nothing is done before the answer"
    work()
    assert state(pending) == "approved"
    fact = DomainEvent.objects.get(type="promotion.approved")
    assert (fact.actor_label, fact.surface) == ("cpi@example.com", "slack")
    assert said(slack) == f"You approved {pending.number}."


def test_reject_asks_for_a_reason(slack, linked, pending):
    deliver()
    slack.click(only_message(slack)["ts"], "reject")
    work()
    [key] = slack.views
    assert slack.views[key]["blocks"][0]["element"]["min_length"] == 10
    assert slack.submit(key, reason="Refunds are not tested") == 200
    work()
    promotion = PromotionRequest.objects.get(pk=pending.pk)
    assert (promotion.state, promotion.rejection_reason) == ("rejected", "Refunds are not tested")
    assert slack.whispers[-1] == {"user": "U0JEAN", "text": f"You rejected {pending.number}."}


def test_a_reason_that_is_too_short_is_refused_by_the_same_rule(slack, linked, pending):
    deliver()
    slack.click(only_message(slack)["ts"], "reject")
    work()
    slack.submit(next(iter(slack.views)), reason="No")
    work()
    assert state(pending) == "pending"
    assert "10" in said(slack)


def test_nobody_approves_their_own_request_here_either(slack, linked, pending):
    deliver()
    for action in ("approve", "reject"):
        slack.click(only_message(slack)["ts"], action, "U0PIERRE")
        work()
        assert "your own request" in said(slack)
    assert state(pending) == "pending"
    assert not slack.views


def test_an_old_message_approves_no_new_content(slack, linked, pending, devops):
    deliver()
    old = {"value": PromotionRequest.objects.get(pk=pending.pk).digest}
    edit_request(promotion=pending, content=content(version="6.6.6"), by=devops)
    deliver()
    slack.click(only_message(slack)["ts"], "approve", **old)
    work()
    assert state(pending) == "pending"
    assert "changed since you reviewed it" in said(slack)
    slack.click(only_message(slack)["ts"], "approve", value="")
    work()
    assert state(pending) == "pending", "no digest is no approval"


@pytest.mark.parametrize("impact", ["high", "critical"])
def test_what_matters_much_is_decided_on_its_page(slack, linked, make_request, impact):
    promotion = make_request(impact=impact)
    deliver()
    message = only_message(slack)
    assert buttons(message) == ["open"]
    slack.click(message["ts"], "open", action_id="approve", value=promotion.digest)
    work()
    assert (state(promotion), "on the page" in said(slack)) == ("pending", True)


def test_a_stranger_is_told_to_link_once(slack, linked, pending, cpi_admin):
    deliver()
    slack.click(only_message(slack)["ts"], "approve", "U0CLAIRE")
    work()
    assert (state(pending), "/profile/#slack" in said(slack)) == ("pending", True)
    code = make_code(by=cpi_admin)
    slack.command(f"link {code}", "U0CLAIRE")
    work()
    assert "cpi_admin@example.com" in said(slack)
    slack.click(only_message(slack)["ts"], "approve", "U0CLAIRE")
    work()
    assert state(pending) == "approved"


def test_a_code_is_good_once_for_ten_minutes_and_for_one_person(slack, linked, cpi_admin, viewer):
    old = make_code(by=cpi_admin)
    code = make_code(by=cpi_admin)
    slack.command(f"link {old}", "U0CLAIRE")
    work()
    assert "not valid" in said(slack)
    slack.command(f"link {code}", "U0JEAN")
    work()
    assert "linked already" in said(slack)
    assert SlackAccount.objects.count() == 2
    slack.command(f"link {code.lower()}", "U0CLAIRE")
    work()
    slack.command(f"link {code}", "U0VICTOR")
    work()
    assert "not valid" in said(slack)
    late = make_code(by=viewer)
    SlackCode.objects.update(expires_at=now() - dt.timedelta(seconds=1))
    slack.command(f"link {late}", "U0VICTOR")
    work()
    assert "not valid" in said(slack)


def test_a_closed_account_acts_no_more(slack, linked, pending, cpi):
    deliver()
    cpi.is_active = False
    cpi.save()
    slack.click(only_message(slack)["ts"], "approve")
    work()
    assert state(pending) == "pending"


def test_the_same_call_again_does_nothing(slack, linked, pending):
    deliver()
    sent: list = []
    through = slack.post_to_app
    slack.post_to_app = lambda *call: (sent.append(call), through(*call))[1]
    slack.click(only_message(slack)["ts"], "approve")
    assert through(*sent[0]) == 200
    assert SlackCall.objects.count() == 1
    work()
    assert DomainEvent.objects.filter(type="promotion.approved").count() == 1


@pytest.mark.parametrize("forgery", ["secret", "old", "unsigned", "changed"])
def test_forged_calls_are_turned_away(slack, linked, pending, client, forgery):
    moment = int(time.time()) - (301 if forgery == "old" else 0)
    body = b"payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A%5B%7B%7D%5D%7D"
    signature = sign("guessed" if forgery == "secret" else SECRET, str(moment), body)
    headers = {} if forgery == "unsigned" else {TIME_HEADER: str(moment), SIGNATURE_HEADER: signature}
    sent = body + b"&x=1" if forgery == "changed" else body
    answer = client.post(
        "/webhooks/slack/actions", sent, content_type="application/x-www-form-urlencoded", headers=headers
    )
    assert (answer.status_code, SlackCall.objects.count()) == (401, 0)


@pytest.mark.parametrize(
    "body", ["", "payload=", "payload=[]", "payload=%7B%7D", "payload=nonsense", "payload=" + "[" * 99]
)
def test_odd_bodies_harm_nothing(slack, client, body):
    stamp = str(int(time.time()))
    headers = {TIME_HEADER: stamp, SIGNATURE_HEADER: sign(SECRET, stamp, body.encode())}
    for where in ("actions", "commands"):
        answer = client.post(
            f"/webhooks/slack/{where}", body, content_type="application/x-www-form-urlencoded", headers=headers
        )
        assert answer.status_code in {200, 400}
    work()


def test_what_is_typed_there(slack, linked, pending, cpi):
    slack.command("approvals")
    work()
    assert pending.number in said(slack)
    slack.command("approvals", "U0PIERRE")
    work()
    assert said(slack) == "Nothing waits for your decision."
    slack.command("ticket NONE-1")
    work()
    assert "NONE-1" in said(slack) or "no ticket" in said(slack).lower()
    slack.command("help")
    work()
    assert "/stagepass approvals" in said(slack)
    slack.command("approvals", "U0CLAIRE")
    work()
    assert "/profile/#slack" in said(slack)


def test_retry_after_is_obeyed_for_the_whole_channel(slack, pending, make_request):
    slack.misbehave("status", status=429, retry_after=120)
    deliver()
    assert 100 < (ChannelHealth.objects.get().rests_until - now()).total_seconds() <= 120
    make_request(target_name="b")
    outbox.route_facts()
    assert outbox.deliver_channel("slack") == 0
    assert slack.calls == ["chat.postMessage"]


@pytest.mark.parametrize("error", ["is_archived", "channel_not_found", "invalid_blocks"])
def test_what_slack_will_never_take_is_given_up_with_its_reason(slack, pending, error):
    slack.misbehave("error", error=error)
    deliver()
    dead = Delivery.objects.get(channel="slack")
    assert (dead.state, error in dead.last_error) == ("dead", True)


@pytest.mark.parametrize("how", [{"do": "status", "status": 500}, {"do": "error", "error": "token_revoked"}])
def test_trouble_that_would_meet_all_lets_the_channel_rest(slack, pending, how):
    slack.misbehave(**how)
    deliver()
    assert (Delivery.objects.get(channel="slack").state, ChannelHealth.objects.get().failures) == ("queued", 1)
    assert deliver() == 1
    assert len(slack.messages) == 1


def test_a_slack_that_is_down_and_then_slow_gets_it_in_the_end(slack, pending, settings):
    there = settings.SLACK_API
    settings.SLACK_API = "http://127.0.0.1:9/api/"
    deliver()
    assert (Delivery.objects.get(channel="slack").state, ChannelHealth.objects.get().failures) == ("queued", 1)
    settings.SLACK_API = there
    slack.misbehave("slow")
    assert deliver() == 1
    assert slack.calls.count("chat.postMessage") == 1


def test_messages_that_were_never_tried_are_not_looked_for(slack, pending, make_request):
    make_request(target_name="b")
    make_request(target_name="c")
    slack.misbehave("status", status=503)
    deliver()
    assert SlackMessage.objects.count() == 1, "only the one that was tried may be there already"
    assert deliver() == 3
    assert slack.calls.count("conversations.history") == 1
    assert len(slack.messages) == 3


def test_a_slack_that_hangs_holds_up_nobody(slack, pending, monkeypatch, cpi):
    monkeypatch.setattr("events.slack.client.TIMEOUT", 0.5)
    slack.misbehave("hang")
    deliver()
    assert Delivery.objects.get(channel="slack").state == "queued"
    assert outbox.deliver_channel("email") >= 1


def test_an_answer_that_was_lost_makes_no_second_message(slack, pending):
    slack.misbehave("drop")
    deliver()
    assert len(slack.messages) == 1
    assert SlackMessage.objects.get().ts == ""
    assert deliver() == 1
    assert len(slack.messages) == 1
    assert slack.calls == ["chat.postMessage", "conversations.history", "chat.update"]


def test_a_message_that_was_deleted_there_is_posted_anew(slack, pending, cpi):
    deliver()
    slack.messages.clear()
    reject_request(promotion=pending, by=cpi, reason="Not before the audit")
    assert deliver() == 1
    assert "Rejected" in only_message(slack)["text"]


def test_subscriptions_say_which_channel_hears_of_what(slack, settings, tenant, other_tenant, make_request, make_user):
    settings.SLACK_CHANNEL = ""
    wish = {"channel": "slack", "target": "C0OTHER", "patterns": ["promotion.*"]}
    Subscription.objects.create(tenant=tenant, severity=2, **wish)
    make_request(impact="low")
    make_request(impact="medium", target_name="b")
    deliver()
    assert [message["channel"] for message in slack.messages.values()] == ["C0OTHER"]
    assert "b" in only_message(slack)["text"]


def test_people_cannot_mention_everyone_or_forge_links(slack, make_request):
    make_request(justification="<!channel> click <https://evil.example|here> please, it is urgent")
    deliver()
    text = only_message(slack)["blocks"][1]["text"]["text"]
    assert text.startswith("&lt;!channel&gt; click &lt;https")


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_slack_took_it_leaves_one_message(slack, pending, settings):
    outbox.route_facts()
    database = settings.DATABASES["default"]
    url = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )
    environment = os.environ | {
        "DATABASE_URL": url, "SLACK_TOKEN": "xoxb-token", "SLACK_API": settings.SLACK_API, "SLACK_CHANNEL": "#releases",
        "FAILPOINT": "after_slack_post:kill",
    }  # fmt: skip
    script = "import django; django.setup(); from events import outbox; outbox.deliver_channel('slack')"
    killed = subprocess.run([sys.executable, "-c", script], env=environment, timeout=60, check=False)
    assert (killed.returncode, len(slack.messages)) == (-9, 1)
    Delivery.objects.filter(state="sending").update(lease_until=now() - dt.timedelta(seconds=1))
    assert deliver() == 1
    assert len(slack.messages) == 1
