"""The link graph: things, what leads from one to another, and who says so; and the freezes that hold deployments up."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from accounts.models import Tenant, User
from events.chain.kinds import NodeKind
from events.models.received import OfTenants


class ChainNode(models.Model):
    """A thing that a chain leads through. Everything but `said` is read from it: see events/chain/merging.py.

    A thing is there as soon as anything names it; `known` tells whether anything was said of it yet.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(max_length=20, choices=NodeKind.choices)
    key = models.CharField(max_length=500)
    known = models.BooleanField(default=False)
    gone = models.BooleanField(default=False, help_text="Deleted where it was recorded.")
    label = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=40, blank=True)
    service = models.CharField(max_length=300, blank=True)
    environment = models.CharField(max_length=100, blank=True)
    version = models.CharField(max_length=200, blank=True)
    url = models.CharField(max_length=2000, blank=True)
    rollback = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now, help_text="When it happened or began, else first spoken of.")
    ended_at = models.DateTimeField(null=True, blank=True)
    audiences = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    chains = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    said = models.JSONField(default=dict, help_text="Each claim with its stamp; the latest holds.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "kind", "key"], name="chain_node_once")]
        indexes = [
            models.Index(fields=["tenant", "kind", "environment", "at"], name="chain_node_by_place"),
            models.Index(
                fields=["tenant", "kind", "service", "environment", "ended_at"], name="chain_node_by_service"
            ),
            models.Index(
                fields=["tenant", "ended_at"], condition=Q(kind="deployment"), name="chain_deployment_by_end"
            ),
            GinIndex(fields=["chains"], name="chain_node_chains"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class ChainStatement(models.Model):
    """One source's word on a thing, such as a Tracker event; a later version replaces the edges of an earlier one."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    ref = models.CharField(max_length=700)
    version = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "ref"], name="chain_statement_once")]

    def __str__(self) -> str:
        return self.ref


class ChainEdge(models.Model):
    """From a cause to what came of it, as one statement says."""

    statement = models.ForeignKey(ChainStatement, on_delete=models.CASCADE, related_name="edges")
    from_node = models.ForeignKey(ChainNode, on_delete=models.CASCADE, related_name="leads_to", db_index=False)
    to_node = models.ForeignKey(ChainNode, on_delete=models.CASCADE, related_name="comes_from")
    kind = models.CharField(max_length=40)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_node", "to_node", "kind", "statement"], name="chain_edge_once"),
            models.CheckConstraint(condition=~Q(from_node=F("to_node")), name="chain_edge_leads_elsewhere"),
        ]

    def __str__(self) -> str:
        return f"{self.from_node_id} {self.kind} {self.to_node_id}"


class LogFollower(models.Model):
    """How far a reader of the fact log has come, and the facts that it could make nothing of."""

    name = models.CharField(max_length=40, primary_key=True)
    position = models.BigIntegerField(default=0)
    moved_at = models.DateTimeField(default=timezone.now)
    faults = models.JSONField(default=list, help_text="The newest: sequence and reason.")

    def __str__(self) -> str:
        return f"{self.name} at {self.position}"


class Freeze(models.Model):
    """A time in which nothing (or not this service) is deployed to an environment."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="freezes", db_index=False)
    service = models.CharField(max_length=200, blank=True, help_text="Empty: every service.")
    environment = models.CharField(max_length=100, blank=True, help_text="Empty: every environment.")
    reason = models.CharField(max_length=500)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    declared_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = OfTenants.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="freeze_ends_after_it_starts"),
            models.CheckConstraint(condition=~Q(reason=""), name="freeze_has_a_reason"),
        ]
        indexes = [models.Index(fields=["tenant", "ends_at"], name="freeze_of_tenant")]

    def __str__(self) -> str:
        return f"{self.service or 'everything'} in {self.environment or 'every environment'}: {self.reason}"

    @property
    def what(self) -> str:
        """What nobody may deploy."""
        place = self.environment or "every environment"
        return f"{self.service} in {place}" if self.service else place[0].upper() + place[1:]
