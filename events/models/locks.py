"""Locks: who holds a service in an environment right now. A released lock is deleted; the fact log remembers it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone

from accounts.models import Tenant
from accounts.roles import Capability
from core.clock import now
from events.models.records import Event
from events.tracker.ids import new_id
from events.tracker.rights import Actor, open_tenants


class LockQuerySet(models.QuerySet["Lock"]):
    def visible_to(self, actor: Actor) -> LockQuerySet:
        """Locks of the tenants where `actor` may view events."""
        return self.filter(tenant__in=open_tenants(actor, Capability.VIEW_EVENTS))

    def held(self) -> LockQuerySet:
        """Locks that still hold: those that lapsed count no more, even before they are swept."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now()))

    def lapsed(self) -> LockQuerySet:
        return self.filter(expires_at__lte=now())

    def on(self, tenant_id: int, service: str, environment: str, resource: str) -> LockQuerySet:
        """The lock on this key; environment and resource in any case."""
        return self.filter(
            tenant_id=tenant_id, service=service, environment__iexact=environment, resource__iexact=resource
        )

    def covering(self, tenant_id: int, service: str, environment: str, resource: str) -> LockQuerySet:
        """Locks that stand in the way here: on this very key, or on the service as a whole."""
        return self.filter(
            Q(environment__iexact=environment) | Q(environment=""),
            Q(resource__iexact=resource) | Q(resource=""),
            tenant_id=tenant_id,
            service=service,
        )


class Lock(models.Model):
    """A service in an environment (and one resource of it) is held by someone, until released or lapsed."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False)
    service = models.CharField(max_length=200)
    environment = models.CharField(max_length=100, blank=True)
    resource = models.CharField(max_length=100, blank=True)
    who = models.CharField(max_length=300)
    event = models.ForeignKey(Event, on_delete=models.SET_NULL, null=True, blank=True, related_name="locks")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: held until released.")

    objects = LockQuerySet.as_manager()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                F("tenant"), F("service"), Lower("environment"), Lower("resource"), name="lock_held_once"
            ),
            models.CheckConstraint(condition=~Q(service="") & ~Q(who=""), name="lock_names_service_and_holder"),
        ]
        indexes = [
            models.Index(fields=["tenant", "created_at", "id"], name="lock_by_time"),
            models.Index(fields=["expires_at"], condition=~Q(expires_at=None), name="lock_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.service} in {self.environment or 'any environment'} by {self.who}"
