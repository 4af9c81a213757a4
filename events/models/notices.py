"""What people want to hear and when, what is held back for them until then, and which channels are at rest."""

from __future__ import annotations

import datetime as dt

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Tenant, User
from events.models.facts import DomainEvent


class Mode(models.TextChoices):
    NOW = "now", "At once"
    DIGEST = "digest", "In the daily digest"
    NEVER = "never", "Never"


class NoticeChannel(models.TextChoices):
    """How a person is told of what concerns them; what is chosen there by default differs."""

    EMAIL = "email", "E-mail"
    SLACK = "slack", "Slack"

    @property
    def default(self) -> Mode:
        """Mails come without anybody's doing; Slack writes to a person only when that person says so."""
        return Mode.NOW if self is NoticeChannel.EMAIL else Mode.NEVER


class NoticeSettings(models.Model):
    """When a person wants to be left alone, and when the digest comes; times of day in the person's time zone."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="notice_settings", primary_key=True)
    quiet_from = models.TimeField(null=True, blank=True, help_text="Quiet hours begin; empty: none.")
    quiet_until = models.TimeField(null=True, blank=True, help_text="Quiet hours end, perhaps on the next day.")
    digest_at = models.TimeField(default=dt.time(8), help_text="When the daily digest is sent.")

    class Meta:
        verbose_name_plural = "notice settings"
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None) | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="quiet_hours_whole",
            )
        ]

    def __str__(self) -> str:
        return f"Notice settings of {self.user}"


class NoticePreference(models.Model):
    """A person's choice for one kind of notice on one channel; without a row the channel's default holds."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notice_preferences")
    kind = models.CharField(max_length=60)
    channel = models.CharField(max_length=10, choices=NoticeChannel.choices, default=NoticeChannel.EMAIL)
    mode = models.CharField(max_length=10, choices=Mode.choices)

    class Meta:
        ordering = ["kind"]
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "channel"], name="notice_preference_once"),
            models.CheckConstraint(condition=Q(channel__in=NoticeChannel.values), name="notice_channel_known"),
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="notice_mode_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} {self.mode} by {self.channel}"


class MutedSubject(models.Model):
    """A thing that a person does not want to hear of any more; without a tenant: whichever tenant's it is."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="muted_subjects")
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["user", "subject_type", "subject_id", "tenant"], name="muted_subject_once"),
            models.UniqueConstraint(
                fields=["user", "subject_type", "subject_id"], condition=Q(tenant=None), name="muted_anywhere_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} muted {self.subject_id}"


class HeldNotice(models.Model):
    """A notice that waits for its person's next digest or the end of the quiet hours; gone once a digest has it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="held_notices")
    fact = models.ForeignKey(DomainEvent, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=10, choices=NoticeChannel.choices, default=NoticeChannel.EMAIL)
    due_at = models.DateTimeField()

    class Meta:
        ordering = ["fact_id"]
        constraints = [models.UniqueConstraint(fields=["user", "fact", "channel"], name="held_notice_once")]
        indexes = [models.Index(fields=["due_at", "user"], name="held_notice_due")]

    def __str__(self) -> str:
        return f"{self.fact_id} for {self.user} at {self.due_at:%Y-%m-%d %H:%M}"


class ChannelHealth(models.Model):
    """How a channel fares: after failures in a row it rests until `rests_until`, then one delivery tries it."""

    channel = models.CharField(max_length=40, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    rests_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "channel health"

    def __str__(self) -> str:
        return f"{self.channel}: {self.failures} failures in a row"
