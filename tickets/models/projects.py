"""Projects: where tickets belong, and the settings that hold for them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import grants_of

# What a project may set, and what holds where it does not.
PROJECT_SETTINGS: dict[str, Any] = {
    # A deployed promotion request resolves the tickets it names.
    "resolve_on_deploy": True,
    # Completing a stage queues the next one; otherwise a coordinator does.
    "queue_next_stage": True,
    # Opening a ticket queues its first stage.
    "queue_first_stage": False,
    # Tickets follow events that name them: a pull request opened -> in review, and so on.
    "follow_events": False,
    # Commands in commit messages are obeyed, such as `CORE-7 #comment Done.`, in the name of the author's e-mail.
    "smart_commits": False,
    # A regular expression that finds this project's keys in texts, instead of PREFIX-number; group 1 is the key.
    "key_pattern": "",
    "lease_seconds": 300,
    "max_attempts": 5,
}


def tenant_rule(user: User, capability: Capability, path: str = "tenant_id") -> models.Q | None:
    """The filter for rows of tenants where `user` holds `capability`; None where that is every tenant.

    A list of ids and no subquery, so that one tenant's newest rows are read off an index however large the table is.
    """
    ids = tenant_ids(user, capability)
    if ids is None:
        return None
    return models.Q(**{path: ids[0]}) if len(ids) == 1 else models.Q(**{f"{path}__in": ids})


def tenant_ids(user: User, capability: Capability) -> list[int] | None:
    """The tenants where `user` holds `capability`; None for every tenant."""
    grants = grants_of(user)
    if capability in grants.everywhere:
        return None
    return [tenant_id for tenant_id, held in grants.by_tenant.items() if capability in held]


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User) -> ProjectQuerySet:
        """Those of tenants whose tickets `user` may view."""
        rule = tenant_rule(user, Capability.VIEW_TICKETS)
        return self if rule is None else self.filter(rule)


class Project(models.Model):
    """What tickets are grouped by, usually a repository such as test/project."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="projects")
    key = models.CharField(max_length=200, help_text="As given, such as test/project.")
    name = models.CharField(max_length=200, blank=True)
    prefix = models.CharField(max_length=20, help_text="Of generated ticket keys, such as PROJ.")
    last_number = models.PositiveIntegerField(default=0, help_text="Of the generated ticket keys.")
    settings = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["key"]
        constraints = [
            models.UniqueConstraint(Upper("key"), "tenant", name="project_key_once_per_tenant"),
            models.UniqueConstraint(Upper("prefix"), "tenant", name="project_prefix_once_per_tenant"),
        ]

    def __str__(self) -> str:
        return self.key

    def setting(self, name: str) -> Any:
        """The project's own value, or what holds everywhere."""
        return self.settings.get(name, PROJECT_SETTINGS[name])
