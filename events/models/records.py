"""Events: the deployments, operations, drifts, incidents and RPA runs that people and tools record."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Left
from django.utils import timezone

from accounts.models import ApiToken, Tenant
from accounts.roles import Capability
from events.tracker import vocabulary as words
from events.tracker.ids import new_id
from events.tracker.rights import Actor, open_tenants

# Title, and the beginning of the message: hashes and ids further down would make the index grow without use.
SEARCHED_TEXT = SearchVector(F("title"), Left(F("message"), 300), config="simple")


class EventQuerySet(models.QuerySet["Event"]):
    def visible_to(self, actor: Actor) -> EventQuerySet:
        """Events of the tenants where `actor` may view events."""
        return self.filter(tenant__in=open_tenants(actor, Capability.VIEW_EVENTS))

    def newest_first(self) -> EventQuerySet:
        return self.order_by("-happened_at", "-id")


class Event(models.Model):
    """One occurrence, edited by whoever records it; its history is in its changes and in the fact log."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    title = models.TextField()
    message = models.TextField(blank=True)
    source = models.CharField(max_length=200, blank=True, help_text="Where it comes from, such as github_actions.")
    type = models.PositiveSmallIntegerField(choices=words.choices_of(words.Type))
    priority = models.PositiveSmallIntegerField(choices=words.choices_of(words.Priority), default=0)
    service = models.CharField(max_length=200)
    status = models.PositiveSmallIntegerField(choices=words.choices_of(words.Status), default=0)
    environment = models.PositiveSmallIntegerField(choices=words.choices_of(words.Environment), default=0)
    impact = models.PositiveSmallIntegerField(default=0, help_text="0 for none, 1 (low) to 3 (high).")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    happened_at = models.DateTimeField(help_text="Its start, or when it was recorded where no start is given.")
    owner = models.CharField(max_length=200, blank=True)
    stakeholders = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    notification = models.BooleanField(default=False)
    notifications = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    pull_request_link = models.CharField(max_length=2000, blank=True)
    ticket = models.CharField(max_length=200, blank=True)
    related = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="followers", db_index=False
    )
    slack_id = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by = models.CharField(max_length=300, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    duration = models.DurationField(null=True, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["-happened_at", "-id"]
        constraints = [
            models.CheckConstraint(condition=Q(type__range=(1, 5)), name="event_type_known"),
            models.CheckConstraint(condition=Q(priority__range=(0, 5)), name="event_priority_known"),
            models.CheckConstraint(condition=Q(status__range=(0, 14)), name="event_status_known"),
            models.CheckConstraint(condition=Q(environment__range=(0, 8)), name="event_environment_known"),
            models.CheckConstraint(condition=Q(impact__range=(0, words.MAX_IMPACT)), name="event_impact_known"),
            models.CheckConstraint(condition=~Q(service=""), name="event_names_a_service"),
        ]
        # Each begins with the tenant (so that one tenant's size is not another's wait) and ends with the order of
        # pages: any single filter, with or without dates, is one descent, whether it matches a million rows or none.
        indexes = [
            models.Index(fields=["tenant", "happened_at", "id"], name="event_by_time"),
            models.Index(fields=["tenant", "service", "happened_at", "id"], name="event_by_service"),
            models.Index(fields=["tenant", "type", "environment", "happened_at", "id"], name="event_by_type"),
            models.Index(fields=["tenant", "environment", "happened_at", "id"], name="event_by_environment"),
            models.Index(fields=["tenant", "status", "happened_at", "id"], name="event_by_status"),
            models.Index(fields=["tenant", "priority", "happened_at", "id"], name="event_by_priority"),
            models.Index(fields=["tenant", "source", "happened_at", "id"], name="event_by_source"),
            models.Index(fields=["tenant", "owner", "happened_at", "id"], name="event_by_owner"),
            models.Index(fields=["tenant", "created_at"], name="event_by_creation"),
            models.Index(
                fields=["tenant", "impact", "happened_at", "id"], condition=Q(impact__gt=0), name="event_with_impact"
            ),
            models.Index(
                fields=["tenant", "ticket", "happened_at", "id"], condition=~Q(ticket=""), name="event_of_ticket"
            ),
            models.Index(fields=["tenant", "slack_id"], condition=~Q(slack_id=""), name="event_by_slack_id"),
            models.Index(fields=["related", "happened_at", "id"], condition=~Q(related=None), name="event_related"),
            GinIndex(SEARCHED_TEXT, name="event_text"),
        ]

    def __str__(self) -> str:
        return self.title


class EventChange(models.Model):
    """One line of an event's changelog; its first line, `created`, is told by the event itself."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="changes", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    user = models.CharField(max_length=300, blank=True)
    type = models.PositiveSmallIntegerField(choices=words.choices_of(words.ChangeType), default=0)
    field = models.CharField(max_length=200, blank=True)
    old_value = models.TextField(blank=True)
    new_value = models.TextField(blank=True)
    comment = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["event", "id"], name="change_of_event")]

    def __str__(self) -> str:
        return f"{words.ChangeType(self.type).name} by {self.user}"


class StatusNumbers(models.TextChoices):
    """Whose numbers a client means when it sends a status as a number."""

    GUIDE = "guide", "as the events guide has them"
    WIRE = "wire", "as Tracker's own interface has them"


class TrackerClient(models.Model):
    """A token that was handed to an existing Tracker client, and how that client counts."""

    token = models.OneToOneField(ApiToken, on_delete=models.CASCADE, primary_key=True, related_name="tracker_client")
    status_numbers = models.CharField(max_length=10, choices=StatusNumbers.choices, default=StatusNumbers.WIRE)

    def __str__(self) -> str:
        return f"{self.token}: {self.status_numbers}"
