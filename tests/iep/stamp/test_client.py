"""Patience with a server that is away, and its refusals in the documented kinds."""

from __future__ import annotations

import pytest

from stamp.client import Service, back_off
from stamp.errors import Away, Conflict, Exit, Failed, NotLoggedIn, Refused, Unknown
from tests.fakes.stamps import TOKEN, problem

STAMP = "/applications/shop/stamps/TKT-1"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def service(fake, waits) -> Service:
    return Service(fake.url, TOKEN, pause=waits.append)


def test_a_server_that_is_away_is_asked_again_with_growing_pauses(fake, service, waits):
    fake.misbehave((503, {}, {}), "ignore", (429, {}, {"Retry-After": "7"}))
    assert service.get("/applications").status == 200
    assert len(waits) == 3
    assert waits[2] >= 7, "the server said when"


def test_at_last_it_gives_up_and_says_where(fake, service, waits):
    fake.misbehave(*[(503, {}, {})] * 5)
    with pytest.raises(Away) as stopped:
        service.get("/applications")
    assert len(waits) == 4
    assert stopped.value.exit == Exit.AWAY == 7


def test_nobody_listens(unused_tcp_port_of_nobody):
    service = Service(unused_tcp_port_of_nobody, TOKEN, retries=0)
    with pytest.raises(Away, match="does not answer"):
        service.get("/applications")


@pytest.fixture
def unused_tcp_port_of_nobody() -> str:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_a_lost_answer_does_nothing_twice(fake, service):
    fake.new_stamp("TKT-1")
    fake.misbehave("ignore")
    assert service.post(f"{STAMP}/promote", {}, revision=1).body["stage"] == "qa"
    keys = {headers["idempotency-key"] for verb, _, headers, _ in fake.requests if verb == "POST"}
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", Failed), (401, "not_authenticated", NotLoggedIn), (403, "insufficient_scope", NotLoggedIn),
        (404, "not_found", Unknown), (409, "key_conflict", Conflict), (412, "revision_conflict", Conflict),
        (423, "not_in_dev", Conflict), (422, "policy_refused", Refused), (409, "waiting_for_sign_off", Refused),
        (422, "idempotency_key_reused", Failed), (413, "too_large", Failed),
    ],
)  # fmt: skip
def test_each_refusal_has_its_kind(fake, service, status, code, kind):
    fake.misbehave((*problem(status, code, "A sentence with the remedy."), {}))
    with pytest.raises(kind, match="A sentence with the remedy") as stopped:
        service.post(f"{STAMP}/promote", {})
    assert stopped.value.code == code
    assert type(stopped.value) is kind


def test_verdicts_conflicts_and_fields_are_told_line_by_line(fake, service):
    verdict = {"policy": "freeze", "outcome": "block", "reason": "Frozen until Monday."}
    conflict = {"path": "src/nav.js", "ticket": "TKT-7", "detail": "Both change it."}
    body = problem(
        422, "policy_refused", "No.", verdicts=[verdict], conflicts=[conflict], errors=[{"field": "x", "message": "y"}]
    )
    fake.misbehave((*body, {}))
    with pytest.raises(Refused) as stopped:
        service.post(f"{STAMP}/promote", {})
    assert stopped.value.lines == ("x: y", "✗ freeze: Frozen until Monday.", "! src/nav.js (TKT-7): Both change it.")


def test_what_is_no_stagepass_server(fake, service):
    fake.misbehave((500, {"boom": 1}, {"Content-Type": "text/html"}))
    with pytest.raises(Failed, match="answered 500"):
        service.post(f"{STAMP}/promote", {})


def test_pauses_double_up_to_a_limit():
    assert all(0.125 <= back_off(0) <= 0.25 for _ in range(50))
    assert all(4 <= back_off(20) <= 8 for _ in range(50))
    assert back_off(0, asked=3) == 3
