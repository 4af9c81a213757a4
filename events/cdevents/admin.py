"""Admin pages of webhook sources, their deliveries, received events and dead letters."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.enums import ActionVariant

from core.admin import Admin, ReadOnlyAdmin, Verb
from events.cdevents.replay import discard_letter, replay_letter
from events.cdevents.webhooks.secrets import may_renew, renew_secret, secret_of
from events.models import DeadLetter, EventSource, InboundDelivery, LetterState, ReceivedEvent
from events.tracker.admin import Visible


@admin.register(EventSource)
class EventSourceAdmin(Admin):
    """Webhooks that come in. Put the address and the secret into the sender's settings."""

    list_display = ("name", "kind", "tenant", "active", "last_seen_at")
    list_filter = ("kind", "active", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("name",)
    autocomplete_fields = ("tenant",)
    fields = ("tenant", "kind", "name", "active", "address", "secret", "last_seen_at")
    readonly_fields = ("address", "secret", "last_seen_at")
    verbs = (
        Verb(
            "renew", "New secret",
            lambda source, by: renew_secret(source=source, by=by), "key", variant=ActionVariant.WARNING,
            warning="The present secret ends at once: deliveries are refused until the sender has the new one.",
            offered=may_renew,
        ),
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The secret is for those who may change the source, once it is there."""
        hidden = set() if obj is not None else {"address", "secret", "last_seen_at"}
        if not self.has_change_permission(request, obj):
            hidden |= {"secret"}
        return [name for name in self.fields or () if name not in hidden]

    @admin.display(description="Address")
    def address(self, source: EventSource) -> str:
        return f"{settings.SITE_URL}/webhooks/{source.kind}/{source.key}"

    @admin.display(description="Secret")
    def secret(self, source: EventSource) -> str:
        return secret_of(source)


@admin.register(InboundDelivery)
class InboundDeliveryAdmin(ReadOnlyAdmin):
    """Deliveries of webhooks, and what became of them."""

    list_display = ("received_at", "source", "event", "state", "note", "attempts")
    list_filter = ("state", "source__kind", ("received_at", RangeDateTimeFilter))
    list_select_related = ("source",)
    search_fields = ("delivery_id",)


@admin.register(ReceivedEvent)
class ReceivedEventAdmin(Visible):
    """Received CDEvents; nobody changes them."""

    list_display = ("received_at", "type", "subject_id", "source", "tickets", "mode", "tenant")
    list_filter = ("mode", "subject", ("received_at", RangeDateTimeFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("event_id", "subject_id")


def _waits(letter: DeadLetter, by: Any) -> bool:
    return letter.state == LetterState.WAITING


@admin.register(DeadLetter)
class DeadLetterAdmin(Visible):
    """What could not be accepted: played again once its cause is gone, or discarded."""

    list_display = ("received_at", "code", "type", "source", "state", "times", "tries", "tenant")
    list_filter = ("state", "code", "mode", ("received_at", RangeDateTimeFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("event_id", "type")
    verbs = (
        Verb("replay", "Replay", lambda letter, by: replay_letter(letter=letter, by=by), "replay", offered=_waits),
        Verb(
            "discard", "Discard", lambda letter, by: discard_letter(letter=letter, by=by), "delete", offered=_waits,
            variant=ActionVariant.DANGER,
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("delivery")
