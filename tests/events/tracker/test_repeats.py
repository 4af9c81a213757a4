"""A POST to Tracker's face that is repeated with its Idempotency-Key takes effect once."""

from __future__ import annotations

import pytest

from events.models import DomainEvent, Event
from tests.events.tracker.conftest import deployment, rest_of

KEY = {"Idempotency-Key": "run-4711"}


def test_a_repeated_post_records_once_and_is_answered_alike(rest):
    first = rest.call("POST", "event", deployment(), **KEY)
    again = rest.call("POST", "event", deployment(), **KEY)
    assert first == again
    assert rest.answer.headers["Idempotency-Replayed"] == "true"
    assert Event.objects.count() == 1
    assert DomainEvent.objects.filter(type="event.recorded").count() == 1


def test_another_content_under_the_same_key_is_refused(rest):
    rest.call("POST", "event", deployment(), **KEY)
    status, answer = rest.call("POST", "event", deployment(service="vault"), **KEY)
    assert status == 422
    assert "Idempotency-Key" in answer["message"]
    assert Event.objects.count() == 1


def test_a_refusal_of_the_verb_is_kept_and_one_before_it_is_not(rest, tenant):
    for _ in range(2):
        status, _ = rest.call("POST", "event", {"title": "No type", "attributes": {"service": "x"}}, **KEY)
        assert status == 400
    assert rest.answer.headers["Idempotency-Replayed"] == "true"
    assert rest.call("POST", "event", b"{", **{"Idempotency-Key": "other"})[0] == 400
    assert rest.call("POST", "event", deployment(), **{"Idempotency-Key": "other"})[0] == 200


def test_every_post_takes_a_key(rest, event):
    calls = {
        "events/batch": {"events": [deployment(), deployment()]},
        f"event/{event.pk}/changelog": {"entry": {"comment": "Hello"}},
        f"event/{event.pk}/slack": {"slackId": "17.4"},
        "lock": {"service": "ledger"},
    }
    for number, (path, body) in enumerate(calls.items()):
        first = rest.call("POST", path, body, **{"Idempotency-Key": f"k{number}"})
        assert first[0] == 200, first
        assert rest.call("POST", path, body, **{"Idempotency-Key": f"k{number}"}) == first
    assert Event.objects.count() == 3
    assert event.changes.count() == 2


def test_keys_are_an_accounts_own_and_strangers_have_none(rest, cpi, stranger, settings, tenant):
    settings.TRACKER_ANONYMOUS_RIGHTS, settings.TRACKER_ANONYMOUS_TENANT = ["read", "write"], tenant.slug
    rest.call("POST", "event", deployment(), **KEY)
    assert rest_of(cpi).call("POST", "event", deployment(), **KEY)[0] == 200
    assert Event.objects.count() == 2
    status, answer = stranger.call("POST", "event", deployment(), **KEY)
    assert (status, "send a token" in answer["message"]) == (400, True)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
def test_a_key_that_is_none_is_refused(rest, key):
    assert rest.call("POST", "event", deployment(), **{"Idempotency-Key": key})[0] == 400
    assert not Event.objects.exists()
