"""What could go to production: the versions that staging really runs, against what production runs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.contrib.postgres.aggregates import JSONBAgg
from django.db.models import Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, JSONObject

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import grants_of, tenants_where
from promotions.models import PromotionRequest, RunningVersion

ORDER = ("dev", "qa", "staging", "prod")


@dataclass(slots=True)
class Service:
    """One target of a tenant and the version each environment runs of it."""

    tenant: str
    tenant_id: int
    target_type: str
    target_name: str
    versions: dict[str, dict[str, str]]
    may_ask: bool = False
    request: str = ""
    """The number of the request that is under way for it, if the person may see it: there is at most one."""

    def version(self, environment: str) -> str:
        return self.versions.get(environment, {}).get("version", "")

    @property
    def staging(self) -> str:
        return self.version("staging")

    @property
    def production(self) -> str:
        return self.version("prod")

    @property
    def is_ahead(self) -> bool:
        """Staging runs another version than production."""
        return bool(self.staging) and self.staging != self.production

    @property
    def stages(self) -> list[dict[str, object]]:
        """The environments in the order changes pass through them; staging and production in any case."""
        others = [name for name in self.versions if name not in ORDER]
        names = [name for name in (*ORDER[:-1], *others, ORDER[-1]) if name in self.versions or name in ORDER[2:]]
        return [
            {
                "name": name,
                "version": self.version(name),
                "since": _moment(self.versions.get(name, {}).get("since")),
                "ahead": name == "staging" and self.is_ahead,
            }
            for name in names
        ]


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC) if text else None


def running_services(
    user: User, limit: int = 12, capability: Capability = Capability.VIEW_APPLICATIONS
) -> list[Service]:
    """What runs in each environment of the person's tenants, the last changed first."""
    grants = grants_of(user)
    under_way = PromotionRequest.objects.visible_to(user).active().order_by().filter(
        tenant=OuterRef("tenant_id"), target_type=OuterRef("target_type"), target_name=OuterRef("target_name")
    )  # fmt: skip
    rows = (
        RunningVersion.objects.filter(tenant__in=tenants_where(user, capability))
        .order_by()
        .values("tenant__slug", "tenant_id", "target_type", "target_name")
        .annotate(
            newest=Max("since"),
            versions=JSONBAgg(JSONObject(environment="environment", version="version", since="since")),
            request=Coalesce(Subquery(under_way.values("number")[:1]), Value("")),
        )
        .order_by("-newest", "target_name")[:limit]
    )
    return [
        Service(
            tenant=row["tenant__slug"],
            tenant_id=row["tenant_id"],
            target_type=row["target_type"],
            target_name=row["target_name"],
            versions={one["environment"]: one for one in row["versions"]},
            may_ask=grants.allow(Capability.REQUEST_PROMOTION, row["tenant_id"]),
            request=row["request"],
        )
        for row in rows
    ]


def find_candidates(user: User, limit: int = 60) -> list[Service]:
    """What `user` may ask for: staging runs another version than production, and no request is under way."""
    services = running_services(user, limit, Capability.REQUEST_PROMOTION)
    return [service for service in services if service.is_ahead and not service.request]


@dataclass(slots=True)
class VersionHint:
    """What the form says beside the version: what runs, what to choose from, and a warning for anything else."""

    staging: RunningVersion | None = None
    production: RunningVersion | None = None
    names: list[str] = field(default_factory=list)
    warning: str = ""


def version_hint(tenant: Tenant | None, target_type: str, target_name: str, version: str) -> VersionHint:
    """The versions known of a target, and whether `version` is the one that staging runs."""
    if tenant is None:
        return VersionHint()
    rows = list(
        RunningVersion.objects.filter(tenant=tenant, target_type=target_type, environment__in=["staging", "prod"])[:400]
    )
    mine = {row.environment: row for row in rows if row.target_name == target_name}
    hint = VersionHint(mine.get("staging"), mine.get("prod"), sorted({row.target_name for row in rows}))
    if target_name and version:
        hint.warning = _warning(hint, target_name, version)
    return hint


def _warning(hint: VersionHint, name: str, version: str) -> str:
    if hint.staging is None:
        return f"Nothing is known of {name} in staging. You may go on; approvers see this as a warning."
    if hint.staging.version != version:
        return f"Staging runs {hint.staging.version}, not {version}. You may go on; approvers see this as a warning."
    if hint.production is not None and hint.production.version == version:
        return f"Production already runs {version}."
    return ""
