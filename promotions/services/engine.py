"""Drives deployment attempts through their deployer: mark, call outside any transaction, record."""

from __future__ import annotations

import datetime as dt

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Value
from django.db.models.functions import Concat, Right

from core.clock import now
from core.failpoints import failpoint
from core.plugins import load_plugin
from promotions.deployers.base import Deployer, DeployerError, DeployerRefused, Job, Progress
from promotions.models import Deployment
from promotions.services.deployments import (
    begin_deployment,
    deployment_failed,
    deployment_started,
    deployment_succeeded,
    find_target,
)
from promotions.services.transition import load
from promotions.states import DeploymentState
from promotions.wire import render_promotion

log = structlog.get_logger(__name__)

POLL_FIRST = dt.timedelta(seconds=0.5)
POLL_EVERY = dt.timedelta(seconds=2)
POLL_SLOWLY = dt.timedelta(seconds=30)
KEPT_LOG = 512 * 1024
MAX_LAUNCH_TRIES = 30


def launch(deployment: Deployment) -> bool:
    """Launch one attempt if it may be launched now; whether its job is known to run."""
    mine = begin_deployment(deployment=deployment)
    if mine is None:
        return False
    failpoint("before_launch")
    try:
        job_id = deployer_of(mine).start(job_of(mine))
    except (DeployerRefused, ImproperlyConfigured) as refusal:
        deployment_failed(deployment=mine, error=str(refusal))
        return False
    except DeployerError as error:
        return _try_launch_later(mine, error)
    failpoint("after_launch")
    deployment_started(deployment=mine, job_id=job_id)
    return True


def _try_launch_later(deployment: Deployment, error: DeployerError) -> bool:
    if deployment.tries >= MAX_LAUNCH_TRIES:
        deployment_failed(deployment=deployment, error=f"Not launched after {deployment.tries} tries: {error}")
        return False
    wait = dt.timedelta(seconds=min(2 * 2 ** min(deployment.tries - 1, 6), 120))
    Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.LAUNCHING).update(
        next_at=now() + wait, note=str(error)[:2000]
    )
    log.warning("deployment.launch_postponed", deployment=deployment.deployment_id, reason=str(error))
    return False


def follow(deployment: Deployment) -> float | None:
    """Look once at a running attempt; the seconds until the next look, None when it ended or someone else looks."""
    if not _claim_look(deployment):
        return None
    current = Deployment.objects.select_related("promotion__tenant", "promotion__author").get(pk=deployment.pk)
    deployer, job = deployer_of(current), job_of(current)
    try:
        if current.cancel_requested_at or _is_overdue(current):
            deployer.cancel(job)
        progress = deployer.poll(job)
    except DeployerRefused as refusal:
        deployment_failed(deployment=current, error=str(refusal))
        return None
    except DeployerError as error:
        # An answer that does not come says nothing about the job: unknown is not failed.
        return _look_again(current, POLL_EVERY * 2, note=str(error)[:2000])
    _keep_log(current, progress)
    failpoint("before_outcome")
    return _record(current, progress)


def _claim_look(deployment: Deployment) -> bool:
    """Move the next look ahead; whoever moves it does the looking."""
    due = Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.RUNNING, next_at__lte=now())
    return bool(due.update(next_at=now() + POLL_SLOWLY))


def _is_overdue(deployment: Deployment) -> bool:
    return deployment.deadline_at is not None and deployment.deadline_at <= now()


def _record(deployment: Deployment, progress: Progress) -> float | None:
    if progress.outcome == "succeeded":
        deployment_succeeded(deployment=deployment, result=progress.result)
        return None
    if progress.outcome in {"failed", "canceled"}:
        deployment_failed(
            deployment=deployment, error=_why(deployment, progress), canceled=progress.outcome == "canceled"
        )
        return None
    young = now() - (deployment.started_at or now()) < POLL_EVERY * 5
    return _look_again(deployment, POLL_FIRST if young else POLL_EVERY)


def _look_again(deployment: Deployment, wait: dt.timedelta, note: str = "") -> float:
    Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.RUNNING).update(next_at=now() + wait, note=note)
    return wait.total_seconds()


def _why(deployment: Deployment, progress: Progress) -> str:
    if deployment.cancel_requested_at:
        return f"Stopped on request. {progress.error}".strip()
    if _is_overdue(deployment):
        return f"Stopped: it took longer than its time limit. {progress.error}".strip()
    return progress.error or f"The job ended as {progress.outcome}."


def _keep_log(deployment: Deployment, progress: Progress) -> None:
    """Append new output, keeping the newest part; a second reader of the same output appends nothing."""
    if not progress.log:
        return
    text = progress.log.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    Deployment.objects.filter(pk=deployment.pk, log_offset=deployment.log_offset).update(
        log=Right(Concat(F("log"), Value(text)), KEPT_LOG), log_offset=progress.log_offset
    )


def deployer_of(deployment: Deployment) -> Deployer:
    """The deployer of an attempt; ImproperlyConfigured when its target names none."""
    if not deployment.deployer:
        promotion = deployment.promotion
        raise ImproperlyConfigured(
            f"Nothing says how {promotion.tenant.slug} deploys {promotion.target_type} {promotion.target_name}: "
            "add a deployment target in the admin, then retry."
        )
    deployer: Deployer = load_plugin("DEPLOYERS", deployment.deployer)
    return deployer


def job_of(deployment: Deployment) -> Job:
    """The attempt as its deployer sees it."""
    promotion = load(deployment.promotion)
    target = find_target(promotion)
    return Job(
        nonce=str(deployment.nonce),
        deployment_id=deployment.deployment_id,
        attempt=deployment.attempt,
        request=render_promotion(promotion, []),
        options=deployment.options,
        time_limit=target.time_limit if target else 1800,
        created_at=deployment.created_at,
        job_id=deployment.job_id,
        log_offset=deployment.log_offset,
        tries=deployment.tries,
    )
