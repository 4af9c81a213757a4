"""Stage tasks, which workers claim, and the workers."""

from __future__ import annotations

import datetime as dt

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Upper
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from core.clock import now
from tickets.models.projects import Project, tenant_rule
from tickets.models.tickets import Ticket
from tickets.states import TASK_OPEN, TASK_READY, TaskState
from tickets.types import Priority


class WorkerQuerySet(models.QuerySet["Worker"]):
    def visible_to(self, user: User) -> WorkerQuerySet:
        """Those of tenants whose tickets `user` may view."""
        rule = tenant_rule(user, Capability.VIEW_TICKETS)
        return self if rule is None else self.filter(rule)

    def present(self) -> WorkerQuerySet:
        """Neither stopped nor silent for longer than they said they would be."""
        return self.filter(stopped_at=None, silent_at__gt=now())

    def with_load(self) -> WorkerQuerySet:
        """Each with `is_busy`: whether it holds a task by a lease that still runs."""
        return self.annotate(is_busy=_holds_a_task())

    def busy(self, busy: bool) -> WorkerQuerySet:
        """Only those that hold a task, or only those that hold none."""
        return self.filter(_holds_a_task() if busy else ~_holds_a_task())


def _holds_a_task() -> Exists:
    return Exists(StageTask.objects.filter(claimed_by=OuterRef("pk"), state=TaskState.CLAIMED, lease_until__gt=now()))


class Worker(models.Model):
    """A program that works stages of one type, registered under the account whose token it uses."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="workers")
    worker_id = models.CharField(max_length=200, help_text="As it calls itself, such as architect-1.")
    worker_type = models.CharField(max_length=100, help_text="The stage it works, such as architect.")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, null=True, blank=True, related_name="workers",
        help_text="The only project it works for; empty: all of the tenant.",
    )  # fmt: skip
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="workers")
    capabilities = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    registered_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now)
    silence_seconds = models.PositiveIntegerField(
        default=600, help_text="Not heard of for this long, it counts as gone."
    )
    silent_at = models.DateTimeField(default=timezone.now, help_text="When it counts as gone, if nothing is heard.")
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=500, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["worker_type", "worker_id"]
        constraints = [models.UniqueConstraint(Upper("worker_id"), "tenant", name="worker_id_once_per_tenant")]
        indexes = [
            models.Index(fields=["tenant", "worker_type"], condition=Q(stopped_at=None), name="worker_of_type"),
            models.Index(fields=["silent_at"], condition=Q(stopped_at=None), name="worker_falling_silent"),
        ]

    def __str__(self) -> str:
        return self.worker_id

    @property
    def is_present(self) -> bool:
        return self.stopped_at is None and self.silent_at > now()

    @property
    def status(self) -> str:
        """active (holds a task), idle, or stopped (also when it fell silent)."""
        if not self.is_present:
            return "stopped"
        busy = getattr(self, "is_busy", None)
        if busy is None:
            busy = self.claimed_tasks.filter(state=TaskState.CLAIMED, lease_until__gt=now()).exists()
        return "active" if busy else "idle"

    @property
    def queue_name(self) -> str:
        return f"{self.worker_type}-queue"


class StageTaskQuerySet(models.QuerySet["StageTask"]):
    def visible_to(self, user: User) -> StageTaskQuerySet:
        """Those of tenants whose tickets `user` may view."""
        rule = tenant_rule(user, Capability.VIEW_TICKETS)
        return self if rule is None else self.filter(rule)

    def open(self) -> StageTaskQuerySet:
        return self.filter(state__in=TASK_OPEN)


class StageTask(models.Model):
    """One claimable piece of work: a step of a ticket's plan in one round.

    `fence` grows with each claim and each cancellation: whoever holds an older one has lost the task. `turn` spreads the
    projects fairly, see services/queue.py.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="tasks")
    step = models.PositiveSmallIntegerField(help_text="Its place in the plan, from 0.")
    round = models.PositiveIntegerField(default=1)
    worker_type = models.CharField(max_length=100)
    state = models.CharField(max_length=20, choices=TaskState.choices, default=TaskState.QUEUED)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    turn = models.BigIntegerField(default=0)
    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=5)
    fence = models.PositiveBigIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, help_text="When it may be claimed, if it is queued or failed.")
    lease_until = models.DateTimeField(null=True, blank=True)
    claimed_by = models.ForeignKey(
        Worker, on_delete=models.SET_NULL, null=True, blank=True, related_name="claimed_tasks"
    )
    claimed_account = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    claimed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = StageTaskQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=TaskState.values), name="stage_task_state_known"),
            models.CheckConstraint(
                condition=~Q(state=TaskState.CLAIMED) | Q(lease_until__isnull=False, claimed_account__isnull=False),
                name="stage_task_claimed_by_someone_until",
            ),
            models.UniqueConstraint(
                fields=["ticket", "step"], condition=Q(state__in=TASK_OPEN), name="stage_task_one_open_per_step"
            ),
            models.UniqueConstraint(
                fields=["ticket", "step", "round"],
                condition=Q(state=TaskState.DONE),
                name="stage_task_done_once_per_round",
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "worker_type", "priority", "turn", "id"],
                condition=Q(state__in=TASK_READY),
                name="stage_task_ready",
            ),
            models.Index(
                fields=["project", "worker_type", "priority", "turn"],
                condition=Q(state__in=TASK_READY),
                name="stage_task_turns",
            ),
            models.Index(
                fields=["tenant", "worker_type", "lease_until"],
                condition=Q(state=TaskState.CLAIMED),
                name="stage_task_leases",
            ),
            models.Index(fields=["tenant", "-id"], condition=Q(state__in=TASK_OPEN), name="stage_task_open"),
            models.Index(fields=["ticket", "id"], name="stage_task_of_ticket"),
        ]

    def __str__(self) -> str:
        return f"{self.worker_type} of ticket {self.ticket_id}"

    @property
    def stage_number(self) -> int:
        return self.step + 1

    @property
    def lease_runs(self) -> bool:
        return self.state == TaskState.CLAIMED and self.lease_until is not None and self.lease_until > now()

    @property
    def seconds_left(self) -> int:
        """Of the lease; 0 when there is none or it ran out."""
        left = (self.lease_until - now()) if self.lease_runs and self.lease_until else dt.timedelta()
        return max(0, int(left.total_seconds()))
