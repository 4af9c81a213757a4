"""Jobs for deployers without a database, and how to wait for one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
import uuid
from collections.abc import Callable
from typing import Any

from promotions.deployers.base import Deployer, Job, Progress


def document(**target: str) -> dict[str, Any]:
    """A request as deployers get it."""
    return {
        "apiVersion": "gostoa.dev/v1",
        "kind": "PromotionRequest",
        "metadata": {"id": "PR-2026-0001", "tenant": "tenant-finance", "createdBy": "devops@example.com"},
        "spec": {
            "target": {
                "type": "api",
                "name": "payment-api",
                "version": "2.1.0",
                "sourceEnvironment": "staging",
                "targetEnvironment": "prod",
            }
            | target,
            "request": {"justification": "Because", "releaseNotes": "{{ not for Ansible }}"},
        },
        "status": {"state": "approved", "approvedBy": "cpi@example.com"},
    }


def make_job(options: Any = None, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "nonce": str(uuid.uuid4()),
        "deployment_id": "deploy-0123456789ab",
        "attempt": 1,
        "request": document(),
        "options": {} if options is None else options,
        "time_limit": 60,
        "created_at": dt.datetime.now(dt.UTC),
    }
    return Job(**(fields | changes))


def follow(deployer: Deployer, job: Job, *, timeout: float = 30, until: Callable[[Progress], bool] | None = None):
    """Poll until the job has ended (or `until` says so): the last progress, with the whole log."""
    end, log = time.monotonic() + timeout, ""
    while True:
        progress = deployer.poll(job)
        log += progress.log
        job = dataclasses.replace(job, log_offset=progress.log_offset)
        progress = dataclasses.replace(progress, log=log)
        if until(progress) if until else progress.outcome != "running":
            return progress
        assert time.monotonic() < end, f"still {progress}"
        time.sleep(0.05)


def awx_job(**changes):
    options = {"job_template": 7} | changes.pop("options", {})
    return make_job(options, **changes)


def run(deployer, job):
    return follow(deployer, dataclasses.replace(job, job_id=deployer.start(job)))


def again(job):
    return dataclasses.replace(job, tries=job.tries + 1)


def launches(awx, template: int = 7) -> int:
    return awx.count(f"POST /api/v2/job_templates/{template}/launch/")
