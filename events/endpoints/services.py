"""What tenant admins do with webhook endpoints: make, change, rotate, test, switch on and off, delete."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability, tenants_where
from core.clock import now
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from events.endpoints.guard import Forbidden, check_url
from events.endpoints.secrets import make_secret, seal
from events.models import Severity, WebhookEndpoint
from events.notifiers.envelope import FORMS
from events.services import publish
from events.types import Audience, Subject

SUBJECT_TYPE = "webhook"
AUDIENCE = Audience(Capability.DECIDE_PROMOTION)
OLD_SECRET_LIVES = dt.timedelta(hours=24)
MOST_PATTERNS, MOST_ENDPOINTS = 50, 100
_PATTERN = re.compile(r"[a-z_*]+(\.[a-z_*]+)*")
CHANGEABLE = ("name", "url", "patterns", "project", "service", "severity", "form")


def subject_of(endpoint: WebhookEndpoint) -> Subject:
    return Subject(SUBJECT_TYPE, str(endpoint.pk), endpoint.name)


def managed_endpoints(user: User) -> Any:
    """The endpoints of the tenants that `user` administers."""
    return WebhookEndpoint.objects.filter(tenant__in=tenants_where(user, Capability.DECIDE_PROMOTION)).select_related(
        "tenant", "created_by"
    )


def managed_endpoint(user: User, pk: int) -> WebhookEndpoint:
    found: WebhookEndpoint | None = managed_endpoints(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no webhook here that you may manage.")
    return found


def check_can_manage(user: User, tenant: Tenant) -> None:
    if not has_capability(user, Capability.DECIDE_PROMOTION, tenant.pk):
        raise NotAllowed(f"Webhooks of {tenant.slug} are for its CPI to manage.", code="not_authorized")


def _check(*, url: str, patterns: Sequence[str], name: str, form: str, severity: int) -> None:
    errors: dict[str, list[str]] = {}
    if not name.strip():
        errors["name"] = ["Give it a name, such as what listens there."]
    try:
        check_url(url)
    except Forbidden as error:
        errors["url"] = [str(error)]
    if not patterns:
        errors["patterns"] = ["Say which facts it hears of, such as promotion.* or deployment.failed."]
    elif len(patterns) > MOST_PATTERNS or not all(_PATTERN.fullmatch(pattern) for pattern in patterns):
        errors["patterns"] = [f"At most {MOST_PATTERNS} types such as promotion.* or deployment.failed."]
    if form not in FORMS:
        errors["form"] = [f"Choose one of {', '.join(FORMS)}."]
    if severity not in Severity.values:
        errors["severity"] = ["Choose how much it has to matter."]
    if errors:
        raise InvalidInput(errors)


def _tell(endpoint: WebhookEndpoint, what: str, by: User, **data: Any) -> None:
    about = {"url": endpoint.url, "patterns": list(endpoint.patterns), **data}
    publish(
        type=f"webhook.{what}", subject=subject_of(endpoint), tenant=endpoint.tenant, by=by, data=about,
        audience=AUDIENCE,
    )  # fmt: skip


@transaction.atomic
def create_endpoint(
    *,
    tenant: Tenant,
    name: str,
    url: str,
    patterns: Sequence[str],
    by: User,
    project: str = "",
    service: str = "",
    severity: int = Severity.ANY,
    form: str = "plain",
) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its secret, which is shown this once; InvalidInput, NotAllowed; leaves `webhook.created`."""
    check_can_manage(by, tenant)
    _check(url=url, patterns=patterns, name=name, form=form, severity=severity)
    if WebhookEndpoint.objects.filter(tenant=tenant).count() >= MOST_ENDPOINTS:
        raise Conflict(f"{tenant.slug} has {MOST_ENDPOINTS} webhooks. Delete one first.", code="too_many")
    secret = make_secret()
    try:
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.create(
                tenant=tenant, name=name.strip(), url=url, patterns=list(patterns), project=project, service=service,
                severity=severity, form=form, secret=seal(secret), created_by=by,
            )  # fmt: skip
    except IntegrityError as error:
        raise _name_taken(tenant) from error
    _tell(endpoint, "created", by)
    return endpoint, secret


def _name_taken(tenant: Tenant) -> InvalidInput:
    return InvalidInput({"name": [f"{tenant.slug} has a webhook of this name. Choose another one."]})


@transaction.atomic
def change_endpoint(*, endpoint: WebhookEndpoint, changes: dict[str, Any], by: User) -> WebhookEndpoint:
    """Change what it is called, where it is and what it hears; leaves `webhook.changed`."""
    check_can_manage(by, endpoint.tenant)
    current = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=endpoint.pk)
    for name in CHANGEABLE:
        if name in changes:
            setattr(current, name, changes[name])
    _check(
        url=current.url, patterns=current.patterns, name=current.name, form=current.form, severity=current.severity
    )  # fmt: skip
    try:
        with transaction.atomic():
            current.save(update_fields=list(CHANGEABLE))
    except IntegrityError as error:
        raise _name_taken(endpoint.tenant) from error
    _tell(current, "changed", by)
    return current


@transaction.atomic
def rotate_secret(*, endpoint: WebhookEndpoint, by: User) -> str:
    """A new secret, shown this once; for 24 hours both sign. Leaves `webhook.secret_rotated`."""
    check_can_manage(by, endpoint.tenant)
    current = WebhookEndpoint.objects.select_for_update(of=("self",)).select_related("tenant").get(pk=endpoint.pk)
    secret = make_secret()
    current.old_secret, current.old_secret_until = current.secret, now() + OLD_SECRET_LIVES
    current.secret = seal(secret)
    current.save(update_fields=["secret", "old_secret", "old_secret_until"])
    _tell(current, "secret_rotated", by)
    return secret


@transaction.atomic
def enable_endpoint(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Let it hear again from now on; leaves `webhook.enabled`. Twice changes nothing."""
    check_can_manage(by, endpoint.tenant)
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at__isnull=False).update(
        disabled_at=None, disabled_reason="", failing_since=None, failure="", gone=False
    )
    if changed:
        _tell(endpoint, "enabled", by)


@transaction.atomic
def disable_endpoint(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Let it hear nothing until it is enabled; leaves `webhook.disabled`. Twice changes nothing."""
    check_can_manage(by, endpoint.tenant)
    reason = f"{by.get_full_name()} switched it off."
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(
        disabled_at=now(), disabled_reason=reason
    )
    if changed:
        _tell(endpoint, "disabled", by, reason=reason)


@transaction.atomic
def delete_endpoint(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Remove it; leaves `webhook.deleted`."""
    check_can_manage(by, endpoint.tenant)
    subject, data = subject_of(endpoint), {"url": endpoint.url}
    if WebhookEndpoint.objects.filter(pk=endpoint.pk).delete()[0]:
        publish(
            type="webhook.deleted", subject=subject, tenant=endpoint.tenant, by=by, data=data, audience=AUDIENCE
        )  # fmt: skip


@transaction.atomic
def send_test(*, endpoint: WebhookEndpoint, by: User) -> None:
    """Send it a fact of its own, `webhook.tested`, to see that it gets through."""
    check_can_manage(by, endpoint.tenant)
    _tell(endpoint, "tested", by, message="Hello from Stagepass")


def switch_off_failing_endpoints() -> int:
    """The system's own: end what has failed for too long or said that it is gone; how many. Leaves `webhook.disabled`."""
    hopeless = Q(gone=True) | Q(failing_since__lt=now() - settings.WEBHOOK_PATIENCE)
    found = WebhookEndpoint.objects.filter(hopeless, disabled_at=None).select_related("tenant")
    return sum(_switch_off(endpoint) for endpoint in found[:500])


@transaction.atomic
def _switch_off(endpoint: WebhookEndpoint) -> bool:
    """Once, however many sweep."""
    reason = endpoint.failure
    if not endpoint.gone and endpoint.failing_since is not None:
        days = (now() - endpoint.failing_since).total_seconds() / 86_400
        reason = f"It has failed for {days:.1f} days. Last: {endpoint.failure}"
    changed = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(
        disabled_at=now(), disabled_reason=reason
    )
    if changed:
        publish(
            type="webhook.disabled", subject=subject_of(endpoint), tenant=endpoint.tenant, by=None,
            data={"url": endpoint.url, "reason": reason}, audience=AUDIENCE,
        )  # fmt: skip
    return bool(changed)
