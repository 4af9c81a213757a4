"""Who outside hears of which facts: webhook endpoints, subscriptions, and people and messages in Slack."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Role


class Severity(models.IntegerChoices):
    """How much a fact matters: the impact of a request, the priority of an event."""

    ANY = 0, "Any"
    LOW = 1, "Low"
    MEDIUM = 2, "Medium"
    HIGH = 3, "High"
    CRITICAL = 4, "Critical"


class FactFilter(models.Model):
    """Which facts are wanted: by type, project, service and severity; empty means any."""

    patterns = ArrayField(models.CharField(max_length=80), help_text="Such as promotion.* or deployment.failed.")
    project = models.CharField(max_length=80, blank=True)
    service = models.CharField(max_length=200, blank=True)
    severity = models.PositiveSmallIntegerField(choices=Severity.choices, default=Severity.ANY)

    class Meta:
        abstract = True


class WebhookEndpoint(FactFilter):
    """An address outside that hears of a tenant's facts, signed by a secret that it shares with us."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="webhook_endpoints")
    name = models.CharField(max_length=100)
    url = models.URLField(max_length=500)
    form = models.CharField(max_length=20, default="plain")
    # Encrypted, see events/endpoints/secrets.py; the earlier one still signs until its time is over.
    secret = models.TextField(editable=False)
    old_secret = models.TextField(blank=True, editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    failing_since = models.DateTimeField(null=True, editable=False)
    failure = models.TextField(blank=True, editable=False, help_text="How it failed last.")
    gone = models.BooleanField(default=False, editable=False, help_text="It answered that nobody is there any more.")
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.TextField(blank=True, editable=False)

    class Meta:
        ordering = ["tenant_id", "name"]
        constraints = [
            models.UniqueConstraint("tenant", Lower("name"), name="webhook_name_once_per_tenant"),
            models.CheckConstraint(
                condition=Q(disabled_at=None, disabled_reason="") | Q(disabled_at__isnull=False),
                name="webhook_disabled_for_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(FactFilter):
    """A channel or an address that hears of facts besides those whom the notices name; no tenant: of all."""

    class Channel(models.TextChoices):
        SLACK = "slack", "Slack channel"
        EMAIL = "email", "E-mail address"
        ROLE = "role", "People of a role, by e-mail"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True, related_name="subscriptions")
    channel = models.CharField(max_length=20, choices=Channel.choices)
    target = models.CharField(
        max_length=254, help_text="The id of a Slack channel, an e-mail address, or a role such as cpi."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["channel", "target"]
        constraints = [
            models.CheckConstraint(
                condition=Q(channel__in=["slack", "email", "role"]), name="subscription_channel_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.target}"

    def clean(self) -> None:
        """For the admin's form: a role must be one."""
        if self.channel == self.Channel.ROLE and self.target not in list(Role):
            raise ValidationError({"target": f"Choose one of {', '.join(Role)}."})


class SlackAccount(models.Model):
    """Which account a person in Slack acts as; made once, by a code from the profile page."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="slack_account")
    team = models.CharField(max_length=40)
    slack_user = models.CharField(max_length=40)
    linked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "slack_user"], name="slack_account_once")]

    def __str__(self) -> str:
        return f"{self.slack_user} is {self.user}"


class SlackCode(models.Model):
    """A code that links whoever types it in Slack to the account it was shown to; used once, for minutes."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="slack_code", primary_key=True)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"Slack code of {self.user}"


class SlackMessage(models.Model):
    """The one message about a thing in a Slack channel, and how far in the fact log it is."""

    channel = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)
    ts = models.CharField(max_length=40, blank=True, help_text="Slack's id of the message; empty until it answered.")
    place = models.CharField(max_length=40, blank=True, help_text="The channel's id as Slack answered it.")
    shows = models.BigIntegerField(default=0, help_text="The sequence of the newest fact it shows.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "subject_type", "subject_id"], name="slack_message_once")
        ]

    def __str__(self) -> str:
        return f"{self.subject_id} in {self.channel}"


class SlackCall(models.Model):
    """A click or command that came from Slack: noted at once, done by a worker, each once."""

    signature = models.CharField(max_length=80, unique=True, help_text="Its own, so that a replayed call is known.")
    kind = models.CharField(max_length=20)
    payload = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["received_at"], condition=Q(done_at=None), name="slack_call_open")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.received_at:%Y-%m-%d %H:%M:%S}"


class Reminder(models.Model):
    """That someone was reminded of something; its key can be there once, so that two beats remind once."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="reminder_once")]
        indexes = [models.Index(fields=["kind", "-created_at"], name="reminder_of_kind")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
