"""Systems outside that we call and that call us: where they are, as whom, and what we left there."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Tenant
from events.models.sources import EventSource


class ConnectionKind(models.TextChoices):
    JIRA = "jira", "Jira"
    GITHUB = "github", "GitHub"


class Connection(models.Model):
    """A Jira or GitHub of a tenant: its address, and the account we act as there."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="connections")
    kind = models.CharField(max_length=10, choices=ConnectionKind.choices)
    name = models.CharField(max_length=100, help_text="Such as acme.atlassian.net.")
    url = models.URLField(
        "address", max_length=500,
        help_text="Jira: its site, such as https://acme.atlassian.net. GitHub: its API, https://api.github.com.",
    )  # fmt: skip
    user = models.CharField(
        max_length=254, blank=True,
        help_text="Jira Cloud: the e-mail that the API token belongs to. Empty: the secret is a personal access token.",
    )  # fmt: skip
    # Encrypted, see events/endpoints/secrets.py.
    secret = models.TextField(blank=True, editable=False)
    source = models.OneToOneField(
        EventSource, on_delete=models.SET_NULL, null=True, blank=True, related_name="connection",
        help_text="The webhook by which it tells us; without one nothing that happens there is followed.",
    )  # fmt: skip
    places = models.CharField(
        "only for", max_length=500, blank=True,
        help_text="GitHub: owners or repositories by commas, such as acme, other/shop. Empty: all.",
    )  # fmt: skip
    account = models.CharField(max_length=200, blank=True, editable=False, help_text="Who we are there, as it says.")
    shared = models.BooleanField(
        "people use the account too", default=False,
        help_text="Otherwise whatever the account does there was done by us, and is not read back.",
    )  # fmt: skip
    deployments = models.BooleanField(
        default=False,
        help_text="GitHub: requests and releases also become deployments there; the token has to be allowed to write them.",
    )  # fmt: skip
    active = models.BooleanField(default=True, help_text="Whether it is called and listened to.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["tenant_id", "kind", "name"]
        constraints = [
            models.UniqueConstraint("tenant", "kind", Lower("name"), name="connection_name_once"),
            models.CheckConstraint(condition=Q(kind__in=ConnectionKind.values), name="connection_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class OutsideMark(models.Model):
    """Something of ours in another system, so that it is neither written twice nor read back as news."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="marks")
    kind = models.CharField(max_length=20, help_text="Such as comment or change.")
    key = models.CharField(max_length=300)
    value = models.JSONField(default=dict)
    made_at = models.DateTimeField(default=timezone.now, help_text="Or changed last.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "kind", "key"], name="outside_mark_once")]
        indexes = [models.Index(fields=["made_at"], name="outside_mark_by_age")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
