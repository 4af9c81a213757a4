"""The fact log: one row for each thing that happened, chained by hashes, never changed."""

from __future__ import annotations

import uuid
from typing import Any

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Replace

from accounts.models import Tenant, User
from accounts.selectors import grants_of
from core.canonical import canonical_json, digest_of

GENESIS_HASH = "0" * 64
# What the activity page searches; the dot of a type is a blank, so that "approved" finds promotion.approved.
FACT_TEXT = SearchVector("subject_label", "actor_label", Replace("type", Value("."), Value(" ")), config="simple")


class DomainEventQuerySet(models.QuerySet["DomainEvent"]):
    def visible_to(self, user: User) -> DomainEventQuerySet:
        """Facts whose audience `user` belongs to: by a capability in the fact's tenant, or by name."""
        grants = grants_of(user)
        if user.is_superuser:
            return self
        rule = Q(audience_capability__in=grants.everywhere) | Q(audience_users__contains=[user.pk])
        tenants_by_capability: dict[str, list[int]] = {}
        for tenant_id, capabilities in grants.by_tenant.items():
            for capability in capabilities:
                tenants_by_capability.setdefault(capability, []).append(tenant_id)
        for capability, tenant_ids in tenants_by_capability.items():
            rule |= Q(audience_capability=capability, tenant_id__in=tenant_ids)
        return self.filter(rule)

    def about(self, subject_type: str, *subject_ids: str) -> DomainEventQuerySet:
        return self.filter(subject_type=subject_type, subject_id__in=subject_ids)


class DomainEvent(models.Model):
    """A fact: who did what to which thing, when, through which face, and who may know."""

    sequence = models.BigIntegerField(primary_key=True, help_text="Its place in the log: 1, 2, 3 … without gaps.")
    id = models.UUIDField(default=uuid.uuid4, unique=True)
    type = models.CharField(max_length=80, help_text="Past tense, such as promotion.approved.")
    occurred_at = models.DateTimeField()
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, null=True, related_name="+")
    # No foreign key to the subject: the log outlives what it tells of.
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)
    subject_label = models.CharField(max_length=300)
    actor_id = models.UUIDField(null=True, help_text="Public id of the acting account; empty for the system itself.")
    actor_label = models.CharField(max_length=300)
    surface = models.CharField(max_length=20)
    request_id = models.CharField(max_length=100, blank=True)
    data = models.JSONField(default=dict)
    audience_capability = models.CharField(max_length=40, blank=True)
    audience_users = ArrayField(models.BigIntegerField(), default=list)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = DomainEventQuerySet.as_manager()

    class Meta:
        ordering = ["sequence"]
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "sequence"], name="fact_of_subject"),
            models.Index(fields=["tenant", "-sequence"], name="fact_of_tenant"),
            models.Index(fields=["type", "-sequence"], name="fact_of_type"),
            models.Index(fields=["-occurred_at"], name="fact_by_time"),
            GinIndex(fields=["audience_users"], name="fact_for_users"),
            GinIndex(FACT_TEXT, name="fact_text"),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.sequence} {self.type} {self.subject_label}"

    def compute_hash(self) -> str:
        """SHA-256 over the previous hash and every other field, as canonical JSON."""
        return digest_of(self.hashed_content())

    def text_around_place(self) -> tuple[str, str, str]:
        """What is hashed, with a gap for the previous hash and one for the sequence, which only the log itself knows."""
        text = canonical_json(self.hashed_content() | {"previous_hash": "", "sequence": 0})
        # From the right: names within `data` stand before both, and within a text quotes are escaped.
        before, gap, rest = text.rpartition('"previous_hash":"')
        between, other_gap, after = rest.rpartition('"sequence":0')
        return before + gap, between + other_gap[:-1], after

    def hashed_content(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "id": self.id,
            "type": self.type,
            "occurred_at": self.occurred_at,
            "tenant": self.tenant_id,
            "subject": [self.subject_type, self.subject_id, self.subject_label],
            "actor": [self.actor_id, self.actor_label],
            "surface": self.surface,
            "request_id": self.request_id,
            "data": self.data,
            "audience": [self.audience_capability, list(self.audience_users)],
            "previous_hash": self.previous_hash,
        }
