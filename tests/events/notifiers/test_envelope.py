"""Facts in the forms of CDEvents: batches of valid CloudEvents, and silence where CDEvents have no word."""

from __future__ import annotations

import pytest

from events.cdevents.codec import check_cloudevent, check_event
from events.models import DomainEvent, WebhookEndpoint
from events.notifiers.envelope import CDEVENTS, CONTENT_TYPES, FORMS, envelope, says_anything
from events.notifiers.webhooks import WebhookNotifier


@pytest.mark.parametrize("form", CDEVENTS)
def test_a_fact_is_a_batch_of_its_events(pending, form):
    fact = DomainEvent.objects.select_related("tenant").get(type="promotion.created")
    told = envelope(fact, form)
    assert isinstance(told, list)
    assert told == envelope(fact, form)
    for event in told:
        check_cloudevent(event)
        check_event(event["data"])
    assert {event["type"].rpartition(".0.1.0")[0] for event in told} == {
        "cdevents": {"dev.cdeventsx.stagepass-approval.inprogress"},
        "cdevents-custom": {"dev.cdeventsx.stagepass-approval.inprogress"},
        "cdevents-draft": {"dev.cdevents.approval.created"},
        "cdevents-all": {"dev.cdevents.approval.created", "dev.cdeventsx.stagepass-approval.inprogress"},
    }[form]
    assert CONTENT_TYPES[form] == "application/cloudevents-batch+json"


def test_an_endpoint_for_cdevents_is_not_told_what_they_have_no_word_for(pending, tenant, cpi):
    endpoints = {
        form: str(
            WebhookEndpoint.objects.create(
                tenant=tenant, name=form, url="https://example.com/", patterns=["promotion.*"], form=form
            ).pk
        )
        for form in FORMS
    }
    created = DomainEvent.objects.get(type="promotion.created")
    assert set(WebhookNotifier().recipients(created)) == set(endpoints.values())
    created.type = "promotion.commented"
    assert not says_anything(created, "cdevents")
    assert set(WebhookNotifier().recipients(created)) == {endpoints["plain"], endpoints["cloudevents"]}
