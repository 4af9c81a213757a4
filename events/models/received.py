"""What comes from outside as CDEvents: events as received, separate links, and the dead letters of those refused."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from events.models.sources import EventSource, InboundDelivery
from events.tracker.rights import Actor, open_tenants


class OfTenants(models.QuerySet[Any]):
    """Rows of tenants where someone may view events."""

    def visible_to(self, actor: Actor) -> OfTenants:
        return self.filter(tenant__in=open_tenants(actor, Capability.VIEW_EVENTS))


class Mode(models.TextChoices):
    """How it came."""

    BARE = "bare"
    BINARY = "binary"
    STRUCTURED = "structured"
    BATCH = "batch"
    WEBHOOK = "webhook"


class ReceivedEvent(models.Model):
    """One CDEvent as it was received; never changed."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=1000, help_text="context.source")
    event_id = models.CharField(max_length=300, help_text="context.id; unique within its source.")
    type = models.CharField(max_length=200, help_text="The whole type string.")
    subject = models.CharField(max_length=80, help_text="Of the type, such as service.")
    predicate = models.CharField(max_length=80, help_text="Of the type, such as deployed.")
    version = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=600)
    subject_source = models.CharField(max_length=2000, blank=True)
    chain_id = models.CharField(max_length=300, blank=True)
    happened_at = models.DateTimeField(help_text="context.timestamp")
    tickets = ArrayField(models.CharField(max_length=100), default=list, help_text="Tickets it names that exist.")
    mentions = ArrayField(models.CharField(max_length=100), default=list, help_text="Keys it names without a ticket.")
    body = models.JSONField(help_text="The CDEvent.")
    raw = models.TextField(help_text="What was received, to the letter: with its CloudEvents envelope if it had one.")
    attributes = models.JSONField(default=dict, help_text="The CloudEvents headers of binary mode.")
    digest = models.CharField(max_length=64, help_text="Of the CDEvent; tells a repetition from another event.")
    mode = models.CharField(max_length=10, choices=Mode.choices)
    spec = models.CharField(max_length=20, help_text="The schemas it keeps to; newer: a version we do not know.")
    unverified_schema = models.CharField(max_length=2000, blank=True, help_text="Its schemaUri, which is not fetched.")
    received_at = models.DateTimeField(default=timezone.now)
    received_from = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    webhook = models.ForeignKey(EventSource, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    objects = OfTenants.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "source", "event_id"], name="received_once"),
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="received_mode_known"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="received_of_tenant"),
            models.Index(fields=["tenant", "event_id"], name="received_by_context_id"),
            models.Index(fields=["tenant", "subject", "subject_id"], name="received_by_subject"),
            models.Index(fields=["tenant", "chain_id"], condition=~Q(chain_id=""), name="received_by_chain"),
            GinIndex(fields=["tickets"], name="received_by_ticket"),
            GinIndex(fields=["mentions"], name="received_by_mention"),
        ]

    def __str__(self) -> str:
        return f"{self.subject}.{self.predicate} {self.subject_id}"[:200]


class ReceivedLink(models.Model):
    """One link that was sent by itself: START, PATH, RELATION or END of a chain."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    type = models.CharField(max_length=10)
    kind = models.CharField(max_length=200, blank=True, help_text="linkKind of a RELATION.")
    chain_id = models.CharField(max_length=300)
    happened_at = models.DateTimeField(help_text="Its timestamp.")
    body = models.JSONField()
    digest = models.CharField(max_length=64)
    received_at = models.DateTimeField(default=timezone.now)
    received_from = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    objects = OfTenants.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="link_once")]
        indexes = [models.Index(fields=["tenant", "chain_id"], name="link_by_chain")]

    def __str__(self) -> str:
        return f"{self.type} of {self.chain_id}"[:200]


class LetterState(models.TextChoices):
    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DeadLetter(models.Model):
    """Something received that could not be accepted: kept as it came, with the reason, until a person settles it."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(max_length=10, choices=LetterState.choices, default=LetterState.WAITING)
    code = models.CharField(max_length=40, help_text="Why, for programs.")
    reason = models.TextField(help_text="Why, for people.")
    field = models.CharField(max_length=300, blank=True, help_text="What in it is at fault.")
    mode = models.CharField(max_length=10, choices=Mode.choices)
    source = models.CharField(max_length=2000, blank=True)
    event_id = models.CharField(max_length=500, blank=True)
    type = models.CharField(max_length=200, blank=True)
    raw = models.TextField(help_text="What was received, to the letter.")
    attributes = models.JSONField(default=dict, help_text="The CloudEvents headers of binary mode.")
    digest = models.CharField(max_length=64)
    times = models.PositiveIntegerField(default=1, help_text="How often exactly this was received.")
    tries = models.PositiveIntegerField(default=0, help_text="How often it was played again.")
    received_at = models.DateTimeField(default=timezone.now)
    received_from = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    delivery = models.ForeignKey(InboundDelivery, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    accepted = models.ForeignKey(ReceivedEvent, on_delete=models.PROTECT, null=True, related_name="+")

    objects = OfTenants.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "digest"], condition=Q(state="waiting"), name="letter_waits_once"
            ),
            models.CheckConstraint(condition=Q(state__in=LetterState.values), name="letter_state_known"),
        ]
        indexes = [models.Index(fields=["tenant", "state", "-id"], name="letter_of_tenant")]

    def __str__(self) -> str:
        return f"{self.code}: {self.type or self.mode}"
