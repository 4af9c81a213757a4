"""The policies of an application, asked side by side within a time limit; what does not answer refuses."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from django.conf import settings
from django.db import connection

from core.plugins import load_plugin
from iep.policies.base import Outcome, Policy, Step, Verdict

log = structlog.get_logger(__name__)


def judge(step: Step) -> list[Verdict]:
    """A verdict from every policy of the application, in its order."""
    names = list(step.stamp.application.policies)
    if not names:
        return []
    pool = ThreadPoolExecutor(max_workers=len(names), thread_name_prefix="policy")
    end = time.monotonic() + settings.IEP_POLICY_SECONDS
    asked = {name: pool.submit(_ask, name, step) for name in names}
    wait(asked.values(), timeout=max(0.0, end - time.monotonic()))
    pool.shutdown(wait=False, cancel_futures=True)
    return [_outcome(name, asked[name]) for name in names]


def _ask(name: str, step: Step) -> Verdict:
    """In a thread with a connection of its own, so that one that hangs holds up nobody else."""
    try:
        policy: Policy = load_plugin("IEP_POLICIES", name)
        return policy.check(step)
    finally:
        connection.close()


def _outcome(name: str, answer: Future[Verdict]) -> Verdict:
    if not answer.done():
        reason = (
            f"The policy {name} did not answer within {settings.IEP_POLICY_SECONDS:g} s, which counts as no. Try again."
        )
        return Verdict(name, Outcome.BLOCK, reason)
    error = answer.exception()
    if error is not None:
        log.error("policy.failed", policy=name, error=repr(error))
        reason = f"The policy {name} failed ({type(error).__name__}: {str(error)[:200]}), which counts as no."
        return Verdict(name, Outcome.BLOCK, reason)
    verdict = answer.result()
    return Verdict(name, verdict.outcome, verdict.reason)


def is_refused(verdicts: list[Verdict]) -> bool:
    """Whether one of them says no."""
    return any(verdict.outcome == Outcome.BLOCK for verdict in verdicts)
