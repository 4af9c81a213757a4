"""Drives deployment attempts through their deployer: mark, call outside any transaction, record."""

from __future__ import annotations

import dataclasses
import datetime as dt
from functools import partial

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Value
from django.db.models.functions import Concat, Right

from core.clock import now
from core.failpoints import failpoint
from core.plugins import load_plugin
from promotions.deployers.base import Deployer, DeployerError, DeployerRefused, DeployerUnsure, Job, Progress
from promotions.models import Deployment
from promotions.services.deployments import (
    begin_deployment,
    deployment_failed,
    deployment_started,
    deployment_succeeded,
    find_target,
    launch_failed,
)
from promotions.services.transition import load
from promotions.states import DEPLOYMENT_ACTIVE, DeploymentState
from promotions.wire import render_promotion

log = structlog.get_logger(__name__)

POLL_FIRST = dt.timedelta(seconds=0.5)
POLL_EVERY = dt.timedelta(seconds=2)
POLL_SLOWLY = dt.timedelta(seconds=30)
KEPT_LOG = 512 * 1024
MAX_LAUNCH_TRIES = 30
# How long a launch that was sent may still arrive: longer than any gateway in between holds on to a request.
UNSURE_FOR = dt.timedelta(seconds=150)
# How long after its time limit an attempt whose deployer does not answer is given up.
GIVE_UP_AFTER = dt.timedelta(minutes=30)


def launch(deployment: Deployment) -> bool:
    """Launch one attempt if it may be launched now; whether its job is known to run."""
    mine = begin_deployment(deployment=deployment)
    if mine is None:
        return False
    failpoint("before_launch")
    try:
        job_id = deployer_of(mine).start(job_of(mine))
    except (DeployerRefused, ImproperlyConfigured) as refusal:
        launch_failed(deployment=mine, error=str(refusal), canceled=mine.cancel_requested_at is not None)
        return False
    except DeployerError as error:
        _try_launch_later(mine, str(error), unsure=isinstance(error, DeployerUnsure))
        return False
    except Exception as error:  # a fault of the deployer: its job may run all the same
        log.exception("deployment.deployer_broke", deployment=mine.deployment_id)
        _try_launch_later(mine, f"The deployer {mine.deployer} broke: {error!r}", unsure=True)
        return False
    failpoint("after_launch")
    if deployment_started(deployment=mine, job_id=job_id) is None:
        return _come_late(mine, job_id)
    return True


def _come_late(deployment: Deployment, job_id: str) -> bool:
    """Another worker recorded the launch before us: fine. But a job of an attempt that has ended must not run."""
    current = Deployment.objects.select_related("promotion").get(pk=deployment.pk)
    if current.state in DEPLOYMENT_ACTIVE or current.job_id == job_id:
        return current.state == DeploymentState.RUNNING
    log.error("deployment.ended_while_launching", deployment=current.deployment_id, job=job_id)
    try:
        deployer_of(current).cancel(dataclasses.replace(job_of(current), job_id=job_id))
    except DeployerError as error:
        log.error("deployment.orphan_not_stopped", deployment=current.deployment_id, job=job_id, reason=str(error))
    return False


def _try_launch_later(deployment: Deployment, why: str, *, unsure: bool) -> None:
    if deployment.tries >= MAX_LAUNCH_TRIES:
        error = (
            f"Given up after {deployment.tries} tries to launch it; look for nonce {deployment.nonce} before a retry."
        )
        launch_failed(deployment=deployment, error=f"{error} {why}")
        return
    wait = dt.timedelta(seconds=min(2 * 2 ** min(deployment.tries - 1, 6), 120))
    wait = max(wait, UNSURE_FOR) if unsure else wait
    mine = Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.LAUNCHING, tries=deployment.tries)
    mine.update(next_at=now() + wait, note=why[:2000])
    log.warning("deployment.launch_postponed", deployment=deployment.deployment_id, reason=why)


def follow(deployment: Deployment) -> float | None:
    """Look once at a running attempt; the seconds until the next look, None when it ended or someone else looks."""
    if not _claim_look(deployment):
        return None
    current = Deployment.objects.select_related("promotion__tenant", "promotion__author").get(pk=deployment.pk)
    try:
        note, progress = _look(current)
    except DeployerRefused as refusal:
        deployment_failed(deployment=current, error=str(refusal))
        return None
    except (DeployerError, ImproperlyConfigured) as error:
        return _unanswered(current, str(error))
    except Exception as error:  # a fault of the deployer says no more about the job than silence does
        log.exception("deployment.deployer_broke", deployment=current.deployment_id)
        return _unanswered(current, f"The deployer {current.deployer} broke: {error!r}")
    _keep_log(current, progress)
    failpoint("before_outcome")
    return _record(current, progress, note)


def _look(deployment: Deployment) -> tuple[str, Progress]:
    """What stands against stopping it, if it is to stop and cannot; and how it stands."""
    deployer, job, note = deployer_of(deployment), job_of(deployment), ""
    if deployment.cancel_requested_at or _is_overdue(deployment):
        try:
            deployer.cancel(job)
        except DeployerError as error:  # it may have ended all the same
            note = f"It could not be stopped: {error}"
    return note, deployer.poll(job)


def _unanswered(deployment: Deployment, why: str) -> float | None:
    """An answer that does not come says nothing about the job: unknown is not failed, until long after its time limit."""
    if deployment.deadline_at is not None and deployment.deadline_at + GIVE_UP_AFTER <= now():
        error = f"Nobody can say how job {deployment.job_id} ended; look at it before a retry."
        deployment_failed(deployment=deployment, error=f"{error} {why}")
        return None
    return _look_again(deployment, POLL_EVERY * 2, note=why)


def _claim_look(deployment: Deployment) -> bool:
    """Move the next look ahead; whoever moves it does the looking."""
    due = Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.RUNNING, next_at__lte=now())
    return bool(due.update(next_at=now() + POLL_SLOWLY))


def _is_overdue(deployment: Deployment) -> bool:
    return deployment.deadline_at is not None and deployment.deadline_at <= now()


def _record(deployment: Deployment, progress: Progress, note: str) -> float | None:
    if progress.outcome == "succeeded":
        deployment_succeeded(deployment=deployment, result=progress.result)
        return None
    if progress.outcome in {"failed", "canceled"}:
        deployment_failed(
            deployment=deployment, error=_why(deployment, progress), canceled=progress.outcome == "canceled"
        )
        return None
    young = now() - (deployment.started_at or now()) < POLL_EVERY * 5
    return _look_again(deployment, POLL_FIRST if young else POLL_EVERY, note)


def _look_again(deployment: Deployment, wait: dt.timedelta, note: str = "") -> float:
    Deployment.objects.filter(pk=deployment.pk, state=DeploymentState.RUNNING).update(
        next_at=now() + wait, note=note[:2000]
    )
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
        cancel_requested=deployment.cancel_requested_at is not None,
        sent_at=deployment.launch_sent_at,
        sending=partial(_note_sending, deployment.pk),
        not_taken=partial(_note_not_taken, deployment.pk),
    )


def _note_sending(pk: int) -> None:
    """Written before the launch leaves: if its sender dies, the next one knows that a job may still appear."""
    Deployment.objects.filter(pk=pk).update(launch_sent_at=now())
    failpoint("launch_sent")


def _note_not_taken(pk: int) -> None:
    Deployment.objects.filter(pk=pk).update(launch_sent_at=None)
