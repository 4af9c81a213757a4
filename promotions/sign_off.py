"""Promotion requests as the sign-off of import maps: a ticket in QA asks, people agree, its deployment releases it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from accounts.models import Tenant, User
from core.clock import now
from events.models import Delivery
from iep.models import Stamp
from iep.services import forget_sign_off
from iep.sign_offs import Standing
from iep.types import Outcome, Verdict
from promotions.models import DeploymentTarget, PromotionRequest, RunningVersion
from promotions.services import approve_request, create_request
from promotions.services.transition import visible_request
from promotions.types import IMPORT_MAPS, PRE_CHECKS, Impact, PromotionContent, TargetType
from promotions.validation import MIN_JUSTIFICATION

DEPLOYER = IMPORT_MAPS
SHOWN_PATHS = 50


class PromotionSignOff:
    """One promotion request per ticket and application, for exactly the revision that QA has."""

    def ask(self, stamp: Stamp, by: User, message: str, verdicts: Sequence[Verdict]) -> str:
        tenant, name, version = stamp.application.tenant, target_name(stamp), version_of(stamp)
        _know_how_to_deploy(tenant, name, stamp.application.slug)
        RunningVersion.objects.update_or_create(
            tenant=tenant, environment="staging", target_type=TargetType.APPLICATION, target_name=name,
            defaults={"version": version, "since": now()},
        )  # fmt: skip
        content = content_of(stamp, message, {verdict.policy: verdict for verdict in verdicts})
        return create_request(tenant=tenant, content=content, by=by, stated=False).number

    def standing(self, number: str, user: User) -> Standing:
        found = PromotionRequest.objects.visible_to(user).filter(number=number).first()
        if found is None:
            return Standing("asked", "")
        return Standing(found.state, settings.SITE_URL + reverse("request", args=[number]))

    def approve(self, number: str, by: User, comment: str) -> None:
        approve_request(promotion=visible_request(by, number), by=by, comment=comment)


def target_name(stamp: Stamp) -> str:
    return f"{stamp.application.slug}/{stamp.ticket.key}"


def version_of(stamp: Stamp) -> str:
    """What is asked for: the ticket at the revision that was tested."""
    return f"{stamp.ticket.key}.{stamp.revision}"


def content_of(stamp: Stamp, message: str, verdicts: Mapping[str, Verdict]) -> PromotionContent:
    """What the request says; a pre-check has passed only where the policy of its name says so."""
    passed = {policy for policy, verdict in verdicts.items() if verdict.outcome == Outcome.PASS}
    message = message.strip()
    stock = f"{stamp.ticket.key} {stamp.ticket.title}: tested in QA, ready for production."
    paths = sorted(stamp.delta)
    lines = [f"- `{path}` {_what(stamp.delta[path])}" for path in paths[:SHOWN_PATHS]]
    if len(paths) > SHOWN_PATHS:
        lines.append(f"- and {len(paths) - SHOWN_PATHS} more")
    notes = f"{stamp.ticket.title}\n\nModules of {stamp.application.name}:\n\n" + "\n".join(lines)
    return PromotionContent(
        target_type=TargetType.APPLICATION,
        target_name=target_name(stamp),
        version=version_of(stamp),
        justification=message if len(message) >= MIN_JUSTIFICATION else f"{message}\n\n{stock}".strip(),
        release_notes=notes,
        impact=Impact.LOW if len(paths) < 20 else Impact.MEDIUM,
        rollback_plan=f"stamp {stamp.ticket.key} --revert, or Revert on its page: a new revision without it, at once.",
        staging_tests_passed=PRE_CHECKS["staging_tests_passed"] in passed,
        security_scan_passed=PRE_CHECKS["security_scan_passed"] in passed,
        performance_tests_passed=PRE_CHECKS["performance_tests_passed"] in passed,
        test_evidence_url=f"{settings.SITE_URL}/iep/{stamp.application.slug}/{stamp.ticket.key}/",
        tickets=(stamp.ticket.key,),
    )


def _what(entry: dict[str, Any]) -> str:
    return "removed" if entry["digest"] is None else f"sha256 `{entry['digest'][:12]}`"


def _know_how_to_deploy(tenant: Tenant, name: str, application: str) -> None:
    if DEPLOYER not in settings.DEPLOYERS:
        raise ImproperlyConfigured(f"DEPLOYERS has no entry {DEPLOYER!r}, which releases import maps.")
    DeploymentTarget.objects.update_or_create(
        tenant=tenant, target_type=TargetType.APPLICATION, target_name=name,
        defaults={"deployer": DEPLOYER, "options": {"application": application}, "time_limit": 120},
    )  # fmt: skip


def forget_request(delivery: Delivery) -> None:
    """A request that ended without a yes no longer holds its ticket."""
    number = delivery.fact.subject_id
    for stamp in Stamp.objects.filter(sign_off=number):
        forget_sign_off(stamp=stamp, request=number)
