"""What callers send to claim and work stages, register workers, and read events."""

from __future__ import annotations

from rest_framework import serializers

from core.rest import FlagField, ManyField, StrictQuery, StrictSerializer, TextField
from tickets.api.fields import ManyTexts, NumberField
from tickets.api.forms import BIG, PageQuery, TenantQuery
from tickets.selectors.events import COORDINATOR
from tickets.states import TaskState

WORKER_STATES = [(word, word) for word in ("active", "idle", "stopped")]
LONGEST_WAIT = 5


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
    lease_seconds = NumberField(required=False, default=None, min_value=1, max_value=BIG)
    ticket_id = TextField(required=False, default="", help_text="Only a stage of this ticket.")
    project_id = TextField(required=False, default="", help_text="Only a stage of this project's tickets.")
    wait = NumberField(
        required=False, default=0, min_value=0, max_value=LONGEST_WAIT,
        help_text="Seconds to wait for something to claim. Few callers can wait at once; the others are answered at once.",
    )  # fmt: skip


class FenceForm(StrictSerializer):
    """The proof of the claim."""

    fence = NumberField(min_value=0, max_value=BIG, help_text="From the answer to the claim.")


class HeartbeatForm(FenceForm):
    """How long to keep the task from now on."""

    lease_seconds = NumberField(required=False, default=None, min_value=1, max_value=BIG)


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
    silence_seconds = NumberField(required=False, default=600, min_value=1, max_value=BIG)


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
    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=BIG)
    limit = serializers.IntegerField(required=False, default=100, min_value=1, max_value=500)


class ProcessedForm(StrictSerializer):
    """Which events were dealt with, and how."""

    event_ids = serializers.ListField(child=NumberField(min_value=1, max_value=BIG), max_length=1000)
    consumer = TextField(required=False, default=COORDINATOR)
    resolution = TextField(required=False, default="")
