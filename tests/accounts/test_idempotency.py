"""Idempotency-Key: once per account and key, the first answer again, in one transaction with the effect."""

from __future__ import annotations

import datetime as dt
import threading
from typing import ClassVar

import pytest
import time_machine
from django.db import OperationalError, connection, transaction
from django.test import override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import idempotency
from accounts.authentication import ANY_TOKEN
from accounts.models import ApiToken, IdempotencyRecord, Tenant
from accounts.rest import ApiView
from accounts.tasks import forget_idempotency_keys
from core.clock import now
from core.errors import Unavailable
from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.services import withdraw_request
from promotions.services.transition import load
from tests.api import REQUESTS, assert_problem, body, call_as
from tickets.services import ensure_project

KEY = "5f0c1d0e-9a53-4f0e-9d6f-3f6b8a0d9c11"


def test_the_same_again_is_answered_as_at_first(devops):
    caller = call_as(devops)
    first = caller.post(REQUESTS, body(), Idempotency_Key=KEY)
    withdraw_request(promotion=PromotionRequest.objects.get(), by=devops)
    again = caller.post(f"{REQUESTS}/", dict(reversed(body().items())), Idempotency_Key=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content, "also after it has changed"
    for header in ("Location", "ETag", "Content-Type"):
        assert again.headers[header] == first.headers[header]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert PromotionRequest.objects.count() == DomainEvent.objects.filter(type="promotion.created").count() == 1


def test_each_post_of_a_request_takes_a_key(pending, devops, cpi, target):
    address = f"{REQUESTS}/{pending.number}"
    for caller, verb, sent in (
        (call_as(devops), "comments", {"comment": "Said once"}),
        (call_as(cpi), "approve", {"comment": "Once"}),
    ):
        first = caller.post(f"{address}/{verb}", sent, Idempotency_Key=verb)
        again = caller.post(f"{address}/{verb}", sent, Idempotency_Key=verb)
        assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert [entry["action"] for entry in again.json()["status"]["history"]] == ["created", "commented", "approved"]


def test_a_part_of_the_address_may_be_called_key(devops, tenant):
    ensure_project(key="finance", by=devops, tenant=tenant)
    caller = call_as(devops)
    ticket = caller.post("/v1/tickets", {"title": "Refunds", "project_id": "finance", "execution_plan": []}).json()
    address = f"/v1/tickets/{ticket['ticket_id']}/comments"
    first = caller.post(address, {"content": "Said once"}, Idempotency_Key=KEY)
    assert first.status_code == 201, first.content
    assert caller.post(address, {"content": "Said once"}, Idempotency_Key=KEY).content == first.content


@pytest.mark.parametrize(
    ("path", "sent", "headers"),
    [
        (REQUESTS, body(target__version="9.9.9"), {}),
        ("/v1/tokens", body(), {}),
        (f"{REQUESTS}/PR-2024-0001/approve", body(), {}),
        (REQUESTS, body(), {"If_Match": '"x"'}),
    ],
)
def test_another_content_under_the_same_key_is_refused(devops, path, sent, headers):
    caller = call_as(devops)
    caller.post(REQUESTS, body(), Idempotency_Key=KEY)
    answer = caller.post(path, sent, Idempotency_Key=KEY, **headers)
    problem = assert_problem(answer, 422, "idempotency_key_reused")
    assert "new key" in problem["detail"]
    assert PromotionRequest.objects.count() == 1


def test_keys_belong_to_accounts(devops, other_devops):
    call_as(devops).post(REQUESTS, body(), Idempotency_Key=KEY)
    other = call_as(other_devops).post(REQUESTS, body(target__name="ledger"), Idempotency_Key=KEY)
    assert other.status_code == 201
    assert "Idempotency-Replayed" not in other.headers


@pytest.mark.parametrize("key", ["", " ", "with space", "ü", "x" * 256])
def test_keys_that_are_none(devops, key):
    assert_problem(call_as(devops).post(REQUESTS, body(), Idempotency_Key=key), 400, "invalid", "Idempotency-Key")
    assert not PromotionRequest.objects.exists()


def test_a_refusal_is_an_answer_too_and_leaves_nothing_else(pending, devops):
    caller = call_as(devops)
    first = caller.post(REQUESTS, body(), Idempotency_Key=KEY)
    assert_problem(first, 409, "active_request_exists")
    withdraw_request(promotion=pending, by=devops)
    again = caller.post(REQUESTS, body(), Idempotency_Key=KEY)
    assert (again.status_code, again.content) == (409, first.content)
    assert again.headers["Content-Type"] == "application/problem+json"
    assert caller.post(REQUESTS, body(), Idempotency_Key="another").status_code == 201
    assert PromotionRequest.objects.order_by("id").last().number.endswith("-0002"), "refusals use no number"


def test_what_was_refused_at_the_door_is_not_kept(devops):
    caller = call_as(devops)
    narrow = call_as(devops, ["requests:read"])
    assert_problem(narrow.post(REQUESTS, body(), Idempotency_Key=KEY), 403, "insufficient_scope")
    assert_problem(caller.post(f"{REQUESTS}?x=1", body(), Idempotency_Key=KEY), 400, "invalid")
    broken = caller.client.generic(
        "POST", REQUESTS, "{", "application/json", headers=caller.headers | {"Idempotency-Key": KEY}
    )
    assert_problem(broken, 400, "parse_error")
    assert caller.post(REQUESTS, body(), Idempotency_Key=KEY).status_code == 201


class FragileView(ApiView):
    """Begins an effect, then breaks as it is told to."""

    scopes = ANY_TOKEN
    failures: ClassVar[list[Exception]] = []

    def post(self, request: Request) -> Response:
        Tenant.objects.create(slug="half-made")
        if self.failures:
            raise self.failures[0]
        return Response({"made": True}, status=201)


handler500 = "core.problems.server_error"
urlpatterns = [path("v1/fragile", FragileView.as_view())]


@pytest.mark.parametrize(
    "failure", [Unavailable("Not now, try again later."), OperationalError("gone"), RuntimeError("bug")]
)
@override_settings(ROOT_URLCONF="tests.accounts.test_idempotency")
def test_errors_of_ours_are_not_kept(devops, failure):
    caller = call_as(devops)
    caller.client.raise_request_exception = False
    FragileView.failures = [failure]
    answer = caller.post("/v1/fragile", {}, Idempotency_Key=KEY)
    assert_problem(answer, *((500, "server_error") if isinstance(failure, RuntimeError) else (503, "unavailable")))
    assert b"bug" not in answer.content, "nothing of its insides"
    assert not IdempotencyRecord.objects.exists()
    assert not Tenant.objects.filter(slug="half-made").exists(), "what it began is undone"
    FragileView.failures = []
    for _ in range(2):
        assert caller.post("/v1/fragile", {}, Idempotency_Key=KEY).status_code == 201
    assert Tenant.objects.filter(slug="half-made").count() == 1


def test_the_secret_of_a_token_is_not_kept(devops):
    caller, wish = call_as(devops), {"name": "pipeline", "scopes": ["requests:read"]}
    first = caller.post("/v1/tokens", wish, Idempotency_Key=KEY)
    secret = first.json()["secret"]
    again = caller.post("/v1/tokens", wish, Idempotency_Key=KEY)
    assert again.json() == first.json() | {"secret": None}
    assert secret not in IdempotencyRecord.objects.get().body
    assert ApiToken.objects.filter(name="pipeline").count() == 1


def test_keys_are_forgotten_after_a_day(devops, settings):
    caller = call_as(devops)
    caller.post(REQUESTS, body(), Idempotency_Key="old")
    with time_machine.travel(now() + dt.timedelta(hours=23)):
        caller.post(REQUESTS, body(target__name="ledger"), Idempotency_Key="new")
        assert idempotency.forget_keys() == 0
    with time_machine.travel(now() + dt.timedelta(hours=25)):
        assert idempotency.forget_keys() == 1
    assert IdempotencyRecord.objects.get().key == "new"
    assert forget_idempotency_keys.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}


@pytest.mark.django_db(transaction=True)
class TestRaces:
    def test_many_at_once_take_effect_once(self, devops):
        caller, start, answers = call_as(devops), threading.Barrier(6), []

        def send():
            try:
                start.wait(10)
                answers.append(caller.post(REQUESTS, body(), Idempotency_Key=KEY))
            finally:
                connection.close()

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [answer.status_code for answer in answers] == [201] * 6
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 5
        assert PromotionRequest.objects.count() == 1

    def test_a_repeat_waits_only_so_long_for_the_first(self, devops, monkeypatch):
        monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
        caller, held, release = call_as(devops), threading.Event(), threading.Event()

        def first():
            with transaction.atomic():
                idempotency._claim(devops, KEY, "…")
                held.set()
                release.wait(20)
                transaction.set_rollback(True)
            connection.close()

        thread = threading.Thread(target=first)
        thread.start()
        held.wait(10)
        assert_problem(caller.post(REQUESTS, body(), Idempotency_Key=KEY), 409, "idempotency_key_in_use")
        release.set()
        thread.join(10)
        assert caller.post(REQUESTS, body(), Idempotency_Key=KEY).status_code == 201, "the first came to nothing"
        assert load(PromotionRequest.objects.get()).author == devops
