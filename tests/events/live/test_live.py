"""The live stream on a real server: who hears what, resuming, losing rights, and a database that goes away."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction

from accounts.models import ApiToken, User
from accounts.roles import Capability, Role
from accounts.services import revoke_token, withdraw_role
from events.models import DomainEvent
from events.services import publish
from events.types import Audience, Subject
from promotions.services import comment_on_request
from tests.events.live.conftest import Listener, Server, cookie_of, run_server, token_of, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _a_log_of_its_own(transactional_db):
    """Each test's rows are truncated at its end, so each begins with an empty log."""
    assert not DomainEvent.objects.exists()


def happen(count: int = 1, audience: Audience | None = None) -> int:
    """Facts that only operators of everything may know, unless an audience is given; the last one's number."""
    for _ in range(count):
        with transaction.atomic():
            fact = publish(
                type="thing.made", subject=Subject("thing", "1", "Thing"), tenant=None, by=None, data={"secret": "x"},
                audience=audience or Audience(),
            )  # fmt: skip
    return fact.sequence


def test_a_fact_reaches_those_who_may_know_it_at_once_and_nobody_else(
    server, devops, cpi, viewer, worker, outsider, root, make_request
):
    with ExitStack() as streams:
        ears = {
            user.email.partition("@")[0]: streams.enter_context(Listener(server.host, cookie_of(user)))
            for user in (devops, cpi, viewer, worker, outsider, root)
        }
        for ear in ears.values():
            assert ear.expect("hello").data == {"sequence": 0}
        begun = time.monotonic()
        promotion = make_request()
        fact = ears["cpi"].expect("fact")
        assert time.monotonic() - begun < 2
        stored = DomainEvent.objects.get()
        assert fact.id == str(stored.sequence)
        assert fact.data == {
            "type": "promotion.created",
            "subject": promotion.number,
            "subjectType": "promotion",
            "label": f"{promotion.number} payment-api v2.1.0",
            "tenant": "tenant-finance",
            "actor": devops.email,
            "at": stored.occurred_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
            "sequence": stored.sequence,
        }
        for name in ("devops", "viewer", "root"):
            assert ears[name].expect("fact").data == fact.data
        for name in ("worker", "outsider"):
            assert ears[name].read(0.3) == []


def test_a_browser_that_comes_back_gets_what_it_missed_and_only_what_it_may_know(server, cpi, outsider, make_request):
    cookie = cookie_of(cpi)
    promotion = make_request()
    with Listener(server.host, cookie) as ear:
        assert ear.expect("hello").data["sequence"] == 1
    for number in range(3):
        comment_on_request(promotion=promotion, by=cpi, comment=f"Comment {number}")
    happen()
    with Listener(server.host, cookie | {"Last-Event-ID": "2"}) as ear:
        assert [ear.expect("fact").data["sequence"] for _ in range(2)] == [3, 4]
        assert ear.read(0.3) == []
    with Listener(server.host, cookie, path="/live?after=1") as ear:
        assert [ear.expect("fact").data["sequence"] for _ in range(3)] == [2, 3, 4]
    with Listener(server.host, cookie_of(outsider) | {"Last-Event-ID": "0"}) as ear:
        assert [event.name for event in ear.read(0.5)] == ["hello"]


def test_who_was_away_too_long_is_told_to_reload_and_goes_on_from_there(server, cpi):
    audience = Audience(Capability.VIEW_EVENTS, (cpi.pk,))
    last = happen(220, audience)
    with Listener(server.host, cookie_of(cpi) | {"Last-Event-ID": "0"}) as ear:
        reload = ear.expect("reload")
        assert (reload.data, reload.id) == ({"reason": "too_old"}, str(last))
        happen(1, audience)
        assert ear.expect("fact").data["sequence"] == last + 1


def test_who_loses_the_role_stops_hearing_with_that_transaction(server, cpi, tenant, make_request):
    with Listener(server.host, cookie_of(cpi)) as ear:
        ear.expect("hello")
        make_request()
        ear.expect("fact")
        withdraw_role(user=cpi, tenant=tenant, role=Role.CPI)
        make_request(target_name="ledger")
        assert ear.read(0.7) == []


@pytest.mark.parametrize("how", ["log-out", "closed account", "new password"])
def test_who_logs_out_is_let_go(how, transactional_db, cpi):
    with run_server(LIVE_RECHECK_SECONDS="0.5") as server, Listener(server.host, cookie_of(cpi)) as ear:
        ear.expect("hello")
        if how == "log-out":
            Session.objects.all().delete()
        elif how == "closed account":
            User.objects.filter(pk=cpi.pk).update(is_active=False)
        else:
            cpi.set_password("another one")
            cpi.save()
        assert ear.expect("bye").data == {"reason": "signed_out"}
        wait_for(lambda: ear.read(0.1) or ear.ended)


def test_a_revoked_token_is_let_go_at_once(server, cpi):
    with Listener(server.host, token_of(cpi)) as ear:
        ear.expect("hello")
        revoke_token(token=ApiToken.objects.get())
        assert ear.expect("bye", 2).data == {"reason": "signed_out"}


def test_the_door(server, cpi):
    cookie = cookie_of(cpi)
    cases = [
        ({}, 401, "not_authenticated"),
        ({"Cookie": "sessionid=made-up"}, 401, "not_authenticated"),
        ({"Authorization": "Bearer sp_made-up"}, 401, "not_authenticated"),
        (token_of(cpi, "requests:read"), 403, "insufficient_scope"),
        (cookie | {"Sec-Fetch-Site": "cross-site"}, 403, "wrong_origin"),
        (cookie | {"Sec-Fetch-Site": "same-site"}, 403, "wrong_origin"),
        (cookie | {"Origin": "https://evil.example"}, 403, "wrong_origin"),
        (cookie | {"Origin": "http://[::1"}, 403, "wrong_origin"),
        (cookie | {"Origin": "null"}, 403, "wrong_origin"),
        (cookie | {"Origin": f"http://{server.host}"}, 200, ""),
    ]
    for headers, status, code in cases:
        with Listener(server.host, headers) as ear:
            assert ear.status == status, headers
            if code:
                assert ear.body()["code"] == code


def test_one_person_may_not_take_all_streams(transactional_db, cpi, viewer):
    with run_server(LIVE_STREAMS_PER_PERSON="3") as server, ExitStack() as streams:
        for _ in range(3):
            streams.enter_context(Listener(server.host, cookie_of(cpi))).expect("hello")
        with Listener(server.host, cookie_of(cpi)) as refused:
            assert refused.status == 429
            assert "retry-after" in refused.answer
        streams.enter_context(Listener(server.host, cookie_of(viewer))).expect("hello")
        streams.pop_all().close()
        wait_for(lambda: _opens(server, cpi))


def _opens(server: Server, user: User) -> bool:
    with Listener(server.host, cookie_of(user)) as ear:
        return ear.status == 200


def test_streams_survive_the_loss_of_every_database_connection(server, cpi, make_request):
    with Listener(server.host, cookie_of(cpi)) as ear:
        ear.expect("hello")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        make_request()
        make_request(target_name="ledger")
        assert [ear.expect("fact").data["sequence"] for _ in range(2)] == [1, 2]


def test_a_server_that_is_asked_to_end_lets_its_streams_go_and_ends(server, cpi):
    with Listener(server.host, cookie_of(cpi)) as ear:
        ear.expect("hello")
        assert server.stop() < 4
        assert ear.expect("bye").data == {"reason": "restart"}


def test_a_reader_that_does_not_read_costs_nothing_but_itself(server, cpi, viewer):
    audience = Audience(users=(cpi.pk, viewer.pk))
    with Listener(server.host, cookie_of(cpi)) as slow, Listener(server.host, cookie_of(viewer)) as quick:
        quick.expect("hello")
        happen(300, audience)
        seen = 0
        while seen < 300:
            seen = quick.expect("fact").data["sequence"]
        assert slow.status == 200
