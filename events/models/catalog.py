"""The catalogue: services and deliverables, their owners, versions, dependencies and what they are built from."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Tenant
from accounts.roles import Capability
from events.tracker import vocabulary as words
from events.tracker.rights import Actor, open_tenants


class CatalogQuerySet(models.QuerySet["CatalogEntry"]):
    def visible_to(self, actor: Actor) -> CatalogQuerySet:
        """Entries of the tenants where `actor` may view events."""
        return self.filter(tenant__in=open_tenants(actor, Capability.VIEW_EVENTS))


class CatalogEntry(models.Model):
    """One service, library, chart, ...; found by its name."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=200)
    type = models.PositiveSmallIntegerField(choices=words.choices_of(words.CatalogType), default=0)
    languages = models.PositiveSmallIntegerField(default=0, help_text="Number of the language on the wire.")
    platform = models.PositiveSmallIntegerField(default=0, help_text="Number of the platform on the wire.")
    owner = models.CharField(max_length=200)
    version = models.CharField(max_length=200)
    link = models.CharField(max_length=2000, blank=True)
    description = models.TextField(blank=True)
    repository = models.CharField(max_length=2000, blank=True)
    dependencies_in = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    dependencies_out = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    available_versions = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    latest_version = models.CharField(max_length=200, blank=True)
    reference_version = models.CharField(max_length=200, blank=True)
    # Shown and handed back whole, never searched: as the wire's JSON has them.
    sla = models.JSONField(null=True, blank=True)
    used_deliverables = models.JSONField(default=list, blank=True)
    communication_channels = models.JSONField(default=list, blank=True)
    dashboard_links = models.JSONField(default=list, blank=True)
    vulnerability_summary = models.JSONField(null=True, blank=True)
    infrastructure_resources = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = CatalogQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "catalog entries"
        ordering = ["name", "tenant"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="catalog_name_once"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(owner="") & ~Q(version=""), name="catalog_says_what"),
        ]

    def __str__(self) -> str:
        return self.name
