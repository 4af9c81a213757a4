"""Admin pages of events, locks, the catalogue and the clients of Tracker: to look up, and for the few verbs of staff."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.enums import ActionVariant

from core.admin import Admin, Form, ReadOnlyAdmin, Verb
from events.models import CatalogEntry, Event, EventChange, Lock, TrackerClient
from events.tracker import catalog, locks, records
from events.tracker.content import parse_id
from events.tracker.vocabulary import ChangeType, Status, choices_of


class Visible(ReadOnlyAdmin):
    """Staff see here what they see elsewhere: the tenants where they may view events."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        things: Any = super().get_queryset(request)
        return things.visible_to(request.user)


class CommentForm(Form):
    comment = forms.CharField(widget=forms.Textarea, max_length=10_000)


class StatusForm(Form):
    status = forms.TypedChoiceField(choices=choices_of(Status)[1:], coerce=int)


def _comment(event: Event, by: Any, comment: str) -> None:
    records.add_change(event=event, entry={"comment": comment, "change_type": ChangeType.commented}, by=by)


def _set_status(event: Event, by: Any, status: int) -> None:
    records.update_event(event=event, content={"status": status}, by=by)


class ChangeInline(TabularInline):
    """The changelog."""

    model = EventChange
    fields = ("at", "user", "type", "field", "old_value", "new_value", "comment")
    readonly_fields = fields
    can_delete = False
    extra = 0
    max_num = 0

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(Event)
class EventAdmin(Visible):
    """Events: what is wrong in one is corrected by its owner through the API, so that the changelog tells it."""

    list_display = ("happened_at", "title", "type", "service", "environment", "status", "priority", "owner", "tenant")
    list_display_links = ("title",)
    list_filter = (
        "type", "environment", "status", "priority", ("happened_at", RangeDateTimeFilter),
        ("tenant", AutocompleteSelectFilter),
    )  # fmt: skip
    list_select_related = ("tenant",)
    search_fields = ("service",)
    search_help_text = "An id, a Slack id, a whole service name or a whole ticket key."
    inlines = (ChangeInline,)
    verbs = (
        Verb("comment", "Comment", _comment, "comment", form=CommentForm),
        Verb(
            "set_status", "Set status", _set_status, "flag", form=StatusForm, initial=lambda event: {"status": event.status}
        ),
        Verb(
            "remove", "Delete event", lambda event, by: records.delete_event(event=event, by=by), "delete",
            warning="The event, its changelog and its locks are deleted; the fact log keeps that it was there.",
            variant=ActionVariant.DANGER,
        ),
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Exact, by the columns that have an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        key = parse_id(term)
        if not isinstance(key, str):
            return queryset.filter(pk=key), False
        pages = [queryset.filter(**{name: key}).values("pk") for name in ("service", "ticket", "slack_id")]
        return queryset.filter(pk__in=pages[0].union(*pages[1:])), False


@admin.register(Lock)
class LockAdmin(Visible):
    """Who holds what."""

    list_display = ("service", "environment", "resource", "who", "created_at", "expires_at", "tenant")
    list_filter = (("tenant", AutocompleteSelectFilter),)
    list_select_related = ("tenant",)
    search_fields = ("service", "who")
    verbs = (
        Verb(
            "release", "Release lock", lambda lock, by: locks.release_lock(lock=lock, by=by), "lock_open",
            warning="Whoever holds it is not asked. Make sure that nothing is being deployed under it.",
        ),
    )  # fmt: skip


@admin.register(CatalogEntry)
class CatalogEntryAdmin(Visible):
    """Services and deliverables, entered through the API."""

    list_display = ("name", "type", "owner", "version", "latest_version", "reference_version", "updated_at", "tenant")
    list_filter = ("type", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "owner")
    verbs = (
        Verb(
            "remove", "Delete entry", lambda entry, by: catalog.delete_entry(entry=entry, by=by), "delete",
            warning="Its versions and dependencies are lost; events keep the service's name.",
            variant=ActionVariant.DANGER,
        ),
    )  # fmt: skip


@admin.register(TrackerClient)
class TrackerClientAdmin(Admin):
    """Tokens that were handed to existing Tracker clients: these count a status as Tracker's own interface does."""

    list_display = ("token", "status_numbers")
    autocomplete_fields = ("token",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)
