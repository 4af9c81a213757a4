"""Webhooks as they come in: signed or not, twice, hostile, half broken, while the worker dies; played by honest senders."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import time
import urllib.parse
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from core.clock import now
from core.errors import NotAllowed, WrongState
from events import tasks
from events.cdevents.replay import discard_letter, replay_letter
from events.cdevents.webhooks.deliveries import ATTEMPTS, due_deliveries, process_delivery
from events.cdevents.webhooks.secrets import secret_of
from events.models import DeadLetter, DomainEvent, EventSource, InboundDelivery, ReceivedEvent
from tests.events.cdevents.payloads import SHA, everything, github, gitlab, jira
from tests.tickets.conftest import make_ticket, project  # noqa: F401 (fixtures)


class FakeSender:
    """GitHub, GitLab or Jira: signs and sends as it does, from outside, with neither session nor CSRF token."""

    def __init__(self, source: EventSource, secret: str = "") -> None:
        self.source, self.secret, self.sent = source, secret or secret_of(source), 0

    def send(
        self, told: tuple[str, Any], delivery: str = "", *, raw: bytes | None = None, **changes: str
    ) -> HttpResponse:
        event, payload = told
        self.sent += 1
        body = json.dumps(payload).encode() if raw is None else raw
        headers = self.headers(event, body, delivery or f"delivery-{self.sent}")
        headers |= {name.replace("_", "-"): value for name, value in changes.items() if name != "content_type"}
        return Client(enforce_csrf_checks=True).generic(
            "POST", f"/webhooks/{self.source.kind}/{self.source.key}", body,
            content_type=changes.get("content_type", "application/json"),
            headers={name: value for name, value in headers.items() if value},
        )  # fmt: skip

    def headers(self, event: str, body: bytes, delivery: str) -> dict[str, str]:
        signature = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        if self.source.kind == "github":
            return {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery, "X-Hub-Signature-256": signature}
        if self.source.kind == "jira":
            return {"X-Atlassian-Webhook-Identifier": delivery, "X-Hub-Signature": signature}
        return {"X-Gitlab-Event": event, "X-Gitlab-Event-UUID": delivery, "X-Gitlab-Token": self.secret}


def standard_signature(secret: str, delivery: str, moment: int, body: bytes) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{delivery}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook_id": delivery, "webhook_timestamp": str(moment), "X_Gitlab_Token": "",
        "webhook_signature": "v1,AAAA v1," + base64.b64encode(signed).decode(),
    }  # fmt: skip


@pytest.fixture
def sender_for(tenant):
    def make(kind: str, **columns: Any) -> FakeSender:
        return FakeSender(EventSource.objects.create(tenant=tenant, kind=kind, name="acme", **columns))

    return make


@pytest.fixture
def from_github(sender_for) -> FakeSender:
    return sender_for("github")


def work() -> list[str]:
    """What the worker does with all that is due."""
    return [process_delivery(delivery_id=number) for number in due_deliveries()]


def test_every_kind_of_delivery_is_kept_at_once_and_received_later(sender_for, make_ticket):  # noqa: F811
    make_ticket("CORE-7")
    senders = {kind: sender_for(kind) for kind in ("github", "gitlab", "jira")}
    for kind, event, payload in everything():
        answer = senders[kind].send((event, payload))
        assert (answer.status_code, answer.json()) == (202, {"status": "queued"}), (kind, event, answer.content)
    assert not ReceivedEvent.objects.exists(), "nothing is worked on while the sender waits"
    notes = work()
    assert len(notes) == len(everything())
    assert {note for note in notes if "refused" in note} == set()
    assert not DeadLetter.objects.exists()
    told = DomainEvent.objects.filter(type="event.received")
    assert told.count() == ReceivedEvent.objects.count() > 15
    named = {(fact.data["event"]["subject"], key) for fact in told for key in fact.data["tickets"]}
    assert {("change", "CORE-7"), ("pipelinerun", "CORE-7"), ("service", "CORE-7"), ("ticket", "CORE-7"),
            ("stagepass-commit", "CORE-7"), ("artifact", "CORE-7"), ("branch", "CORE-7")} <= named  # fmt: skip
    assert {fact.actor_label for fact in told} == {"system"}
    assert EventSource.objects.filter(last_seen_at=None).count() == 0


def test_the_same_delivery_counts_once_however_often_it_comes(from_github):
    assert [from_github.send(github("pull_request"), "d-1").status_code for _ in range(3)] == [202, 200, 200]
    work()
    assert from_github.send(github("pull_request"), "d-1").status_code == 200
    assert work() == []
    assert ReceivedEvent.objects.count() == 1
    from_github.send(github("push"), "d-2")
    from_github.send(github("push"), "d-3")
    assert work() == ["2 accepted.", "2 duplicate."]


def test_without_an_id_the_content_tells_a_repetition(sender_for):
    sender = sender_for("jira")
    codes = [sender.send(jira(), X_Atlassian_Webhook_Identifier="").status_code for _ in range(2)]
    assert codes == [202, 200]


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira"])
def test_only_who_has_the_secret(sender_for, kind):
    sender = sender_for(kind)
    told = {"github": github("push"), "gitlab": gitlab("push"), "jira": jira()}[kind]
    header = {"github": "X_Hub_Signature_256", "gitlab": "X_Gitlab_Token", "jira": "X_Hub_Signature"}[kind]
    for wrong in ("", "sha256=", "sha256=" + "0" * 64, "Ä", sender.secret[:-1]):
        assert sender.send(told, **{header: wrong}).status_code == 401
    assert FakeSender(sender.source, "whsec_guess").send(told).status_code == 401
    assert not InboundDelivery.objects.exists()
    assert sender.send(told).status_code == 202


def test_a_changed_body_breaks_the_signature(from_github):
    event, payload = github("push")
    good = from_github.headers(event, json.dumps(payload).encode(), "d")
    answer = from_github.send((event, payload), raw=json.dumps(payload | {"ref": "refs/heads/x"}).encode(), **{
        name.replace("-", "_"): value for name, value in good.items()
    })  # fmt: skip
    assert answer.status_code == 401


def test_the_signature_is_over_the_bytes_not_over_what_they_mean(from_github):
    event, payload = github("push")
    assert (
        from_github.send((event, payload), raw=json.dumps(payload, indent=7, ensure_ascii=False).encode()).status_code
        == 202
    )


def test_gitlab_may_sign_by_standard_webhooks(sender_for):
    sender = sender_for("gitlab")
    told = gitlab("push")
    body, moment = json.dumps(told[1]).encode(), int(time.time())
    assert sender.send(told, **standard_signature(sender.secret, "m-1", moment, body)).status_code == 202
    assert sender.send(told, **standard_signature(sender.secret, "m-1", moment, body)).status_code == 200
    for wrong in (
        standard_signature(sender.secret, "m-2", moment - 3600, body),
        standard_signature(sender.secret, "m-2", moment, body + b" "),
        standard_signature(sender.secret, "m-2", moment, body) | {"webhook_id": "m-3"},
        standard_signature(sender.secret, "m-2", moment, body) | {"webhook_timestamp": "soon"},
        standard_signature("whsec_AAAA", "m-2", moment, body),
    ):
        assert sender.send(told, **wrong).status_code == 401
    assert InboundDelivery.objects.get().delivery_id == "m-1"


def test_a_new_site_key_leaves_earlier_secrets_valid_while_it_is_named(sender_for, settings):
    sender = sender_for("github")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "n" * 60
    assert sender.send(github("push")).status_code == 202
    settings.SECRET_KEY_FALLBACKS = []
    assert sender.send(github("push")).status_code == 401


def test_a_new_edition_of_the_secret_ends_the_old_one(from_github):
    EventSource.objects.update(edition=2)
    assert from_github.send(github("push")).status_code == 401
    assert FakeSender(EventSource.objects.get()).send(github("push")).status_code == 202


def test_addresses_that_are_none(from_github, sender_for):
    sender_for("gitlab", active=False)
    assert Client().post("/webhooks/github/11111111-1111-4111-8111-111111111111").status_code == 404
    assert Client().post(f"/webhooks/gitlab/{from_github.source.key}").status_code == 404
    assert Client().get(f"/webhooks/github/{from_github.source.key}").status_code == 405
    EventSource.objects.update(active=False)
    assert from_github.send(github("push")).status_code == 404


def test_bodies_that_are_none(from_github):
    for raw in (b"", b"  ", b"\xff\xfe"):
        assert from_github.send(("push", None), raw=raw).status_code == 400
    assert from_github.send(("push", None), raw=b" " * (5 * 1024 * 1024 + 1)).status_code == 413
    assert not InboundDelivery.objects.exists()


def test_githubs_form_is_read_too(from_github):
    event, payload = github("push")
    form = urllib.parse.urlencode({"payload": json.dumps(payload)}).encode()
    assert (
        from_github.send((event, None), raw=form, content_type="application/x-www-form-urlencoded").status_code == 202
    )
    assert work() == ["2 accepted."]


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"a": NaN}', b'{"repository": {}}', b'{"a": "\x00"}', b'{"a": "\\u0000"}']
)
def test_what_cannot_be_mapped_is_a_dead_letter_with_the_whole_payload(from_github, raw):
    assert from_github.send(("push", None), raw=raw).status_code == 202
    work()
    letter = DeadLetter.objects.get()
    assert letter.code in {"unreadable", "unmappable"}
    assert letter.raw == raw.decode().replace("\x00", "\\x00")
    assert letter.delivery.state == "dead"
    assert work() == []


def test_a_dead_delivery_is_played_again_once_it_can_be_mapped(from_github, devops, viewer):
    from_github.send(github("push"), raw=b"{}")
    work()
    letter = DeadLetter.objects.get()
    with pytest.raises(NotAllowed):
        replay_letter(letter=letter, by=viewer)
    with pytest.raises(Exception, match=r"repository\.html_url"):
        replay_letter(letter=letter, by=devops)
    letter.refresh_from_db()
    assert (letter.tries, letter.state) == (1, "waiting")
    InboundDelivery.objects.update(body=json.dumps(github("push")[1]))  # as if our mapper understood it now
    settled = replay_letter(letter=letter, by=devops)
    assert (settled.state, settled.tries, settled.settled_by) == ("replayed", 2, devops)
    assert ReceivedEvent.objects.count() == 2
    assert DomainEvent.objects.filter(type="dead_letter.replayed").count() == 1
    with pytest.raises(WrongState):
        replay_letter(letter=letter, by=devops)
    with pytest.raises(WrongState):
        discard_letter(letter=letter, by=devops)


def test_an_error_of_ours_is_tried_again_and_then_kept_aside(from_github, settings, devops):
    from_github.send(github("push"))
    resolver, settings.TICKET_MENTIONS = settings.TICKET_MENTIONS, "tickets.selectors.gone"
    for _ in range(ATTEMPTS):
        InboundDelivery.objects.update(next_at=now())
        assert ["gone" in note for note in work()] == [True]
        assert work() == [], "the next attempt waits"
    letter = DeadLetter.objects.get()
    assert (letter.code, letter.delivery.state, letter.delivery.attempts) == ("server_error", "dead", ATTEMPTS)
    settings.TICKET_MENTIONS = resolver
    assert replay_letter(letter=letter, by=devops).state == "replayed"
    assert ReceivedEvent.objects.count() == 2


def test_the_same_commit_twice_in_a_push_is_one_event(from_github):
    from_github.send(github("push", commits=[{"id": SHA, "message": "x"}] * 3))
    assert work() == ["1 accepted, 2 duplicate."]


def test_a_lost_doorbell_is_made_up_for(from_github):
    from_github.send(github("push"))
    tasks.sweep_inbound()
    assert tasks.process_delivery(InboundDelivery.objects.get().pk) == "2 accepted."
    InboundDelivery.objects.update(state="queued", next_at=now() + dt.timedelta(minutes=1))
    assert due_deliveries() == []
    assert tasks.process_delivery(InboundDelivery.objects.get().pk) == "", "also not for who asks for it"


def test_the_dry_run_stores_nothing(from_github, devops, make_ticket):  # noqa: F811
    from tests.api import call_as

    make_ticket("CORE-7")
    event, payload = github("push")
    caller = call_as(devops)
    told = caller.post("/v1/webhooks/dry-run", {"kind": "github", "event": event, "payload": payload})
    assert told.status_code == 200, told.content
    first, second = told.json()
    assert (first["tickets"], first["fault"]) == (["CORE-7"], "")
    assert [command["command"] for command in first["commands"]] == ["comment", "time"]
    assert second["tickets"] == []
    assert not ReceivedEvent.objects.exists()
    assert not InboundDelivery.objects.exists()
    refused = caller.post("/v1/webhooks/dry-run", {"kind": "github", "event": "push", "payload": {}})
    assert (refused.status_code, refused.json()["code"]) == (400, "unmappable")
