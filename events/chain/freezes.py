"""Verbs on freezes: declare, lift."""

from __future__ import annotations

import datetime as dt

from django.db import transaction

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.clock import now
from core.errors import InvalidInput, NotAllowed, NotFound, WrongState
from events.chain.kinds import environment_named
from events.models import DomainEvent, Freeze
from events.services import publish
from events.types import Audience, Subject

FACTS = ("freeze.declared", "freeze.lifted")
SUBJECT_TYPE = "freeze"
MOST = 200
LONGEST = dt.timedelta(days=366)


def not_allowed() -> NotAllowed:
    return NotAllowed(
        "Only those who decide on production may freeze it. Ask a CPI of the tenant.", code="not_authorized"
    )


def check_can_freeze(user: User, tenant: Tenant) -> None:
    """NotAllowed unless `user` decides on what goes to production in the tenant."""
    if not has_capability(user, Capability.DECIDE_PROMOTION, tenant.pk):
        raise not_allowed()


def list_freezes(user: User, *, over: bool = False) -> list[Freeze]:
    """The freezes of the tenants whose events `user` may see: those in force or to come, or the newest 200 of all."""
    freezes = Freeze.objects.visible_to(user).select_related("tenant", "declared_by")
    if not over:
        freezes = freezes.filter(ends_at__gt=now(), lifted_at=None)
    return list(freezes.order_by("-id")[:MOST])


def find_freeze(user: User, pk: int) -> Freeze:
    """The freeze with this number where `user` may see events; else NotFound."""
    found = Freeze.objects.select_related("tenant", "declared_by").filter(pk=pk).first() if pk < 2**63 else None
    if found is None or not has_capability(user, Capability.VIEW_EVENTS, found.tenant_id):
        raise NotFound(f"There is no freeze {pk} that you may see.")
    return found


def declare_freeze(
    *,
    tenant: Tenant,
    reason: str,
    ends_at: dt.datetime | None,
    by: User,
    starts_at: dt.datetime | None = None,
    service: str = "",
    environment: str = "",
) -> Freeze:
    """Nothing (or not `service`) is deployed to `environment` (empty: to any) until `ends_at`; leaves `freeze.declared`.

    NotAllowed for those who do not decide on production, InvalidInput for times that cannot be.
    """
    check_can_freeze(by, tenant)
    starts_at, reason = starts_at or now(), reason.strip()
    ends_at = _check(reason, starts_at, ends_at)
    freeze = Freeze(
        tenant=tenant, service=service.strip()[:200], environment=environment_named(environment), reason=reason,
        starts_at=starts_at, ends_at=ends_at, declared_by=by,
    )  # fmt: skip
    with transaction.atomic():
        freeze.save()
        _tell(freeze, "freeze.declared", by)
    return freeze


def _check(reason: str, starts_at: dt.datetime, ends_at: dt.datetime | None) -> dt.datetime:
    errors: dict[str, list[str]] = {}
    if not 10 <= len(reason) <= 500:
        errors["reason"] = ["Say why, in 10 to 500 characters: people who wait will read it."]
    if ends_at is None or ends_at <= max(starts_at, now()):
        errors["endsAt"] = ["A freeze ends after it starts, and in the future."]
    elif ends_at - starts_at > LONGEST:
        errors["endsAt"] = ["A freeze lasts a year at most; declare it anew then."]
    if errors or ends_at is None:
        raise InvalidInput(errors)
    return ends_at


def lift_freeze(*, freeze: Freeze, by: User) -> Freeze:
    """End a freeze early; leaves `freeze.lifted`. WrongState when it is over or was lifted before."""
    check_can_freeze(by, freeze.tenant)
    with transaction.atomic():
        lifted = Freeze.objects.filter(pk=freeze.pk, lifted_at=None, ends_at__gt=now()).update(lifted_at=now())
        if not lifted:
            raise WrongState("This freeze is over already.")
        freeze.refresh_from_db()
        _tell(freeze, "freeze.lifted", by)
    return freeze


def _tell(freeze: Freeze, fact: str, by: User) -> DomainEvent:
    return publish(
        type=fact,
        subject=Subject(SUBJECT_TYPE, str(freeze.pk), str(freeze)),
        tenant=freeze.tenant,
        by=by,
        data={
            "service": freeze.service, "environment": freeze.environment, "reason": freeze.reason,
            "starts_at": freeze.starts_at.isoformat(), "ends_at": freeze.ends_at.isoformat(),
        },
        audience=Audience(Capability.VIEW_EVENTS),
    )  # fmt: skip
