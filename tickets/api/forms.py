"""What callers of the REST face send: bodies and query parameters, exact in type and name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from core.rest import FlagField, ManyField, StrictQuery, StrictSerializer, TextField, WordField
from tickets.api.fields import CursorField, DayField, ManyTexts, NumberField, PlanField
from tickets.selectors import TicketFilter
from tickets.states import MOVES, State
from tickets.types import LinkKind, Priority, TicketContent, TicketType
from tickets.wire import read_priority

PRIORITIES = [(word, word) for word in Priority.words()]
BIG = 2**63 - 1


class NoFields(StrictSerializer):
    """An empty object, or no body at all."""


class TenantQuery(StrictQuery):
    """Which tenant, where a key is used in several."""

    tenant = serializers.CharField(
        required=False, default="", help_text="Slug; only where a key is in several tenants."
    )


class PageQuery(StrictQuery):
    """Which page, and how long."""

    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)
    cursor = CursorField(required=False, default=None, help_text="From the Link header of the page before.")


class TicketsQuery(PageQuery):
    """Which tickets; several states mean any of them."""

    project_id = serializers.CharField(required=False, default="")
    tenant = serializers.CharField(required=False, default="", help_text="Slug.")
    status = serializers.ChoiceField(choices=["open", "closed"], required=False, default="")
    state = ManyField(child=serializers.ChoiceField(choices=State.choices), required=False, default=list)
    stage = serializers.CharField(required=False, default="", help_text="The stage that is next.")
    type = serializers.ChoiceField(choices=TicketType.choices, required=False, default="")
    priority = serializers.ChoiceField(choices=PRIORITIES, required=False, default="")
    label = serializers.CharField(required=False, default="")  # type: ignore[assignment]
    assignee = serializers.CharField(required=False, default="", help_text="E-mail address.")
    author = serializers.CharField(required=False, default="", help_text="E-mail address.")
    parent = serializers.CharField(required=False, default="", help_text="Key.")  # type: ignore[assignment]
    blocked = serializers.BooleanField(required=False, allow_null=True, default=None)
    due_before = serializers.DateField(required=False, default=None)
    q = serializers.CharField(
        required=False, default="", max_length=200,
        help_text='Words of key, title and description; "…" for phrases, - for not, or. Or the beginning of a key.',
    )  # fmt: skip


def filter_from(query: Mapping[str, Any]) -> TicketFilter:
    """The filter that a list query describes."""
    same = ("tenant", "status", "stage", "type", "label", "assignee", "author", "parent", "blocked", "due_before", "q")
    return TicketFilter(
        project=query["project_id"],
        states=tuple(query["state"]),
        priority=Priority[query["priority"].upper()] if query["priority"] else None,
        **{name: query[name] for name in same},
    )


class TicketForm(StrictSerializer):
    """What a ticket says of itself."""

    title = TextField()
    description = TextField(help_text="Markdown; it is the first comment.")
    execution_plan = PlanField(help_text="Worker types in the order of their stages; gates as objects.")
    type = WordField(choices=TicketType.choices)
    priority = WordField(choices=PRIORITIES)
    labels = ManyTexts()
    assignees = ManyTexts(help_text="E-mail addresses of people who may see tickets of the tenant.")
    due_date = DayField(allow_null=True)
    parent = TextField(allow_null=True, help_text="Key, same tenant.")  # type: ignore[assignment]


class OpenTicket(TicketForm):
    """A new ticket."""

    ticket_id = TextField(required=False, default="", help_text="Its key; made from the project's prefix if left out.")
    project_id = TextField(help_text="The project, such as test/project; made if there is none yet.")
    tenant = TextField(required=False, default="", help_text="Slug; may be left out by people of one tenant.")
    description = TextField(required=False, default="", help_text="Markdown; it is the first comment.")
    execution_plan = PlanField(required=False, default=())
    type = WordField(choices=TicketType.choices, required=False, default=TicketType.TASK.value)
    priority = WordField(choices=PRIORITIES, required=False, default="medium")
    labels = ManyTexts(required=False, default=list)
    assignees = ManyTexts(required=False, default=list)
    due_date = DayField(required=False, allow_null=True, default=None)
    parent = TextField(required=False, allow_null=True, default=None)


def content_from(form: Mapping[str, Any]) -> TicketContent:
    """The content that an open form describes."""
    return TicketContent(
        title=form["title"],
        description=form["description"],
        plan=tuple(form["execution_plan"]),
        type=form["type"],
        priority=read_priority(form["priority"]),
        labels=tuple(form["labels"]),
        assignees=tuple(form["assignees"]),
        due_date=form["due_date"],
        parent=form["parent"] or "",
    )


class VersionForm(StrictSerializer):
    """The version that was read; `If-Match` says the same."""

    version = NumberField(required=False, default=None, min_value=1, max_value=BIG)


class EditTicket(TicketForm):
    """What is to change; what is left out stays."""

    version = NumberField(required=False, default=None, min_value=1, max_value=BIG)

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


def changes_from(form: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `edit_ticket` that an edit form describes."""
    changes = {name: value for name, value in form.items() if name not in {"version", "execution_plan"}}
    for name in ("labels", "assignees"):
        if name in changes:
            changes[name] = tuple(changes[name])
    for name in ("due_date", "parent"):
        if name in changes:
            changes[name] = changes[name] or ""
    if "priority" in changes:
        changes["priority"] = read_priority(changes["priority"])
    if "execution_plan" in form:
        changes["plan"] = tuple(form["execution_plan"])
    return changes


class MoveForm(VersionForm):
    """Which step of a ticket's life; approve and decline take the scope tickets:decide."""

    verb = WordField(choices=[(verb, verb) for verb in MOVES])
    comment = TextField(required=False, default="", help_text="Needed to decline.")


class CloseForm(VersionForm):
    """How it ends."""

    status = WordField(choices=[("completed", "completed"), ("stopped", "stopped")])
    comment = TextField(required=False, default="")


class QueueForm(StrictSerializer):
    """The next stage, for a worker of its type."""

    worker_type = TextField(required=False, default="", help_text="Refused if it is not the next stage.")
    even_without_worker = FlagField(required=False, default=False, help_text="Also if no worker of the type is there.")


class StageForm(VersionForm):
    """Which stage was completed last."""

    last_completed_stage = TextField(help_text="The next stage, an earlier one to go back after it, or Planned.")
    comment = TextField(required=False, default="")


class BackForm(VersionForm):
    """Where to go back to, and why."""

    reason = TextField()
    to_step = NumberField(required=False, default=None, min_value=0, max_value=1000, help_text="0 for the first stage.")


class GateForm(VersionForm):
    """Pass or decline the gate that the plan waits at."""

    approve = FlagField()
    comment = TextField(required=False, default="", help_text="Needed to decline.")
    back_to_step = NumberField(required=False, default=None, min_value=0, max_value=1000)


class TicketCommentForm(StrictSerializer):
    """Something to have on record; the author is the account, the rest are labels."""

    content = TextField(help_text="Markdown.")
    worker_type = TextField(required=False, default="")
    worker_id = TextField(required=False, default="")
    stage_number = NumberField(required=False, default=None, min_value=-1, max_value=9999)


class DependencyForm(StrictSerializer):
    """The ticket that has to be resolved or completed first."""

    blocker = TextField(help_text="Key of a ticket of the same tenant.")


class LinkForm(StrictSerializer):
    """Where else the ticket is spoken of."""

    url = TextField()
    kind = WordField(choices=LinkKind.choices, required=False, default=LinkKind.OTHER.value)
    title = TextField(required=False, default="")


class CommentsQuery(PageQuery):
    """Which page of the comments, oldest first."""

    tenant = serializers.CharField(required=False, default="")
