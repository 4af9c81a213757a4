"""What the REST face of CDEvents answers."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.canonical import utc_text
from events.cdevents.receiving import Outcome
from events.cdevents.webhooks.deliveries import Rehearsal
from events.models import DeadLetter, LetterState, ReceivedEvent, ReceivedLink
from events.models.received import Mode

STATUSES = [("accepted", "accepted"), ("duplicate", "duplicate"), ("rejected", "rejected")]


class ReceiptSchema(serializers.Serializer[Any]):
    """What became of one event or link."""

    status = serializers.ChoiceField(choices=STATUSES)
    id = serializers.IntegerField(required=False, help_text="Under which it is read back; a link's own number.")
    source = serializers.CharField(required=False)  # type: ignore[assignment]
    eventId = serializers.CharField(required=False)
    type = serializers.CharField(required=False)
    tickets = serializers.ListField(child=serializers.CharField(), required=False, help_text="That it names.")
    unknownTickets = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Keys of known projects without a ticket."
    )
    newerThanKnown = serializers.BooleanField(required=False, help_text="A higher minor version than the schemas here.")
    schemaUriUnverified = serializers.BooleanField(required=False, help_text="It names a schema, which is not fetched.")
    code = serializers.CharField(required=False, help_text="Why it was rejected.")
    detail = serializers.CharField(required=False)
    field = serializers.CharField(required=False)
    deadLetter = serializers.IntegerField(required=False, help_text="Where it is kept.")


class ReceiptsSchema(serializers.Serializer[Any]):
    """What became of a batch, item by item in its order."""

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    items = ReceiptSchema(many=True)


def render_outcome(outcome: Outcome) -> dict[str, Any]:
    if outcome.refusal is not None:
        refusal = outcome.refusal
        told: dict[str, Any] = {
            "status": outcome.status, "code": refusal.code, "detail": refusal.message, "field": refusal.field
        }  # fmt: skip
        if outcome.letter is not None:
            told |= {"source": outcome.letter.source, "eventId": outcome.letter.event_id, "type": outcome.letter.type}
            told["deadLetter"] = outcome.letter.pk
        return {name: value for name, value in told.items() if value != ""}
    if outcome.link is not None:
        return {"status": outcome.status, "id": outcome.link.pk, "type": outcome.link.type}
    event = outcome.event
    assert event is not None
    return {
        "status": outcome.status,
        "id": event.pk,
        "source": event.source,
        "eventId": event.event_id,
        "type": event.type,
        "tickets": list(event.tickets),
        "unknownTickets": list(event.mentions),
        "newerThanKnown": event.spec == "newer",
        "schemaUriUnverified": bool(event.unverified_schema),
    }


class ReceivedSchema(serializers.Serializer[Any]):
    """A received event: what it says, and how it came."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    receivedAt = serializers.DateTimeField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    type = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    eventId = serializers.CharField()
    subjectId = serializers.CharField()
    chainId = serializers.CharField()
    happenedAt = serializers.DateTimeField()
    tickets = serializers.ListField(child=serializers.CharField())
    unknownTickets = serializers.ListField(child=serializers.CharField())
    newerThanKnown = serializers.BooleanField()
    schemaUriUnverified = serializers.BooleanField()
    event = serializers.DictField(help_text="The CDEvent.")


class OneReceivedSchema(ReceivedSchema):
    """With what was received, to the letter."""

    raw = serializers.CharField(help_text="To the letter, with its envelope if it had one.")
    headers = serializers.DictField(child=serializers.CharField(), help_text="ce-… of binary mode.")


def render_received(event: ReceivedEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "tenant": event.tenant.slug,
        "receivedAt": utc_text(event.received_at),
        "mode": event.mode,
        "type": event.type,
        "source": event.source,
        "eventId": event.event_id,
        "subjectId": event.subject_id,
        "chainId": event.chain_id,
        "happenedAt": utc_text(event.happened_at),
        "tickets": event.tickets,
        "unknownTickets": event.mentions,
        "newerThanKnown": event.spec == "newer",
        "schemaUriUnverified": bool(event.unverified_schema),
        "event": event.body,
    }


class LinkSchema(serializers.Serializer[Any]):
    """A link that was sent by itself."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    receivedAt = serializers.DateTimeField()
    link = serializers.DictField()


def render_link(link: ReceivedLink) -> dict[str, Any]:
    return {
        "id": link.pk, "tenant": link.tenant.slug, "receivedAt": utc_text(link.received_at), "link": link.body
    }  # fmt: skip


class LetterSchema(serializers.Serializer[Any]):
    """A dead letter: what could not be accepted, and why."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    state = serializers.ChoiceField(choices=LetterState.choices)
    code = serializers.CharField()
    reason = serializers.CharField()
    field = serializers.CharField()
    mode = serializers.ChoiceField(choices=Mode.choices)
    source = serializers.CharField()  # type: ignore[assignment]
    eventId = serializers.CharField()
    type = serializers.CharField()
    times = serializers.IntegerField(help_text="How often exactly this was received.")
    tries = serializers.IntegerField(help_text="How often it was played again.")
    receivedAt = serializers.DateTimeField()
    settledAt = serializers.DateTimeField(allow_null=True)
    accepted = serializers.IntegerField(allow_null=True, help_text="The event it became.")
    raw = serializers.CharField()


def render_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.pk,
        "tenant": letter.tenant.slug,
        "state": letter.state,
        "code": letter.code,
        "reason": letter.reason,
        "field": letter.field,
        "mode": letter.mode,
        "source": letter.source,
        "eventId": letter.event_id,
        "type": letter.type,
        "times": letter.times,
        "tries": letter.tries,
        "receivedAt": utc_text(letter.received_at),
        "settledAt": utc_text(letter.settled_at) if letter.settled_at else None,
        "accepted": letter.accepted_id,
        "raw": letter.raw,
    }


class EmittedSchema(serializers.Serializer[Any]):
    """The next events of ours, and where to go on."""

    events = serializers.ListField(child=serializers.DictField(), help_text="CloudEvents, or CDEvents.")
    next = serializers.IntegerField(help_text="Ask for what comes after this; the same again when nothing is new.")
    more = serializers.BooleanField(help_text="Whether there is more already.")


class RehearsalSchema(serializers.Serializer[Any]):
    """What one event of the payload would be."""

    event = serializers.DictField()
    tickets = serializers.ListField(child=serializers.CharField())
    unknownTickets = serializers.ListField(child=serializers.CharField())
    commands = serializers.ListField(child=serializers.DictField(), help_text="Of commit messages.")
    fault = serializers.CharField(help_text="Why it would be refused; empty when it would not.")


def render_rehearsal(rehearsal: Rehearsal) -> dict[str, Any]:
    return {
        "event": rehearsal.body,
        "tickets": list(rehearsal.tickets),
        "unknownTickets": list(rehearsal.unknown),
        "commands": rehearsal.commands,
        "fault": rehearsal.fault,
    }
