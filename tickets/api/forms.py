"""What callers of the REST face send: bodies and query parameters, exact in type and name."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest import FlagField, ManyField, StrictQuery, StrictSerializer, TextField, WordField
from tickets.selectors import TicketFilter
from tickets.selectors.events import COORDINATOR
from tickets.states import MOVES, State, TaskState
from tickets.types import LinkKind, Priority, TicketContent, TicketType
from tickets.wire import read_plan

PRIORITIES = [(word, word) for word in Priority.words()]
WORKER_STATES = [(word, word) for word in ("active", "idle", "stopped")]
LONGEST_WAIT = 5
_CURSOR = re.compile(r"[1-9][0-9]{0,17}")
_BIG = 2**63 - 1


class NumberField(serializers.IntegerField):
    """A whole number; no text or true stands for one."""

    default_error_messages = {"invalid": "Give a whole number, without quotes.", "null": "Give a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


@extend_schema_field(
    {
        "type": "array",
        "items": {
            "oneOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"stage": {"type": "string"}, "gate": {"type": "boolean"}},
                    "required": ["stage"],
                    "additionalProperties": False,
                },
            ]
        },
    }
)
class PlanField(serializers.Field[Any, Any, Any, Any]):
    """Stages in order: worker types, or {"stage": …, "gate": true} for one that waits for a person."""

    default_error_messages = {
        "list": "Give a list of stages.",
        "null": "Give a list of stages; empty for none.",
        "step": 'Stage {number} is neither a worker type nor {{"stage": …, "gate": …}}.',
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, list):
            self.fail("list")
        for number, item in enumerate(data, start=1):
            if not (isinstance(item, str) or _is_step(item)):
                self.fail("step", number=number)
        return read_plan(data)

    def to_representation(self, value: Any) -> Any:
        return value


def _is_step(item: Any) -> bool:
    return (
        isinstance(item, dict)
        and set(item) <= {"stage", "gate"}
        and isinstance(item.get("stage"), str)
        and isinstance(item.get("gate", False), bool)
    )


class DayField(serializers.DateField):
    """A day such as 2030-12-24."""

    default_error_messages = {"invalid": "Give a day such as 2030-12-24."}

    def to_internal_value(self, value: Any) -> dt.date:
        if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class ManyTexts(serializers.ListField):
    """A list of texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": TextField(), "max_length": 200, **options})


class CursorField(serializers.CharField):
    """Where a page begins, as the Link header of the page before says."""

    default_error_messages = {"cursor": "Take the cursor from the Link header of the page before; do not make one."}

    def to_internal_value(self, data: Any) -> int:  # type: ignore[override]
        try:
            text = base64.urlsafe_b64decode(str(data).encode() + b"==").decode()
        except (binascii.Error, UnicodeError):
            self.fail("cursor")
        if not _CURSOR.fullmatch(text):
            self.fail("cursor")
        return int(text)


def cursor_text(position: int) -> str:
    """The position as it stands in a link."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


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
        priority=Priority[form["priority"].upper()],
        labels=tuple(form["labels"]),
        assignees=tuple(form["assignees"]),
        due_date=form["due_date"],
        parent=form["parent"] or "",
    )


class VersionForm(StrictSerializer):
    """The version that was read; `If-Match` says the same."""

    version = NumberField(required=False, default=None, min_value=1, max_value=_BIG)


class EditTicket(TicketForm):
    """What is to change; what is left out stays."""

    version = NumberField(required=False, default=None, min_value=1, max_value=_BIG)

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
        changes["priority"] = Priority[changes["priority"].upper()]
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


class ClaimableQuery(TenantQuery):
    """For whom."""

    worker_id = serializers.CharField(required=False, default="")
    worker_type = serializers.CharField(required=False, default="")


class TasksQuery(PageQuery):
    """Which tasks; the open ones if no state is named."""

    state = ManyField(child=serializers.ChoiceField(choices=TaskState.choices), required=False, default=list)
    worker_type = serializers.CharField(required=False, default="")
    worker_id = serializers.CharField(required=False, default="")
    ticket_id = serializers.CharField(required=False, default="")
    tenant = serializers.CharField(required=False, default="")


class ClaimForm(StrictSerializer):
    """Who wants to work, and on what."""

    worker_id = TextField()
    tenant = TextField(required=False, default="")
    lease_seconds = NumberField(required=False, default=None, min_value=1, max_value=_BIG)
    ticket_id = TextField(required=False, default="", help_text="Only a stage of this ticket.")
    project_id = TextField(required=False, default="", help_text="Only a stage of this project's tickets.")
    wait = NumberField(
        required=False, default=0, min_value=0, max_value=LONGEST_WAIT,
        help_text="Seconds to wait for something to claim. Few callers can wait at once; the others are answered at once.",
    )  # fmt: skip


class FenceForm(StrictSerializer):
    """The proof of the claim."""

    fence = NumberField(min_value=0, max_value=_BIG, help_text="From the answer to the claim.")


class HeartbeatForm(FenceForm):
    """How long to keep the task from now on."""

    lease_seconds = NumberField(required=False, default=None, min_value=1, max_value=_BIG)


class CompleteForm(FenceForm):
    """What was done."""

    comment = TextField(required=False, default="", help_text="Markdown.")


class FailForm(FenceForm):
    """What went wrong."""

    error = TextField()
    retry = FlagField(required=False, default=True, help_text="false: a person has to look at once.")


class ReleaseForm(FenceForm):
    """Why, if one wants to say."""

    reason = TextField(required=False, default="")


class WorkersQuery(PageQuery):
    """Which workers."""

    worker_type = serializers.CharField(required=False, default="")
    status = serializers.ChoiceField(choices=WORKER_STATES, required=False, default="")


class RegisterForm(StrictSerializer):
    """A worker under my account."""

    worker_id = TextField()
    worker_type = TextField()
    tenant = TextField(required=False, default="")
    project_id = TextField(required=False, default="", help_text="The only project it works for.")
    capabilities = ManyTexts(required=False, default=list)
    silence_seconds = NumberField(required=False, default=600, min_value=1, max_value=_BIG)


class StopForm(StrictSerializer):
    """Why, if one wants to say."""

    reason = TextField(required=False, default="")


class ProjectForm(StrictSerializer):
    """A project."""

    project_id = TextField()
    tenant = TextField(required=False, default="")
    name = TextField(required=False, default="")
    prefix = TextField(required=False, default="", help_text="Of generated keys; made from the project's name.")


class EditProjectForm(StrictSerializer):
    """What is to change."""

    name = TextField(required=False)
    settings = serializers.DictField(required=False, child=serializers.JSONField(allow_null=True))


class EventsQuery(StrictQuery):
    """Which events; those a coordinator acts on, if no type is named."""

    processed = serializers.BooleanField(required=False, allow_null=True, default=None)
    consumer = serializers.CharField(required=False, default=COORDINATOR)
    event_type = ManyField(child=serializers.CharField(), required=False, default=list, help_text="Or `all`.")
    ticket_id = serializers.CharField(required=False, default="")
    tenant = serializers.CharField(required=False, default="")
    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=_BIG)
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=500)


class ProcessedForm(StrictSerializer):
    """Which events were dealt with, and how."""

    event_ids = serializers.ListField(child=NumberField(min_value=1, max_value=_BIG), max_length=1000)
    consumer = TextField(required=False, default=COORDINATOR)
    resolution = TextField(required=False, default="")
