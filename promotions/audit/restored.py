"""The rows of one request, from its restored facts: the request itself, its attempts, and what runs because of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import uuid
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_datetime

from accounts.models import User
from core.clock import now
from core.errors import Conflict
from events.models import DomainEvent
from promotions.models import Deployment, PromotionRequest, RunningVersion
from promotions.services.reminders import next_reminder
from promotions.states import DEPLOYMENT_ACTIVE, DeploymentState, Review, State
from promotions.types import PromotionContent
from promotions.wire import content_digest

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
QUEUEING = {"promotion.approved", "promotion.glass_broken", "promotion.due", "deployment.retried"}
DEPLOYING = {"deployment.succeeded", "promotion.forced"}


def restore_request(history: list[DomainEvent]) -> PromotionRequest:
    """The request as its newest document says, with its attempts; Conflict when content and digest do not agree."""
    document = history[-1].data["document"]
    last = {fact.type: fact for fact in history}
    ids = [fact.actor_id for fact in history if fact.actor_id]
    people: dict[uuid.UUID | None, User] = {user.public_id: user for user in User.objects.filter(public_id__in=ids)}
    content, created_at = content_of(document["spec"]), _time(document["metadata"]["createdAt"])
    reverses = document["spec"]["request"].get("rollbackOf")
    digest = content_digest(content, reverses)
    number, tenant = document["metadata"]["id"], history[-1].tenant
    if digest != document["status"]["digest"] or "promotion.created" not in last or created_at is None or not tenant:
        raise Conflict(f"The record of {number} does not fit together: its content is not what its digest says.")
    promotion = PromotionRequest.objects.create(
        number=number,
        tenant=tenant,
        author=people[last["promotion.created"].actor_id],
        state=document["status"]["state"],
        digest=digest,
        reverses=PromotionRequest.objects.get(number=reverses) if reverses else None,
        created_at=created_at,
        updated_at=history[-1].occurred_at,
        **_waiting(history, created_at),
        **_columns(content),
        **_decision(document["status"], last, people),
    )
    _restore_attempts(promotion, history)
    return promotion


def content_of(spec: dict[str, Any]) -> PromotionContent:
    """What was asked for, back from the wire."""
    target, request, checks = spec["target"], spec["request"], spec["preChecks"]
    return PromotionContent(
        target_type=target["type"],
        target_name=target["name"],
        version=target["version"],
        source_environment=target["sourceEnvironment"],
        target_environment=target["targetEnvironment"],
        justification=request["justification"],
        release_notes=request["releaseNotes"],
        impact=request["impactAssessment"],
        rollback_plan=request["rollbackPlan"],
        scheduled_at=_time(request["scheduledDate"]),
        tickets=tuple(request.get("tickets", ())),
        staging_tests_passed=checks["stagingTestsPassed"],
        security_scan_passed=checks["securityScanPassed"],
        performance_tests_passed=checks["performanceTestsPassed"],
        test_evidence_url=checks["testEvidenceUrl"],
    )


def _columns(content: PromotionContent) -> dict[str, Any]:
    columns = {field.name: getattr(content, field.name) for field in dataclasses.fields(content)}
    return columns | {"tickets": list(content.tickets)}


def _waiting(history: list[DomainEvent], created_at: dt.datetime) -> dict[str, Any]:
    """Until when it waits for a decision, from the start or since an operator made it wait again."""
    forced = [fact for fact in history if fact.type == "promotion.forced" and _state_after(fact) == State.PENDING]
    since = forced[-1].occurred_at if forced else created_at
    return {"expires_at": since + settings.PROMOTION_LIFETIME, "remind_at": next_reminder(now(), reminders=0)}


def _state_after(fact: DomainEvent) -> str:
    state: str = fact.data["document"]["status"]["state"]
    return state


def _decision(
    status: dict[str, Any], last: dict[str, DomainEvent], people: dict[uuid.UUID | None, User]
) -> dict[str, Any]:
    columns: dict[str, Any] = {"deployed_at": _time(status["deployedAt"])}
    # The newest document counts: an operator may have put the request back to where nobody had decided.
    broken = status.get("breakGlass")
    approval = "promotion.approved_afterwards" if broken else "promotion.approved"
    approved, rejected = last.get(approval), last.get("promotion.rejected")
    if approved and status["approvedBy"]:
        columns |= {
            "approved_by": people[approved.actor_id],
            "approved_at": _time(status["approvedAt"]),
            "approval_comment": approved.data.get("entry", {}).get("comment") or "",
            "approved_digest": approved.data["digest"],
        }
    if rejected and status["rejectedBy"]:
        columns |= {
            "rejected_by": people[rejected.actor_id],
            "rejected_at": _time(status["rejectedAt"]),
            "rejection_reason": status["rejectionReason"],
        }
    if broken:
        columns |= _broken_glass(broken, last, people)
    if succeeded := last.get("deployment.succeeded"):
        columns["replaced_version"] = succeeded.data.get("replaced_version", "")
    return columns


def _broken_glass(
    broken: dict[str, Any], last: dict[str, DomainEvent], people: dict[uuid.UUID | None, User]
) -> dict[str, Any]:
    fact, due = last["promotion.glass_broken"], _time(broken["reviewDueAt"])
    columns: dict[str, Any] = {
        "glass_broken_by": people[fact.actor_id],
        "glass_broken_at": _time(broken["at"]),
        "glass_reason": broken["reason"],
        "glass_digest": fact.data["digest"],
        "review_due_at": due,
    }
    if broken["objectedBy"]:
        columns |= {
            "objected_by": people[last["promotion.objected"].actor_id],
            "objected_at": _time(broken["objectedAt"]),
            "objection": broken["objection"],
        }
    elif broken["review"] == Review.OWED and due is not None:
        columns["review_remind_at"] = max(due, now())
    return columns


def _restore_attempts(promotion: PromotionRequest, history: list[DomainEvent]) -> None:
    attempts: list[Deployment] = []
    for fact in history:
        if fact.type in QUEUEING and _state_after(fact) == State.APPROVED:
            attempts.append(_attempt(promotion, len(attempts) + 1, fact))
        elif fact.type == "promotion.forced" and attempts:
            _close(attempts[-1], fact)
        elif fact.type.startswith("deployment.") and attempts:
            _continue(attempts[-1], fact)
        if fact.type in DEPLOYING and _state_after(fact) == State.DEPLOYED:
            _restore_running_version(promotion, fact.occurred_at)
    Deployment.objects.bulk_create(attempts)


def _attempt(promotion: PromotionRequest, number: int, fact: DomainEvent) -> Deployment:
    return Deployment(promotion=promotion, attempt=number, deployer="", created_at=fact.occurred_at)


def _continue(attempt: Deployment, fact: DomainEvent) -> None:
    entry = fact.data.get("entry", {})
    if fact.type == "deployment.cancel_requested":
        attempt.cancel_requested_at = fact.occurred_at
        return
    attempt.deployer = fact.data.get("deployer", "")
    attempt.job_id = entry.get("jobId") or attempt.job_id
    attempt.nonce = _nonce(entry.get("deploymentId", ""), attempt.job_id) or attempt.nonce
    if fact.type == "deployment.started":
        # Followed at once: its deployer knows how it went on. Its time limit begins anew.
        attempt.state, attempt.started_at = DeploymentState.RUNNING, fact.occurred_at
        attempt.deadline_at = now() + dt.timedelta(minutes=30)
        return
    attempt.finished_at, attempt.error = fact.occurred_at, entry.get("error") or ""
    attempt.result = fact.data.get("result", {})
    if fact.type == "deployment.succeeded":
        attempt.state = DeploymentState.SUCCEEDED
    else:
        attempt.state = DeploymentState.CANCELED if attempt.cancel_requested_at else DeploymentState.FAILED


def _close(attempt: Deployment, fact: DomainEvent) -> None:
    """An operator forced the request's state: what was on its way ended in the books."""
    if attempt.state in DEPLOYMENT_ACTIVE:
        attempt.state, attempt.finished_at = DeploymentState.CANCELED, fact.occurred_at
        attempt.error = "Closed by an operator who forced the request's state."


def _nonce(deployment_id: str, job_id: str) -> uuid.UUID | None:
    """The attempt's nonce, as far as it is on record: whole in the job ids of some deployers, else its first part."""
    start = deployment_id.removeprefix("deploy-")
    if not re.fullmatch(r"[0-9a-f]{12}", start):
        return None
    whole = _UUID.search(job_id)
    if whole and uuid.UUID(whole[0]).hex.startswith(start):
        return uuid.UUID(whole[0])
    return uuid.UUID(start + "0" * 20)


def _restore_running_version(promotion: PromotionRequest, since: dt.datetime) -> None:
    place = {
        "tenant": promotion.tenant,
        "environment": promotion.target_environment,
        "target_type": promotion.target_type,
        "target_name": promotion.target_name,
    }
    running, created = RunningVersion.objects.get_or_create(
        **place, defaults={"version": promotion.version, "since": since, "promotion": promotion}
    )
    if not created and running.since <= since:
        running.version, running.since, running.promotion = promotion.version, since, promotion
        running.save()


def _time(text: str | None) -> dt.datetime | None:
    return parse_datetime(text) if text else None
