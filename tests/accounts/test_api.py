"""REST about oneself: who am I, and my tokens."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from accounts.models import ApiToken
from accounts.roles import ROLES, Role
from accounts.scopes import SCOPES
from accounts.services import grant_role, issue_token
from core.clock import now
from tests.api import REQUESTS, Caller, assert_problem, call_as

TOKENS = "/v1/tokens"
WISH = {"name": "release pipeline", "scopes": ["requests:read", "requests:write"]}


def test_me(devops, other_tenant):
    grant_role(user=devops, tenant=other_tenant, role=Role.VIEWER)
    me = call_as(devops, ["requests:read"]).get("/v1/me").json()
    assert (me["email"], me["name"], me["id"]) == (devops.email, "Devops", str(devops.public_id))
    assert me["everywhere"] == []
    assert [(tenant["slug"], tenant["roles"]) for tenant in me["tenants"]] == [
        ("tenant-finance", ["devops"]), ("tenant-retail", ["viewer"]),
    ]  # fmt: skip
    assert set(me["tenants"][0]["capabilities"]) == {capability.value for capability in ROLES[Role.DEVOPS]}
    assert me["token"]["scopes"] == ["requests:read"]
    assert "secret" not in me["token"]


def test_me_of_people_who_reach_everything(cpi_admin, root, other_tenant):
    me = call_as(cpi_admin).get("/v1/me").json()
    assert set(me["everywhere"]) == {capability.value for capability in ROLES[Role.CPI_ADMIN]}
    assert [tenant["slug"] for tenant in me["tenants"]] == ["tenant-finance"]
    assert "decide_promotion" in call_as(root).get("/v1/me").json()["everywhere"]


def test_a_token_is_shown_once_and_works_until_revoked(devops):
    caller = call_as(devops)
    answer = caller.post(TOKENS, WISH)
    assert answer.status_code == 201
    issued = answer.json()
    secret = issued.pop("secret")
    assert secret.startswith(issued["hint"])
    assert issued["scopes"] == WISH["scopes"]
    assert answer.headers["Location"] == f"{TOKENS}/{issued['id']}"
    assert not ApiToken.objects.filter(digest__contains=secret[3:]).exists(), "only its digest is kept"
    assert secret.encode() not in caller.get(TOKENS).content
    assert caller.get(answer.headers["Location"]).json() == issued

    assert Caller(secret).get(REQUESTS).status_code == 200
    assert_problem(Caller(secret).get(TOKENS), 403, "insufficient_scope")
    for _ in range(2):
        assert caller.call("DELETE", answer.headers["Location"]).status_code == 204
    assert_problem(Caller(secret).get(REQUESTS), 401, "authentication_failed")
    assert caller.get(answer.headers["Location"]).json()["revokedAt"] is not None


def test_a_runaway_script_is_slowed_down_and_readers_are_not(devops, cpi, settings):
    settings.API_CHANGES_PER_MINUTE = 2
    with time_machine.travel(dt.datetime(2030, 1, 1, 12, 0, 50, tzinfo=dt.UTC), tick=False):
        caller = call_as(devops)
        answers = [caller.post(TOKENS, WISH) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert_problem(answers[2], 429, "throttled")
        assert answers[2].headers["Retry-After"] == "11"
        assert_problem(call_as(devops).post(TOKENS, WISH), 429, "throttled")
        assert call_as(cpi).post(TOKENS, WISH).status_code == 201, "each account has its own count"
        assert caller.get(TOKENS).status_code == 200
    with time_machine.travel(dt.datetime(2030, 1, 1, 12, 1, 1, tzinfo=dt.UTC), tick=False):
        assert caller.post(TOKENS, WISH).status_code == 201


def test_without_the_cache_nothing_is_refused(devops, settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/1"}}
    assert call_as(devops).post(TOKENS, WISH).status_code == 201


def test_tokens_of_others_do_not_exist_for_me(devops, cpi, root):
    mine, _ = issue_token(user=devops, name="mine", scopes=["requests:read"])
    for user in (cpi, root):
        for method in ("GET", "DELETE"):
            assert_problem(call_as(user).call(method, f"{TOKENS}/{mine.pk}"), 404, "not_found")
        assert mine.pk not in {token["id"] for token in call_as(user).get(TOKENS).json()}
    assert_problem(call_as(cpi).get(f"{TOKENS}/{2**70}"), 404, "not_found")
    mine.refresh_from_db()
    assert mine.revoked_at is None


def test_a_token_cannot_issue_more_than_it_has(devops):
    narrow = call_as(devops, ["tokens:manage", "requests:read"])
    assert_problem(narrow.post(TOKENS, WISH), 403, "insufficient_scope", "scopes")
    assert narrow.post(TOKENS, WISH | {"scopes": ["requests:read"]}).status_code == 201


def test_a_token_cannot_issue_what_outlives_it(devops):
    end = now() + dt.timedelta(hours=1)
    _, secret = issue_token(user=devops, name="short", scopes=list(SCOPES), expires_at=end)
    caller = Caller(secret)
    assert_problem(caller.post(TOKENS, WISH), 403, "outlives_issuer", "expiresAt")
    later = (end + dt.timedelta(minutes=1)).isoformat()
    assert_problem(caller.post(TOKENS, WISH | {"expiresAt": later}), 403, "outlives_issuer", "expiresAt")
    sooner = (end - dt.timedelta(minutes=1)).isoformat()
    assert caller.post(TOKENS, WISH | {"expiresAt": sooner}).status_code == 201


def test_a_session_may_issue_any(client, devops):
    client.force_login(devops)
    answer = client.post(TOKENS, WISH | {"scopes": list(SCOPES)}, content_type="application/json")
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": None}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": "requests:read"}, "scopes"),
        ({"scopes": [1]}, "scopes[0]"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2099-01-01T00:00:00"}, "expiresAt"),
        ({"user": "cpi@example.com"}, "user"),
    ],
)
def test_wishes_that_cannot_be_granted(devops, change, field):
    assert_problem(call_as(devops).post(TOKENS, WISH | change), 400, "invalid", field)
