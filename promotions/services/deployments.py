"""The life of a deployment attempt: queued with the approval, launched once, followed to its end."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from accounts.models import User
from core.clock import now
from core.doorbell import ring_on_commit
from core.errors import Conflict, WrongState
from events.chain.clearance import freezes_in_force
from events.models import Delivery, DeliveryState
from promotions import permissions
from promotions.models import Deployment, DeploymentTarget, PromotionRequest, RunningVersion
from promotions.services.transition import SUBJECT_TYPE, load, move, one_active, publish_about, wrong_state
from promotions.states import DeploymentState, Review, State

LAUNCH_LEASE = dt.timedelta(seconds=60)
AUDIT_CHANNEL = "audit"
CLEARING = ("promotion.approved", "promotion.glass_broken")


def queue_deployment(promotion: PromotionRequest) -> Deployment:
    """The next attempt, in the caller's transaction; its row is the only permission to launch a job."""
    target = find_target(promotion)
    last = promotion.deployments.order_by("-attempt").values_list("attempt", flat=True).first() or 0
    return Deployment.objects.create(
        promotion=promotion,
        attempt=last + 1,
        deployer=target.deployer if target else "",
        options=target.options if target else {},
    )


def find_target(promotion: PromotionRequest) -> DeploymentTarget | None:
    """How this thing is deployed: the tenant's most specific target."""
    return (
        DeploymentTarget.objects.filter(
            Q(target_type="") | Q(target_type=promotion.target_type),
            Q(target_name="") | Q(target_name=promotion.target_name),
            tenant=promotion.tenant,
        )
        .order_by("-target_name", "-target_type")
        .first()
    )


def approval_is_recorded(promotion: PromotionRequest) -> bool:
    """Whether every step up to the approval, or to the breaking of the glass, is committed to the audit trail."""
    steps = Delivery.objects.filter(
        channel=AUDIT_CHANNEL, fact__subject_type=SUBJECT_TYPE, fact__subject_id=promotion.number
    )
    approvals = steps.filter(fact__type__in=CLEARING, state=DeliveryState.DONE)
    return (
        approvals.exists()
        and not steps.filter(
            ~Q(state=DeliveryState.DONE), fact__type__in=[*CLEARING, "promotion.due", "deployment.retried"]
        ).exists()
    )


@transaction.atomic
def begin_deployment(*, deployment: Deployment) -> Deployment | None:
    """Take the right to launch, by lease: None when it is not due, not recorded in git yet, or someone else's.

    Written before anything is asked of the deployer, so that a crash afterwards is known to need a search first.
    """
    mine = (
        Deployment.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("promotion__tenant", "promotion__author")
        .filter(pk=deployment.pk, state__in=[DeploymentState.QUEUED, DeploymentState.LAUNCHING], next_at__lte=now())
        .first()
    )
    if mine is None or mine.promotion.state != State.APPROVED or not approval_is_recorded(mine.promotion):
        return None
    target = find_target(mine.promotion)
    mine.state = DeploymentState.LAUNCHING
    mine.next_at = now() + LAUNCH_LEASE
    mine.tries += 1
    mine.deadline_at = mine.deadline_at or now() + dt.timedelta(seconds=target.time_limit if target else 1800)
    mine.save(update_fields=["state", "next_at", "tries", "deadline_at"])
    return mine


@transaction.atomic
def deployment_started(*, deployment: Deployment, job_id: str) -> PromotionRequest | None:
    """The deployer has the job; leaves `deployment.started`. None when that was recorded before."""
    changed = Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.LAUNCHING).update(
        state=DeploymentState.RUNNING, job_id=job_id, started_at=now(), next_at=now(), note=""
    )
    if not changed:
        return None
    return move(deployment.promotion, "start", by=None, data=_data(deployment, jobId=job_id))


@transaction.atomic
def deployment_succeeded(*, deployment: Deployment, result: dict[str, Any]) -> PromotionRequest | None:
    """The job ended well: production runs the version; leaves `deployment.succeeded`. None when it had ended before."""
    if not _finish(deployment, DeploymentState.SUCCEEDED, result=result):
        return None
    promotion, moment = deployment.promotion, now()
    replaced = set_running_version(promotion)
    moved = move(
        promotion,
        "succeed",
        by=None,
        data=_data(deployment, jobId=deployment.job_id) | {"replaced_version": replaced, "result": result},
        at=moment,
        deployed_at=moment,
        replaced_version=replaced,
    )
    if moved.reverses is not None and moved.reverses.state == State.DEPLOYED:
        move(moved.reverses, "supersede_by_rollback", by=None, data={"rolled_back_by": moved.number})
    return moved


@transaction.atomic
def deployment_failed(*, deployment: Deployment, error: str, canceled: bool = False) -> PromotionRequest | None:
    """The job ended badly or could not be launched; leaves `deployment.failed`. None when it had ended before."""
    state = DeploymentState.CANCELED if canceled else DeploymentState.FAILED
    if not _finish(deployment, state, error=error):
        return None
    data = _data(deployment, jobId=deployment.job_id, error=error[:4000])
    promotion = PromotionRequest.objects.get(pk=deployment.promotion_id)
    return move(promotion, "fail", by=None, data=data)


@transaction.atomic
def launch_failed(*, deployment: Deployment, error: str, canceled: bool = False) -> PromotionRequest | None:
    """As `deployment_failed`, but None when another worker has the right to launch by now."""
    mine = Deployment.objects.select_for_update().filter(
        pk=deployment.pk, state=DeploymentState.LAUNCHING, tries=deployment.tries
    )
    return deployment_failed(deployment=deployment, error=error, canceled=canceled) if mine.first() else None


def _finish(deployment: Deployment, state: str, **updates: Any) -> int:
    return (
        Deployment.objects.active().filter(pk=deployment.pk).update(state=state, finished_at=now(), note="", **updates)
    )


def _data(deployment: Deployment, **entry: Any) -> dict[str, Any]:
    return {
        "entry": {**entry, "deploymentId": deployment.deployment_id},
        "attempt": deployment.attempt,
        "deployer": deployment.deployer,
    }


def set_running_version(promotion: PromotionRequest) -> str:
    """Production runs this version now; the one it ran before, or empty when that is not known."""
    place: dict[str, Any] = {
        "tenant": promotion.tenant,
        "environment": promotion.target_environment,
        "target_type": promotion.target_type,
        "target_name": promotion.target_name,
    }
    before = RunningVersion.objects.select_for_update().filter(**place).first()
    RunningVersion.objects.update_or_create(
        **place, defaults={"version": promotion.version, "since": now(), "promotion": promotion}
    )
    return before.version if before else ""


@transaction.atomic
def retry_deployment(*, promotion: PromotionRequest, by: User) -> PromotionRequest:
    """Try a failed deployment again under the approval it has; leaves `deployment.retried`.

    WrongState unless it failed; Conflict while another request of the same target is active, or a freeze holds it up.
    """
    permissions.check_can_retry(by, promotion)
    current = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    if current.state != State.FAILED:
        raise wrong_state(load(current), "retry")
    if current.review == Review.OBJECTED:
        raise WrongState(f"Someone objected to {current.number}. Create another request.", code="objected")
    _refuse_if_frozen(current)
    queue_deployment(current)
    try:
        with transaction.atomic():
            return move(current, "retry", by=by)
    except IntegrityError as error:
        raise one_active(current.tenant, current.content, error) from error


@transaction.atomic
def cancel_deployment(*, promotion: PromotionRequest, by: User, reason: str = "") -> PromotionRequest:
    """Ask the deployer to stop; the request fails once it has, at once if nothing was launched yet.

    Leaves `deployment.cancel_requested`. WrongState when nothing runs, or it was asked to stop before.
    """
    permissions.check_can_cancel(by, promotion)
    attempt = promotion.deployments.active().select_for_update().filter(cancel_requested_at=None).first()
    if attempt is None:
        raise WrongState(f"{promotion.number} has no running deployment that could be stopped.")
    attempt.cancel_requested_at = now()
    if attempt.state != DeploymentState.LAUNCHING:  # there the date is a lease, and somebody may just be launching
        attempt.next_at = now()
    attempt.save(update_fields=["cancel_requested_at", "next_at"])
    publish_about(load(promotion), "deployment.cancel_requested", by=by, data={"entry": {"comment": reason}})
    if attempt.state == DeploymentState.QUEUED:
        deployment_failed(deployment=attempt, error="Stopped before it was launched.", canceled=True)
    else:
        ring_on_commit("promotions.follow_deployment", attempt.pk)
    return load(promotion)


@transaction.atomic
def release_scheduled_request(*, promotion: PromotionRequest) -> PromotionRequest:
    """The hour of a scheduled request has come: it deploys now; leaves `promotion.due` with how late that is.

    WrongState before that hour, and Conflict (frozen) while a freeze holds it up: it waits for the end of the freeze.
    """
    current = PromotionRequest.objects.select_for_update(of=("self",)).get(pk=promotion.pk)
    if current.state != State.SCHEDULED:
        raise wrong_state(load(current), "release")
    if current.scheduled_at is None or current.scheduled_at > now():
        raise WrongState(f"{current.number} is not due yet.")
    _refuse_if_frozen(current)
    late = now() - current.scheduled_at
    queue_deployment(current)
    return move(current, "release", by=None, data={"late_seconds": round(late.total_seconds())})


def _refuse_if_frozen(promotion: PromotionRequest) -> None:
    """Also one that was declared after the approval. Rollbacks go through, and so does what broke the glass."""
    if promotion.reverses_id or promotion.glass_broken_by_id:
        return
    held = freezes_in_force(promotion.tenant, promotion.target_name, promotion.target_environment)
    if held:
        raise Conflict(
            f"{held[0].what} is frozen until {held[0].ends_at:%Y-%m-%d %H:%M} UTC: {held[0].reason}", code="frozen"
        )
