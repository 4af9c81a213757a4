"""Webhooks that come in: who may send them, and every delivery once."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Tenant


class SourceKind(models.TextChoices):
    GITHUB = "github", "GitHub"
    GITLAB = "gitlab", "GitLab"
    JIRA = "jira", "Jira"


class EventSource(models.Model):
    """One webhook of GitHub, GitLab or Jira: its address has the key, its deliveries are signed with the secret.

    The secret is made from the key, the edition and the site's own key, so it is nowhere in the database.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=SourceKind.choices)
    name = models.CharField(max_length=100, help_text="Such as the organisation or repository that sends.")
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False, help_text="In the address it sends to.")
    edition = models.PositiveIntegerField(default=1, editable=False, help_text="Of the secret.")
    active = models.BooleanField(default=True, help_text="Whether deliveries are taken.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_seen_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["tenant", "name"]
        constraints = [models.CheckConstraint(condition=Q(kind__in=SourceKind.values), name="source_kind_known")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class InboundState(models.TextChoices):
    QUEUED = "queued"
    DONE = "done"
    DEAD = "dead"


class InboundDelivery(models.Model):
    """One delivery of a webhook, as it came; worked on in the background."""

    source = models.ForeignKey(EventSource, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    delivery_id = models.CharField(max_length=200, help_text="The sender's; the same one again changes nothing.")
    event = models.CharField(max_length=100, help_text="What the sender calls it, such as pull_request.")
    body = models.TextField()
    state = models.CharField(max_length=10, choices=InboundState.choices, default=InboundState.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    note = models.TextField(blank=True, help_text="What became of it.")
    received_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "inbound deliveries"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source", "delivery_id"], name="inbound_once"),
            models.CheckConstraint(condition=Q(state__in=InboundState.values), name="inbound_state_known"),
        ]
        indexes = [models.Index(fields=["next_at"], condition=Q(state="queued"), name="inbound_due")]

    def __str__(self) -> str:
        return f"{self.event} {self.delivery_id}"
