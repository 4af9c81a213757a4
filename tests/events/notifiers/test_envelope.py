"""Facts in the forms of CDEvents: valid CloudEvents, and silence where CDEvents have no word."""

from __future__ import annotations

import pytest

from events.cdevents.codec import check_cloudevent, check_event
from events.models import DomainEvent
from events.notifiers.envelope import CDEVENTS, CONTENT_TYPES, envelopes


@pytest.mark.parametrize("form", CDEVENTS)
def test_a_fact_is_its_events(pending, form):
    fact = DomainEvent.objects.select_related("tenant").get(type="promotion.created")
    told = envelopes(fact, form)
    assert told == envelopes(fact, form)
    for event in told:
        check_cloudevent(event)
        check_event(event["data"])
    assert {event["type"].rpartition(".0.1.0")[0] for event in told} == {
        "cdevents": {"dev.cdeventsx.stagepass-approval.inprogress"},
        "cdevents-custom": {"dev.cdeventsx.stagepass-approval.inprogress"},
        "cdevents-draft": {"dev.cdevents.approval.created"},
        "cdevents-legacy": {"dev.cdeventsx.stagepass-approval.inprogress"},
        "cdevents-all": {"dev.cdevents.approval.created", "dev.cdeventsx.stagepass-approval.inprogress"},
    }[form]
    assert CONTENT_TYPES[form] == "application/cloudevents+json"


@pytest.mark.parametrize("form", CDEVENTS)
def test_what_cdevents_have_no_word_for_is_no_message(pending, form):
    fact = DomainEvent.objects.select_related("tenant").get(type="promotion.created")
    fact.type = "promotion.commented"
    assert envelopes(fact, form) == []
    assert len(envelopes(fact, "plain")) == 1
