"""AWX's callbacks: only with a secret, never believed, and harmless whatever they say."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid

import pytest
from django.test import Client

from core.clock import now
from promotions.models import Deployment
from promotions.services.engine import follow, launch
from tests.promotions.deploying import approved, come_due, ended, launched, state_of

ADDRESS = "/webhooks/awx/job-complete"


def post(body, secret="the-new-secret", **more):
    """From outside: a client with no session and no CSRF token."""
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"X-Stagepass-Secret": secret} if secret is not None else {}
    return Client(enforce_csrf_checks=True).post(
        ADDRESS, content, content_type="application/json", headers=headers, **more
    )


@pytest.fixture
def running(pending, cpi, awx, awx_target) -> Deployment:
    """An attempt whose AWX job runs for some seconds, next looked at in a minute."""
    awx.misbehave("job", seconds=30)
    deployment = launched(approved(pending, cpi))
    return wait_a_minute(deployment)


def wait_a_minute(deployment: Deployment) -> Deployment:
    Deployment.objects.filter(pk=deployment.pk).update(next_at=now() + dt.timedelta(minutes=1))
    deployment.refresh_from_db()
    return deployment


def is_due(deployment: Deployment) -> bool:
    deployment.refresh_from_db()
    return deployment.next_at <= now()


def seed_body(deployment: Deployment, **extra_vars) -> dict:
    return {
        "job_id": int(deployment.job_id),
        "status": "successful",
        "extra_vars": {"request_id": deployment.promotion.number, **extra_vars},
        "result_stdout": "PLAY RECAP",
    }


def test_awx_own_body_makes_us_look(running, awx):
    while not (told := [body for body in awx.seen()["callbacks"] if str(running.nonce) in body["extra_vars"]]):
        time.sleep(0.05)
    started = told[0]
    assert isinstance(started["extra_vars"], str)  # as AWX writes it
    answer = post(started)
    assert (answer.status_code, answer.content) == (202, b"")
    assert is_due(running)


def test_the_smaller_body_makes_us_look_too(running):
    assert post(seed_body(running)).status_code == 202
    assert is_due(running)
    wait_a_minute(running)
    assert post(seed_body(running, nonce=str(running.nonce))).status_code == 202
    assert is_due(running)


@pytest.mark.parametrize("secret", ["the-old-secret", "the-new-secret"])
def test_each_configured_secret_is_taken(running, secret):
    assert post(seed_body(running), secret).status_code == 202


@pytest.mark.parametrize(
    "secret", [None, "", "wrong", "the-new-secret ", "the-new-secre", "the-old-secret,the-new-secret", "é"]
)
def test_any_other_is_not_and_learns_nothing(running, awx, secret):
    before = awx.seen()["requests"]
    answer = post(seed_body(running), secret)
    assert (answer.status_code, answer.content) == (401, b"")
    assert not is_due(running)
    assert awx.seen()["requests"] == before


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_configured_secret_nothing_is_taken(running, settings, secrets):
    settings.AWX_WEBHOOK_SECRETS = secrets
    for secret in (None, "", "the-new-secret"):
        assert post(seed_body(running), secret).status_code == 401
    assert not is_due(running)


def test_a_forged_success_causes_one_look_and_no_success(running, awx):
    path = f"GET /api/v2/jobs/{running.job_id}/"
    before = awx.count(path)
    post(seed_body(running, nonce=str(running.nonce)))
    follow(running)
    assert awx.count(path) == before + 1
    follow(running)  # it is not due again at once
    assert awx.count(path) == before + 1
    assert state_of(running) == ("running", "deploying")


def test_another_request_or_job_is_left_alone(running):
    for body in (
        seed_body(running, nonce=str(uuid.uuid4())),
        seed_body(running) | {"job_id": 4711},
        {"id": 1, "status": "successful", "extra_vars": json.dumps({"request_id": running.promotion.number})},
        {"status": "successful", "extra_vars": {"request_id": running.promotion.number}},
    ):
        assert post(body).status_code == 202
    assert not is_due(running)


def test_an_early_callback_does_not_take_the_launch_from_who_launches(pending, cpi, awx_target):
    deployment = approved(pending, cpi)
    lease = now() + dt.timedelta(seconds=60)
    Deployment.objects.filter(pk=deployment.pk).update(state="launching", tries=1, next_at=lease)
    body = {"id": 12, "status": "successful", "extra_vars": json.dumps({"nonce": str(deployment.nonce)})}
    assert post(body).status_code == 202
    deployment.refresh_from_db()
    assert (deployment.state, deployment.next_at) == ("launching", lease)
    assert launch(deployment) is False


def test_a_late_callback_moves_nothing(pending, cpi, awx, awx_target):
    deployment = ended(launched(approved(pending, cpi)))
    finished, requests = deployment.finished_at, len(awx.seen()["requests"])
    for status in ("failed", "running", "canceled", "successful"):
        assert post(seed_body(deployment) | {"status": status}).status_code == 202
    assert follow(come_due(deployment)) is None
    assert state_of(deployment) == ("succeeded", "deployed")
    assert deployment.finished_at == finished
    assert len(awx.seen()["requests"]) == requests


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'"text"', b"null", b"7", b"\xff\xfe", b"[" * 50_000, b'{"extra_vars": ' + b"[" * 40_000,
        b'{"a": NaN', "{\"extra_vars\": 1" ,
    ],
)  # fmt: skip
def test_what_is_no_body_of_awx_is_refused(awx_settings, db, body):
    assert post(body).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"extra_vars": None},
        {"extra_vars": "not json"},
        {"extra_vars": "[" * 10_000},
        {"extra_vars": [1, 2]},
        {"extra_vars": {"nonce": 7}},
        {"extra_vars": {"nonce": "x" * 1000}},
        {"extra_vars": {"nonce": ["a"]}},
        {"extra_vars": {"request_id": {"$ne": 1}}, "job_id": {"a": 1}},
        {"extra_vars": {"request_id": "PR-2026-0001\u0000"}, "job_id": "1\u0000"},
        {"extra_vars": {"request_id": "' OR 1=1 --"}, "job_id": "1"},
        {"extra_vars": {"request_id": "PR-2026-0001"}, "job_id": 10**30},
        {"extra_vars": {"request_id": "PR-2026-0001"}, "job_id": True},
        {"extra_vars": {"request_id": "PR-2026-0001"}, "job_id": 1.5},
    ],
)
def test_hostile_and_foolish_content_finds_nothing(running, body):
    assert post(body).status_code == 202
    assert not is_due(running)


def test_a_body_has_a_limit(running):
    body = seed_body(running)
    room = 64 * 1024 - len(json.dumps(body))
    assert post(body | {"result_stdout": "PLAY RECAP" + "x" * (room + 1)}).status_code == 413
    assert not is_due(running)
    assert post(body | {"result_stdout": "PLAY RECAP" + "x" * room}).status_code == 202


def test_only_post(awx_settings, db):
    assert Client().get(ADDRESS, headers={"X-Stagepass-Secret": "the-new-secret"}).status_code == 405


def test_it_answers_with_few_queries(running, django_assert_max_num_queries):
    body = seed_body(running)
    with django_assert_max_num_queries(2):
        assert post(body).status_code == 202
