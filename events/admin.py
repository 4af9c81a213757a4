"""Admin pages of the fact log and of deliveries: to read, to search, and to try again what failed."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import display

import events.cdevents.admin
import events.chain.admin
import events.connections.admin
import events.endpoints.admin
import events.tracker.admin  # noqa: F401 (their pages are in rooms of their own)
from core.admin import ReadOnlyAdmin, Verb
from events.channels import channels
from events.models import Delivery, DeliveryState, DomainEvent
from events.outbox import retry_delivery
from events.selectors import subject_types

STATE_COLOURS = {"queued": "info", "sending": "warning", "done": "success", "dead": "danger"}


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@admin.register(DomainEvent)
class DomainEventAdmin(ReadOnlyAdmin):
    """The fact log, as far as the reader belongs to each fact's audience. Nothing here can be changed by anyone."""

    list_display = ("sequence", "occurred_at", "type", "subject_label", "actor_label", "surface", "tenant")
    list_display_links = ("sequence", "type")
    list_filter = ("surface", ("occurred_at", RangeDateTimeFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    ordering = ("-sequence",)
    search_fields = ("subject_id",)
    search_help_text = "The whole id of a thing, or a whole type with its dot."
    fields = (
        "sequence", "id", "type", "occurred_at", "tenant", "subject_type", "subject_id", "subject_label",
        "actor_label", "actor_id", "surface", "request_id", "content", "audience_capability", "previous_hash", "hash",
    )  # fmt: skip
    readonly_fields = ("content",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[DomainEvent]:
        facts: Any = super().get_queryset(request)
        return facts.visible_to(request.user)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[DomainEvent], search_term: str
    ) -> tuple[QuerySet[DomainEvent], bool]:
        """Exact, by the columns that have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "." in term:
            return queryset.filter(type=term), False
        return queryset.filter(subject_type__in=subject_types(), subject_id=term), False

    @admin.display(description="Data")
    def content(self, fact: DomainEvent) -> str:
        return pretty(fact.data)


class ChannelFilter(admin.SimpleListFilter):
    """By the channels that are configured."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in channels()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return queryset.filter(channel=self.value()) if self.value() else queryset


def _retry(delivery: Delivery, by: Any) -> None:
    retry_delivery(delivery=delivery)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """What is told to whom, how often it was tried, and why it failed; the dead ones can be tried again."""

    list_display = ("id", "channel", "recipient", "what", "status", "attempts", "next_at", "error")
    list_filter = ("state", ChannelFilter)
    list_select_related = ("fact",)
    search_fields = ("fact__subject_id",)
    search_help_text = "The whole id of the thing that the fact is about."
    fields = (
        "fact", "channel", "recipient", "state", "attempts", "next_at", "lease_until", "last_error", "answer",
        "created_at", "done_at",
    )  # fmt: skip
    readonly_fields = ("answer",)
    actions = ("retry_selected",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Delivery], search_term: str
    ) -> tuple[QuerySet[Delivery], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(fact__subject_type__in=subject_types(), fact__subject_id=term), False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("events.change_delivery"))

    @admin.display(description="Fact", ordering="fact_id")
    def what(self, delivery: Delivery) -> str:
        return f"{delivery.fact.type} {delivery.fact.subject_id}"

    @display(description="State", label=STATE_COLOURS)
    def status(self, delivery: Delivery) -> str:
        return delivery.state

    @admin.display(description="Last error")
    def error(self, delivery: Delivery) -> str:
        return delivery.last_error[:120]

    @admin.display(description="Receipt")
    def answer(self, delivery: Delivery) -> str:
        return pretty(delivery.receipt)

    @admin.action(description="Try the selected deliveries again now", permissions=["retry"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        waiting = queryset.exclude(state=DeliveryState.DONE)
        for delivery in waiting:
            retry_delivery(delivery=delivery)
            self.log_change(request, delivery, "Tried again")
        messages.success(request, "They are being tried again; what was done stays as it is.")

    verbs = (
        Verb(
            "retry",
            "Try again now",
            run=_retry,
            icon="refresh",
            offered=lambda delivery, by: delivery.state != DeliveryState.DONE,
            permission="events.change_delivery",
            about=lambda delivery: [
                ("Fact", str(delivery.fact)),
                ("Channel", delivery.channel),
                ("Recipient", delivery.recipient),
                ("Last error", delivery.last_error),
            ],
        ),
    )
