"""A promotion request as the outside knows it: one shape for REST, the git audit trail and facts."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any

from core.canonical import digest_of
from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.types import PromotionContent

API_VERSION = "gostoa.dev/v1"
KIND = "PromotionRequest"

ACTIONS = {
    "promotion.created": "created",
    "promotion.edited": "edited",
    "promotion.commented": "commented",
    "promotion.approved": "approved",
    "promotion.glass_broken": "glass_broken",
    "promotion.approved_afterwards": "approved_afterwards",
    "promotion.objected": "objected",
    "promotion.rejected": "rejected",
    "promotion.withdrawn": "withdrawn",
    "promotion.expired": "expired",
    "promotion.due": "due",
    "promotion.rolled_back": "rolled_back",
    "promotion.forced": "forced",
    "deployment.started": "deploying",
    "deployment.succeeded": "deployed",
    "deployment.failed": "failed",
    "deployment.retried": "retried",
    "deployment.cancel_requested": "cancel_requested",
}


def spell_field(name: str) -> str:
    """The last part of a dotted name as words: request.releaseNotes is "release notes"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.rpartition(".")[2]).lower()


def wire_time(moment: dt.datetime | None) -> str | None:
    """RFC 3339 in UTC to the second, as the audit trail writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def render_spec(content: PromotionContent, reverses: str | None = None) -> dict[str, Any]:
    """What is asked for and reviewed."""
    spec: dict[str, Any] = {
        "target": {
            "type": content.target_type,
            "name": content.target_name,
            "version": content.version,
            "sourceEnvironment": content.source_environment,
            "targetEnvironment": content.target_environment,
        },
        "request": {
            "justification": content.justification,
            "releaseNotes": content.release_notes,
            "impactAssessment": content.impact,
            "rollbackPlan": content.rollback_plan,
            "scheduledDate": wire_time(content.scheduled_at),
        },
        "preChecks": {
            "stagingTestsPassed": content.staging_tests_passed,
            "securityScanPassed": content.security_scan_passed,
            "performanceTestsPassed": content.performance_tests_passed,
            "testEvidenceUrl": content.test_evidence_url,
        },
    }
    if content.tickets:
        spec["request"]["tickets"] = list(content.tickets)
    if reverses:
        spec["request"]["rollbackOf"] = reverses
    return spec


def content_digest(content: PromotionContent, reverses: str | None = None) -> str:
    """The digest an approval is bound to."""
    return digest_of(render_spec(content, reverses))


def history_entry(fact_type: str, at: dt.datetime, by: str, data: dict[str, Any]) -> dict[str, Any]:
    """One line of `status.history`."""
    entry = {"action": ACTIONS.get(fact_type, fact_type), "at": wire_time(at), "by": by}
    return entry | {key: value for key, value in data.get("entry", {}).items() if value not in (None, "")}


def render_history(facts: Iterable[DomainEvent]) -> list[dict[str, Any]]:
    """`status.history` from the facts of one request, oldest first."""
    return [history_entry(fact.type, fact.occurred_at, fact.actor_label, fact.data) for fact in facts]


def render_promotion(promotion: PromotionRequest, history: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole document: apiVersion, kind, metadata, spec, status."""
    reverses = promotion.reverses.number if promotion.reverses else None
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "id": promotion.number,
            "createdAt": wire_time(promotion.created_at),
            "createdBy": promotion.author.email,
            "tenant": promotion.tenant.slug,
        },
        "spec": render_spec(promotion.content, reverses),
        "status": {
            "state": promotion.state,
            "history": history,
            "approvedBy": promotion.approved_by.email if promotion.approved_by else None,
            "approvedAt": wire_time(promotion.approved_at),
            "deployedAt": wire_time(promotion.deployed_at),
            "rejectedBy": promotion.rejected_by.email if promotion.rejected_by else None,
            "rejectedAt": wire_time(promotion.rejected_at),
            "rejectionReason": promotion.rejection_reason or None,
            "digest": promotion.digest,
        },
    }
    if promotion.glass_broken_by:
        document["status"]["breakGlass"] = _render_broken_glass(promotion)
    return document


def _render_broken_glass(promotion: PromotionRequest) -> dict[str, Any]:
    """Who deployed it before it was approved, and what became of the review that this calls for."""
    return {
        "by": promotion.glass_broken_by.email if promotion.glass_broken_by else None,
        "at": wire_time(promotion.glass_broken_at),
        "reason": promotion.glass_reason,
        "reviewDueAt": wire_time(promotion.review_due_at),
        "review": promotion.review.value,
        "objectedBy": promotion.objected_by.email if promotion.objected_by else None,
        "objectedAt": wire_time(promotion.objected_at),
        "objection": promotion.objection or None,
    }
