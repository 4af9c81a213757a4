"""Who gets in at /mcp, from where, and what each token may do there."""

from __future__ import annotations

import datetime as dt

import httpx2
import pytest

from accounts.roles import Role
from accounts.services import grant_role, issue_token, revoke_token
from core.clock import now
from tests.events.live.conftest import run_server
from tests.tickets.mcp.conftest import OPEN, Mcp, error_of, secret
from tickets.models import Comment, Ticket
from tickets.services import move_ticket, queue_task
from tickets.states import State

pytestmark = pytest.mark.slow

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def test_no_token_or_a_bad_one_is_told_where_to_get_one(mcp, devops):
    expired, late = issue_token(user=devops, name="late", scopes=["tickets:read"], expires_at=now() + dt.timedelta(1))
    type(expired).objects.filter(pk=expired.pk).update(expires_at=now() - dt.timedelta(seconds=1))
    gone, revoked = issue_token(user=devops, name="gone", scopes=["tickets:read"])
    revoke_token(token=gone)
    assert mcp.post(LIST, secret(devops)).status_code == 200
    for token in ("", "sp_wrong", "wrong", "sp_" + "x" * 5000, late, revoked):
        answer = mcp.post(LIST, token)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated"), token[:20]
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith("Bearer ")
        assert "/.well-known/oauth-protected-resource/mcp" in challenge
    basic = mcp.post(LIST, Authorization="Basic abc")
    assert basic.status_code == 401
    devops.is_active = False
    devops.save()
    assert mcp.post(LIST, secret(devops)).status_code == 401


def test_clients_find_out_about_tokens(mcp):
    for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
        told = httpx2.get(mcp.site + path).json()
        assert told["resource"].endswith("/mcp")
        assert told["bearer_methods_supported"] == ["header"]
        assert "tickets:work" in told["scopes_supported"]


def test_pages_of_other_sites_and_other_methods_are_refused(mcp, devops):
    token = secret(devops)
    for origin in ("https://evil.example.com", "null", f"{mcp.site}.evil.example.com", "http://[::1"):
        answer = mcp.post(LIST, token, Origin=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "wrong_origin"), origin
    assert mcp.post(LIST, token, Origin=mcp.site).status_code == 200
    for method in ("GET", "DELETE", "PUT"):
        answer = httpx2.request(method, mcp.url, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.headers["Allow"]) == (405, "POST"), method


def test_what_is_no_call_is_refused_without_harm(mcp, devops):
    token = secret(devops)
    assert mcp.post(b"x" * (2 * 1024 * 1024 + 1), token).status_code == 413
    for body in (b"", b"{", b"[]", b"null", b'"call_tool"', b"[" * 100_000, b'{"method": "call_tool"}', b"\xff\xfe"):
        answer = mcp.post(body, token)
        assert answer.status_code in {202, 400}, (body[:20], answer.text)
    answer = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "call_tool", "params": {"name": "drop_tables"}}, token)
    assert answer.json()["error"]["code"] == -32602
    answer = mcp.post({"jsonrpc": "2.0", "id": 1, "method": "call_tool", "params": "create_ticket"}, token)
    assert "error" in answer.json()
    without_id = {"jsonrpc": "2.0", "method": "call_tool", "params": {"name": "create_ticket", "arguments": OPEN}}
    assert mcp.post(without_id, token).status_code == 202
    assert not Ticket.objects.exists()


@pytest.mark.parametrize(
    ("scope", "tool", "arguments"),
    [
        ("tickets:read", "get_ticket", {"ticket_id": "TICKET-001"}),
        ("tickets:read", "get_events", {}),
        ("tickets:write", "add_ticket_comment", {"ticket_id": "TICKET-001", "content": "Hello"}),
        ("tickets:write", "create_ticket", {"project_id": "test/project", "title": "Another"}),
        ("tickets:work", "register_worker", {"worker_id": "a-1", "worker_type": "architect"}),
    ],
)
def test_a_token_does_only_what_its_scopes_say(mcp, devops, ticket, scope, tool, arguments):
    every = {"tickets:read", "tickets:write", "tickets:work", "tickets:decide"}
    error = error_of(mcp.call(secret(devops, *sorted(every - {scope})), tool, arguments))
    assert (error["code"], error["scope"]) == ("insufficient_scope", scope)
    assert "isError" not in {k: v for k, v in mcp.call(secret(devops, scope), tool, arguments)["result"].items() if v}
    listed = mcp.post(LIST, secret(devops, scope)).json()["result"]["tools"]
    assert tool in {each["name"] for each in listed}
    others = mcp.post(LIST, secret(devops, *sorted(every - {scope}))).json()["result"]["tools"]
    assert tool not in {each["name"] for each in others}


def test_roles_and_tenants_hold_as_everywhere(mcp, devops, viewer, outsider, worker, ticket):
    comment = {"ticket_id": "TICKET-001", "content": "Hello", "worker_id": "somebody-else"}
    assert error_of(mcp.call(secret(viewer), "add_ticket_comment", comment))["code"] == "not_authorized"
    hidden = error_of(mcp.call(secret(outsider), "add_ticket_comment", comment))
    missing = error_of(mcp.call(secret(devops), "add_ticket_comment", {**comment, "ticket_id": "NOPE-1"}))
    assert (hidden["code"], missing["code"]) == ("not_found", "not_found")
    assert hidden["message"].replace("TICKET-001", "NOPE-1") == missing["message"]
    mcp.call(secret(worker), "add_ticket_comment", comment)
    said = Comment.objects.exclude(content=ticket.description).get()
    assert (said.author, said.worker_id) == (worker, "somebody-else")


def test_a_worker_never_approves(mcp, devops, worker, cpi, make_ticket, tenant):
    gated = make_ticket("GATE-1", "?sign-off")
    queue_task(ticket=gated, by=devops)
    asked = make_ticket("ASK-1")
    move_ticket(ticket=asked, verb="request_approval", by=devops)
    every = ("tickets:read", "tickets:write", "tickets:work", "tickets:decide")
    gate = ("decide_gate", {"ticket_id": "GATE-1", "approve": True})
    move = ("move_ticket", {"ticket_id": "ASK-1", "verb": "approve"})
    grant_role(user=worker, tenant=tenant, role=Role.CPI)
    for call in (gate, move):
        assert error_of(mcp.call(secret(worker, *every), *call))["code"] == "person_required"
        assert error_of(mcp.call(secret(worker), *call))["code"] == "insufficient_scope"
        assert error_of(mcp.call(secret(cpi), *call))["code"] == "insufficient_scope"
    assert mcp.call(secret(worker), "claim_task", {"worker_id": "x"})["result"]["isError"]
    gated.refresh_from_db()
    asked.refresh_from_db()
    assert (gated.progress, asked.state) == (0, State.APPROVAL_IN_PROGRESS)
    for call in (gate, move):
        assert "isError" not in {k for k, v in mcp.call(secret(cpi, *every), *call)["result"].items() if v}
    gated.refresh_from_db()
    asked.refresh_from_db()
    assert (gated.progress, asked.state) == (1, State.APPROVED)


def test_rights_are_lent_in_the_demo_only_and_never_to_decide(mcp, make_user, tenant, make_ticket, devops):
    lender = make_user("lender", tenant, Role.CPI)
    type(lender).objects.filter(pk=lender.pk).update(email="pierre.durand@cab-i.com")
    queue_task(ticket=make_ticket("GATE-1", "?sign-off"), by=devops)
    call = ("", "decide_gate", {"ticket_id": "GATE-1", "approve": True})
    assert error_of(mcp.call(*call))["code"] == "insufficient_scope"
    assert mcp.post(LIST).status_code == 200
    with run_server(
        DJANGO_SETTINGS_MODULE="config.settings.base", SECRET_KEY="k" * 60, ALLOWED_HOSTS="127.0.0.1"
    ) as server:
        production = Mcp(server)
        assert production.post(LIST).status_code == 401
        assert production.post(LIST, secret(devops)).status_code == 200
        wrong = production.post(LIST, secret(devops), Host="evil.example.com")
        assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_host")
