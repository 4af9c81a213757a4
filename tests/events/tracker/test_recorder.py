"""Events sent at the same moment share a transaction, and nothing else: each has its caller, its fact and its outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.authentication import note_use
from accounts.models import ApiToken, Membership, User
from accounts.roles import Role
from accounts.services import grant_role, issue_token, revoke_token, withdraw_role
from core.clock import now
from core.sql import run
from events.models import DomainEvent, Event
from events.services import _LOG_LOCK as LOG_LOCK
from events.tracker.holders import KnownHolders
from events.tracker.recorder import MOST, Recorder, Sending

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def recorder(db) -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


def token_of(user: User, *scopes: str) -> str:
    return issue_token(user=user, name="tests", scopes=list(scopes or ("events:read", "events:write")))[1]


class Sent:
    """A request that waits for its outcome."""

    def __init__(self, recorder: Recorder, secret: str, title: str = "Deploy", **attributes: Any) -> None:
        plain = {"title": title, "attributes": {"service": "ledger", "type": 1} | attributes}
        self.ended = threading.Event()
        self.sending = Sending(
            header={"authorization": f"Bearer {secret}"}.get, read=lambda caller: plain, render=lambda event: event,
            face="rest", request_id=f"request of {title}", done=self.ended.set,
        )  # fmt: skip
        recorder.submit(self.sending)

    def outcome(self) -> Event | Exception | None:
        assert self.ended.wait(30), "nobody told the outcome"
        return self.sending.error or self.sending.answer


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        threading.Event().wait(0.005)


def while_the_log_is_held(recorder: Recorder, first: Callable[[], Sent], *others: Callable[[], Sent]) -> list[Sent]:
    """The first has begun to be written and has to wait; the others come meanwhile."""
    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s::bigint)", [LOG_LOCK])
        sent = [first()]
        until(waits_for_the_log)
        sent += [send() for send in others]
    for one in sent:
        one.outcome()
    return sent


def waits_for_the_log() -> bool:
    rows = run("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", [])
    return bool(rows[0][0])


def transaction_of(event: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin::text::bigint FROM events_event WHERE id = %s", [event.pk])
        return int(cursor.fetchone()[0])


def test_who_comes_meanwhile_is_written_together_each_by_its_caller_with_its_fact(recorder, devops, other_devops):
    secrets = [token_of(devops), token_of(other_devops)]
    sends = [lambda n=n: Sent(recorder, secrets[n % 2], f"Event {n}") for n in range(6)]
    events = [sent.outcome() for sent in while_the_log_is_held(recorder, *sends)]
    assert len({transaction_of(event) for event in events}) == 2  # the first alone, the others together
    facts = list(DomainEvent.objects.filter(type="event.recorded").order_by("sequence"))
    assert {fact.subject_id for fact in facts} == {str(event.pk) for event in events}
    assert all(fact.hash == fact.compute_hash() for fact in facts)
    assert [fact.previous_hash for fact in facts][1:] == [fact.hash for fact in facts][:-1]
    for fact in facts:
        number = int(fact.subject_label.removeprefix("Event "))
        assert (fact.actor_label, fact.surface, fact.request_id) == (
            (devops, other_devops)[number % 2].email, "rest", f"request of Event {number}",
        )  # fmt: skip
        assert Event.objects.get(pk=fact.subject_id).created_by == fact.actor_label


def test_what_the_operation_would_refuse_or_look_up_is_left_to_it_and_spoils_nobody_elses(
    recorder, devops, viewer, outsider, settings
):
    settings.TRACKER_AUTO_LOCK = True
    good, revoked = token_of(devops), token_of(devops)
    ApiToken.objects.filter(digest=ApiToken.digest_of(revoked)).update(revoked_at=devops.date_joined)
    left = [
        lambda: Sent(recorder, "sp_unknown"),
        lambda: Sent(recorder, ""),
        lambda: Sent(recorder, revoked),
        lambda: Sent(recorder, token_of(devops, "events:read")),
        lambda: Sent(recorder, token_of(viewer)),
        lambda: Sent(recorder, good, service=""),
        lambda: Sent(recorder, good, type=99),
        lambda: Sent(recorder, good, related_id="01890000-0000-7000-8000-000000000000"),
        lambda: Sent(recorder, good, environment=7, status=1),  # takes a lock
    ]
    fine = [lambda n=n: Sent(recorder, good, f"Fine {n}") for n in range(3)]
    sent = while_the_log_is_held(recorder, fine[0], *left[:5], fine[1], *left[5:], fine[2])
    titles = [event.title if isinstance(event := one.outcome(), Event) else event for one in sent]
    assert titles == ["Fine 0", *[None] * 5, "Fine 1", *[None] * 4, "Fine 2"]
    assert Event.objects.count() == DomainEvent.objects.filter(type="event.recorded").count() == 3


def test_a_group_that_the_database_refuses_is_left_to_the_operation_which_tells_each_alone(recorder, devops):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event ADD CONSTRAINT tests_title CHECK (title <> 'Odd')")
    try:
        secret = token_of(devops)
        sends = [lambda t=title: Sent(recorder, secret, t) for title in ("Fine", "Even", "Odd", "Even")]
        outcomes = [sent.outcome() for sent in while_the_log_is_held(recorder, *sends)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_event DROP CONSTRAINT tests_title")
    assert [getattr(one, "title", one) for one in outcomes] == ["Fine", None, None, None]
    assert Event.objects.count() == DomainEvent.objects.filter(type="event.recorded").count() == 1


def test_a_connection_lost_in_the_middle_is_an_error_and_never_a_second_event(recorder, devops):
    secret = token_of(devops)
    assert isinstance(Sent(recorder, secret, "Before").outcome(), Event)
    with transaction.atomic():
        run("SELECT pg_advisory_xact_lock(%s::bigint)", [LOG_LOCK])
        lost = Sent(recorder, secret, "Lost")
        until(waits_for_the_log)
        run("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", [])
        assert isinstance(lost.outcome(), OperationalError)
    assert isinstance(Sent(recorder, secret, "After").outcome(), Event)
    assert list(Event.objects.order_by("id").values_list("title", flat=True)) == ["Before", "After"]


def test_an_answer_that_cannot_be_made_is_an_error_and_never_a_second_event(recorder, devops):
    sent = Sent.__new__(Sent)
    sent.ended = threading.Event()
    plain = {"title": "Deploy", "attributes": {"service": "ledger", "type": 1}}
    sent.sending = Sending(
        header={"x-api-key": token_of(devops)}.get, read=lambda caller: plain, render=lambda event: event.nothing,
        face="grpc", request_id="", done=sent.ended.set,
    )  # fmt: skip
    recorder.submit(sent.sending)
    assert isinstance(sent.outcome(), AttributeError)
    assert Event.objects.count() == 1


def test_more_than_one_group_takes_are_all_dealt_with_also_when_it_ends(recorder, devops):
    secret = token_of(devops)
    sends = [lambda n=n: Sent(recorder, secret, f"Event {n}") for n in range(MOST + 10)]
    sent = while_the_log_is_held(recorder, *sends)
    sent += [Sent(recorder, secret, "Last") for _ in range(5)]
    recorder.close()
    assert all(isinstance(one.outcome(), Event) for one in sent)
    assert Event.objects.count() == MOST + 15
    assert isinstance(Sent(recorder, secret, "Anew").outcome(), Event)


def _revoke(token: ApiToken) -> None:
    revoke_token(token=token)


def _narrow(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(scopes=["events:read"])


def _expire(token: ApiToken) -> None:
    ApiToken.objects.filter(pk=token.pk).update(expires_at=now())


def _lock_out(token: ApiToken) -> None:
    User.objects.filter(pk=token.user_id).update(is_active=False)


def _take_the_role(token: ApiToken) -> None:
    membership = Membership.objects.get(user=token.user)
    withdraw_role(user=token.user, tenant=membership.tenant, role=Role(membership.role))


@pytest.mark.parametrize("change", [_revoke, _narrow, _expire, _lock_out, _take_the_role])
def test_what_a_token_lost_since_its_last_event_counts_at_once_and_costs_nobody_else_theirs(
    change, recorder, devops, other_devops
):
    secret, other = token_of(devops), token_of(other_devops)
    assert [isinstance(Sent(recorder, one).outcome(), Event) for one in (secret, other)] == [True, True]
    change(ApiToken.objects.get(digest=ApiToken.digest_of(secret)))
    sent = while_the_log_is_held(recorder, *[lambda s=s: Sent(recorder, s) for s in (other, other, secret, other)])
    assert [isinstance(one.outcome(), Event) for one in sent] == [True, True, False, True]
    assert Event.objects.count() == DomainEvent.objects.filter(type="event.recorded").count() == 5


def test_what_a_token_was_given_since_its_last_event_counts_too(recorder, viewer, tenant):
    secret = token_of(viewer)
    assert Sent(recorder, secret).outcome() is None
    grant_role(user=viewer, tenant=tenant, role=Role.DEVOPS)
    assert isinstance(Sent(recorder, secret).outcome(), Event)


def test_who_is_known_is_not_looked_up_again_and_use_of_the_token_is_noted(devops):
    secret, known = token_of(devops), KnownHolders()
    first, confirmations = known.find([secret, secret, "sp_unknown"])
    assert (list(first), confirmations) == ([secret], [])
    with CaptureQueriesContext(connection) as asked:
        again, confirmations = known.find([secret])
    assert (again, len(confirmations), len(asked)) == (first, 1, 0)
    assert run(*confirmations[0])
    note_use(first[secret].token)
    with pytest.raises(DataError):
        run(*confirmations[0])
    assert ApiToken.objects.get(user=devops).last_used_at is not None
