"""What the REST face answers, for its description; the documents themselves are made in tickets/wire.py."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from tickets.states import State, TaskState
from tickets.types import CommentKind, LinkKind, Priority, TicketType

PRIORITIES = [(word, word) for word in Priority.words()]
STATUSES = [(word, word) for word in ("open", "closed")]
RESOLUTIONS = [(word, word) for word in ("completed", "stopped")]
PRESENCES = [(word, word) for word in ("active", "idle", "stopped")]

Answer = serializers.Serializer[Any]


class TicketRow(Answer):
    """What a list shows of a ticket."""

    ticket_id = serializers.CharField()
    project_id = serializers.CharField()
    tenant = serializers.CharField()
    title = serializers.CharField()
    type = serializers.ChoiceField(TicketType.choices)
    priority = serializers.ChoiceField(PRIORITIES)
    labels = serializers.ListField(child=serializers.CharField())
    assignees = serializers.ListField(child=serializers.EmailField())
    due_date = serializers.DateField(allow_null=True)
    parent = serializers.CharField(allow_null=True)  # type: ignore[assignment]
    state = serializers.ChoiceField(State.choices)
    status = serializers.ChoiceField(STATUSES)
    execution_plan = serializers.ListField(child=serializers.CharField())
    last_completed_stage = serializers.CharField(help_text="Planned at first.")
    current_stage = serializers.CharField(allow_null=True, help_text="The stage that is next.")
    progress = serializers.IntegerField(help_text="How many stages are done.")
    round = serializers.IntegerField(help_text="Grows with each return to an earlier stage.")
    blocked = serializers.BooleanField(help_text="It waits for another ticket.")
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class Step(Answer):
    """One stage of the plan."""

    stage = serializers.CharField()
    gate = serializers.BooleanField()
    done = serializers.BooleanField()


class Blocker(Answer):
    """A ticket that has to come first."""

    ticket_id = serializers.CharField()
    state = serializers.ChoiceField(State.choices)


class Link(Answer):
    """Where else a ticket is spoken of."""

    link_id = serializers.IntegerField()
    kind = serializers.ChoiceField(LinkKind.choices)
    url = serializers.URLField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="StageTask")
class Task(Answer):
    """One claimable piece of work."""

    task_id = serializers.IntegerField()
    ticket_id = serializers.CharField()
    project_id = serializers.CharField()
    worker_type = serializers.CharField()
    queue_name = serializers.CharField()
    stage_number = serializers.IntegerField(help_text="1 for the first stage.")
    round = serializers.IntegerField()
    state = serializers.ChoiceField(TaskState.choices)
    attempt = serializers.IntegerField()
    max_attempts = serializers.IntegerField()
    fence = serializers.IntegerField(help_text="Grows with each claim.")
    worker_id = serializers.CharField(allow_null=True)
    lease_until = serializers.DateTimeField(allow_null=True)
    lease_seconds_left = serializers.IntegerField()
    next_at = serializers.DateTimeField()
    last_error = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    claimed_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(component_name="QueuedStageTask")
class QueuedTask(Task):
    """A queued task; any worker of the type may claim it."""

    hint_worker_id = serializers.CharField(allow_null=True, help_text="Who is likely to take it.")


class Ticket(TicketRow):
    """The whole ticket."""

    description = serializers.CharField()
    author = serializers.EmailField()
    plan = Step(many=True)
    depends_on = Blocker(many=True)
    blocks = serializers.ListField(child=serializers.CharField())
    children = serializers.ListField(child=serializers.CharField())
    links = Link(many=True)
    tasks = Task(many=True, help_text="The open ones.")


@extend_schema_serializer(component_name="ClaimedStageTask")
class ClaimedTask(Task):
    """A task that is yours while its lease runs."""

    ticket = TicketRow()
    description = serializers.CharField()


@extend_schema_serializer(component_name="TicketComment")
class Comment(Answer):
    """What someone said; the author is the account, worker_id only a label."""

    comment_id = serializers.IntegerField()
    ticket_id = serializers.CharField()
    kind = serializers.ChoiceField(CommentKind.choices)
    author = serializers.EmailField()
    worker_type = serializers.CharField(allow_null=True)
    worker_id = serializers.CharField(allow_null=True)
    stage = serializers.CharField(allow_null=True)
    stage_number = serializers.IntegerField()
    content = serializers.CharField(help_text="Markdown.")
    created_at = serializers.DateTimeField()


class Completion(Answer):
    """What completing a stage did."""

    ticket_id = serializers.CharField()
    completed_stage = serializers.CharField()
    last_completed_stage = serializers.CharField()
    current_stage = serializers.CharField(allow_null=True)
    plan_completed = serializers.BooleanField()
    comment_id = serializers.IntegerField(allow_null=True)
    next_task_id = serializers.IntegerField(allow_null=True)
    late = serializers.BooleanField(help_text="The lease had run out, but nobody had taken over.")
    version = serializers.IntegerField()


class Reason(Answer):
    """One rule that stands against a claim."""

    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField(required=False)


class ClaimAnswer(Answer):
    """Whether a stage can be claimed now, and why not."""

    claimable = serializers.BooleanField()
    reasons = Reason(many=True)


class Queue(Answer):
    """What waits for one worker type."""

    queue_name = serializers.CharField()
    worker_type = serializers.CharField()
    queued = serializers.IntegerField()
    claimed = serializers.IntegerField()
    failed = serializers.IntegerField()
    dead = serializers.IntegerField()
    waiting_for_person = serializers.IntegerField()


class Worker(Answer):
    """A program that works stages of one type."""

    worker_id = serializers.CharField()
    worker_type = serializers.CharField()
    queue_name = serializers.CharField()
    project_id = serializers.CharField(allow_null=True)
    tenant = serializers.CharField()
    owner = serializers.EmailField()
    status = serializers.ChoiceField(PRESENCES)
    capabilities = serializers.ListField(child=serializers.CharField())
    registered_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    silence_seconds = serializers.IntegerField()
    stopped_at = serializers.DateTimeField(allow_null=True)
    stop_reason = serializers.CharField(allow_null=True)


class Project(Answer):
    """What tickets are grouped by."""

    project_id = serializers.CharField()
    name = serializers.CharField()
    tenant = serializers.CharField()
    prefix = serializers.CharField()
    settings = serializers.DictField()
    created_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="TicketEvent")
class Event(Answer):
    """Something that happened to a ticket or worker."""

    event_id = serializers.IntegerField(help_text="Its place in the log.")
    event_type = serializers.CharField(help_text="Such as ticket_stage_completed.")
    type = serializers.CharField(help_text="The fact's own name, such as ticket.stage_completed.")
    ticket_id = serializers.CharField(allow_null=True)
    project_id = serializers.CharField(allow_null=True)
    tenant = serializers.CharField(allow_null=True)
    worker_id = serializers.CharField(allow_null=True)
    stage = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_null=True)
    actor = serializers.CharField()
    processed = serializers.BooleanField()
    resolution = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]


@extend_schema_serializer(component_name="TicketEventPage")
class EventPage(Answer):
    """Some events; read on from `cursor`."""

    events = Event(many=True)
    cursor = serializers.IntegerField()
    more = serializers.BooleanField()


class MarkedEvents(Answer):
    """How many were newly marked."""

    processed = serializers.IntegerField()
