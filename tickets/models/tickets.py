"""Tickets, what is said about them, and how they hang together."""

from __future__ import annotations

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Upper
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from tickets.models.labels import OF_DEPENDENCIES, OF_TICKETS
from tickets.models.projects import Project, tenant_rule
from tickets.states import CLOSED, State, TaskState
from tickets.types import PLANNED, CommentKind, LinkKind, PlanStep, Priority, TicketType

SEARCH_VECTOR = SearchVector("key", "title", "description", config="simple")


class TicketQuerySet(models.QuerySet["Ticket"]):
    def visible_to(self, user: User) -> TicketQuerySet:
        """Those of tenants whose tickets `user` may view."""
        rule = tenant_rule(user, Capability.VIEW_TICKETS)
        return self if rule is None else self.filter(rule)

    def unclosed(self) -> TicketQuerySet:
        return self.exclude(state__in=CLOSED)

    def with_blocked(self) -> TicketQuerySet:
        """Each with `is_blocked`: whether it depends on a ticket that is neither resolved nor completed."""
        return self.annotate(is_blocked=_waits_for_another())

    def as_rows(self) -> TicketQuerySet:
        """With all that a row or a card shows of them; `is_stuck`: its stage ran out of attempts and waits for a person."""
        stuck = Exists(
            apps.get_model("tickets", "StageTask").objects.filter(ticket=OuterRef("pk"), state=TaskState.DEAD)
        )
        rows = self.with_blocked().annotate(is_stuck=stuck)
        return rows.select_related("project", "tenant", "parent").prefetch_related("assignees")

    def blocked(self, blocked: bool) -> TicketQuerySet:
        """Only those that wait for another ticket, or only those that wait for none."""
        return self.filter(_waits_for_another() if blocked else ~_waits_for_another())


def _waits_for_another() -> Exists:
    return Exists(Dependency.objects.filter(ticket=OuterRef("pk"), holds=True))


class Ticket(models.Model):
    """A piece of work with a plan; `progress` is the number of steps of the plan that are done.

    The plan is a value of the ticket, not rows of their own: it changes as a whole, under the ticket's version, and what
    happened at each step is on record in the stage tasks and the facts.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="tickets")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="tickets")
    key = models.CharField(max_length=100, help_text="As given, such as TICKET-001, or made from the project's prefix.")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="opened_tickets")
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=20, choices=TicketType.choices, default=TicketType.TASK)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.MEDIUM)
    labels = ArrayField(models.CharField(max_length=50), default=list, blank=True)
    assignees = models.ManyToManyField(User, related_name="assigned_tickets", blank=True)
    due_date = models.DateField(null=True, blank=True)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    depends_on = models.ManyToManyField(
        "self", symmetrical=False, through="Dependency", through_fields=("ticket", "blocker"), related_name="blocks"
    )

    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    plan = models.JSONField(default=list, blank=True, help_text='Steps: [{"stage": "developer", "gate": false}, …].')
    progress = models.PositiveSmallIntegerField(default=0, help_text="How many steps of the plan are done.")
    stage = models.CharField(max_length=100, blank=True, help_text="The step that is next; empty after the last.")
    last_completed_stage = models.CharField(max_length=100, default=PLANNED)
    round = models.PositiveIntegerField(default=1, help_text="Grows with each return to an earlier step.")
    version = models.PositiveIntegerField(default=1, help_text="Grows with each change of the ticket.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = TicketQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(Upper("key"), "tenant", name="ticket_key_once_per_tenant"),
            models.CheckConstraint(condition=Q(state__in=State.values), name="ticket_state_known"),
            models.CheckConstraint(condition=Q(priority__in=Priority.values), name="ticket_priority_known"),
            models.CheckConstraint(
                condition=Q(state__in=CLOSED, closed_at__isnull=False) | ~Q(state__in=CLOSED) & Q(closed_at=None),
                name="ticket_closed_with_a_time",
            ),
            models.CheckConstraint(condition=Q(parent=None) | ~Q(parent=F("pk")), name="ticket_is_not_its_own_parent"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="ticket_of_tenant"),
            # With what the filters ask for, so that counting and finding the newest does not touch the tickets.
            models.Index(
                fields=["tenant", "state", "-id"], include=["priority", "type"], name="ticket_of_tenant_by_state"
            ),
            models.Index(fields=["state", "-id"], include=["tenant", "priority", "type"], name="ticket_state"),
            models.Index(fields=["project", "-id"], name="ticket_of_project"),
            models.Index(fields=["project", "state", "-id"], name="ticket_project_state"),
            models.Index(fields=["stage", "-id"], condition=~Q(stage=""), name="ticket_by_stage"),
            models.Index(fields=["due_date"], condition=Q(due_date__isnull=False), name="ticket_due"),
            # For the beginning of a key; the unique one serves whole keys only, whatever the collation.
            models.Index(OpClass(Upper("key"), name="text_pattern_ops"), name="ticket_key_beginning"),
            GinIndex(fields=["labels"], name="ticket_labels"),
            GinIndex(SEARCH_VECTOR, name="ticket_text"),
        ]
        triggers = OF_TICKETS

    def __str__(self) -> str:
        return self.key

    @property
    def steps(self) -> list[PlanStep]:
        return [self.step(number) for number in range(len(self.plan))]

    def step(self, number: int) -> PlanStep:
        """One step, 0 for the first; plans are long, and most verbs look at one or two."""
        step = self.plan[number]
        return PlanStep(step["stage"], bool(step.get("gate")))

    @property
    def current_step(self) -> PlanStep | None:
        """The step that is next; None after the last, or without a plan."""
        return self.step(self.progress) if self.progress < len(self.plan) else None

    @property
    def at_gate(self) -> bool:
        step = self.current_step
        return step is not None and step.gate

    @property
    def gates_ahead(self) -> bool:
        """Whether a gate of the plan was not passed yet."""
        return any(step.gate for step in self.steps[self.progress :])

    @property
    def is_closed(self) -> bool:
        return self.state in CLOSED

    @property
    def priority_word(self) -> str:
        return Priority(self.priority).word


class Comment(models.Model):
    """What an account said about a ticket; `worker_id` is only a label it gave, the author is who it was."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=20, choices=CommentKind.choices, default=CommentKind.COMMENT)
    worker_type = models.CharField(max_length=100, blank=True)
    worker_id = models.CharField(max_length=200, blank=True)
    stage = models.CharField(max_length=100, blank=True)
    stage_number = models.IntegerField(default=0, help_text="1 for the first step; 0 before, 999 at the closing.")
    task = models.ForeignKey("StageTask", on_delete=models.SET_NULL, null=True, blank=True, related_name="comments")
    fence = models.PositiveBigIntegerField(null=True, blank=True, help_text="Of the claim it was written under.")
    content = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=CommentKind.values), name="comment_kind_known"),
            models.UniqueConstraint(
                fields=["task", "fence"], condition=Q(kind=CommentKind.STAGE), name="comment_one_per_completion"
            ),
        ]
        indexes = [models.Index(fields=["ticket", "id"], name="comment_of_ticket")]

    def __str__(self) -> str:
        return f"{self.author} on {self.ticket_id}"


class Dependency(models.Model):
    """`ticket` cannot be worked on before `blocker` is resolved or completed."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="dependencies")
    blocker = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="dependents")
    # Both are set by the database, here and where the blocker's state changes.
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, editable=False)
    holds = models.BooleanField(default=True, editable=False, help_text="Whether the blocker is not done yet.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name_plural = "dependencies"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "blocker"], name="dependency_once"),
            models.CheckConstraint(condition=~Q(ticket=F("blocker")), name="dependency_on_another"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-ticket"], condition=Q(holds=True), name="dependency_holds_in_tenant"),
            models.Index(fields=["-ticket"], condition=Q(holds=True), name="dependency_holds"),
        ]
        triggers = OF_DEPENDENCIES

    def __str__(self) -> str:
        return f"{self.ticket_id} needs {self.blocker_id}"


class TicketLink(models.Model):
    """Where else the ticket is spoken of: an issue, a commit, a pull request."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="links")
    kind = models.CharField(max_length=20, choices=LinkKind.choices, default=LinkKind.OTHER)
    url = models.URLField(max_length=1000)
    title = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["ticket", "url"], name="ticket_link_once"),
            models.CheckConstraint(condition=Q(kind__in=LinkKind.values), name="ticket_link_kind_known"),
        ]

    def __str__(self) -> str:
        return self.title or self.url
