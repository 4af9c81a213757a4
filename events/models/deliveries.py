"""Deliveries: what is still to be told of a fact, to which channel and recipient."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from core.clock import now
from events.models.facts import DomainEvent


class DeliveryState(models.TextChoices):
    QUEUED = "queued"
    SENDING = "sending"
    DONE = "done"
    DEAD = "dead"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def unfinished(self) -> DeliveryQuerySet:
        return self.filter(state__in=[DeliveryState.QUEUED, DeliveryState.SENDING])

    def due(self) -> DeliveryQuerySet:
        """Waiting and their time has come, or taken by someone whose lease ran out."""
        return self.filter(
            Q(state=DeliveryState.QUEUED, next_at__lte=now()) | Q(state=DeliveryState.SENDING, lease_until__lt=now())
        )


class Delivery(models.Model):
    """One fact on its way to one recipient of one channel; attempted until done or dead."""

    fact = models.ForeignKey(DomainEvent, on_delete=models.PROTECT, related_name="deliveries")
    channel = models.CharField(max_length=40)
    recipient = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=DeliveryState.choices, default=DeliveryState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    trail = models.JSONField(default=list, blank=True, help_text="When it failed, and how: the last attempts.")
    receipt = models.JSONField(default=dict, blank=True, help_text="What the channel answered, such as a commit id.")
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["fact", "channel", "recipient"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_known"),
        ]
        indexes = [
            models.Index(
                fields=["channel", "next_at"],
                condition=Q(state__in=["queued", "sending"]),
                name="delivery_unfinished",
            ),
            models.Index(fields=["channel", "fact"], name="delivery_in_order"),
            models.Index(fields=["-id"], condition=Q(state="dead"), name="delivery_dead"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} of fact {self.fact_id}"


class DispatchCursor(models.Model):
    """How far the dispatcher has read the fact log; a single row."""

    position = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(default=timezone.now)
