"""What coordinators have dealt with: marks per consumer and event, and how far each consumer is through."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from accounts.models import Tenant, User


class ConsumerPosition(models.Model):
    """Every event of the tenant up to `position` was dealt with by this consumer; only to keep reads short."""

    consumer = models.CharField(max_length=100)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    position = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer", "tenant"], name="consumer_position_once")]

    def __str__(self) -> str:
        return f"{self.consumer} at {self.position}"


class EventMark(models.Model):
    """A consumer has dealt with an event, and how."""

    consumer = models.CharField(max_length=100)
    fact_sequence = models.BigIntegerField(help_text="The fact's place in the log.")
    resolution = models.TextField(blank=True)
    marked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    marked_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["consumer", "fact_sequence"], name="event_mark_once")]

    def __str__(self) -> str:
        return f"{self.consumer} did {self.fact_sequence}"
