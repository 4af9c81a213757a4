"""How tests bring an approved request through its deployment by the services, without Celery."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from django.db import connection
from django.db.models import F

from accounts.models import User
from core.clock import now
from events.models import Delivery, DeliveryState, DomainEvent
from promotions.models import Deployment, PromotionRequest
from promotions.services import approve_request
from promotions.services.engine import follow, launch
from promotions.services.transition import load
from tests.fakes.running import FakeAwx

PROJECT = Path(__file__).resolve().parents[2]


def approved(promotion: PromotionRequest, by: User) -> Deployment:
    """The attempt of a request that is approved, with the approval in the audit trail."""
    approve_request(promotion=promotion, by=by)
    record(promotion)
    return promotion.deployments.get()


def record(promotion: PromotionRequest) -> None:
    """As if every fact so far were committed to git."""
    facts = DomainEvent.objects.filter(subject_id=promotion.number).exclude(deliveries__channel="audit")
    Delivery.objects.bulk_create(Delivery(fact=fact, channel="audit", state=DeliveryState.DONE) for fact in facts)


def come_due(deployment: Deployment) -> Deployment:
    """As if the time for the next look had come, with whatever was sent before sent long ago."""
    long_ago = F("launch_sent_at") - dt.timedelta(minutes=5)
    Deployment.objects.filter(pk=deployment.pk).update(next_at=now(), launch_sent_at=long_ago)
    deployment.refresh_from_db()
    return deployment


def launched(deployment: Deployment) -> Deployment:
    assert launch(come_due(deployment))
    deployment.refresh_from_db()
    return deployment


def ended(deployment: Deployment, timeout: float = 20) -> Deployment:
    """Follow it to its end."""
    end = time.monotonic() + timeout
    while follow(come_due(deployment)) is not None:
        assert time.monotonic() < end, "it does not end"
        time.sleep(0.05)
    deployment.refresh_from_db()
    return deployment


def state_of(deployment: Deployment) -> tuple[str, str]:
    """How the attempt and its request stand."""
    deployment.refresh_from_db()
    return deployment.state, load(deployment.promotion).state


def facts_of(deployment: Deployment) -> list[str]:
    """The types of what was said about its request's deployments, in order."""
    about = DomainEvent.objects.filter(subject_id=deployment.promotion.number, type__startswith="deployment.")
    return list(about.order_by("sequence").values_list("type", flat=True))


def job_over(awx: FakeAwx, timeout: float = 20) -> None:
    """Wait until the newest job of the fake AWX has ended."""
    end = time.monotonic() + timeout
    while awx.seen()["jobs"][-1]["status"] not in {"successful", "failed", "error", "canceled"}:
        assert time.monotonic() < end, "the job does not end"
        time.sleep(0.05)


class BrokenDeployer:
    """Breaks in a way that no deployer declares."""

    def start(self, job: object) -> str:
        raise KeyError("surprise")

    poll = cancel = start


BROKEN = f"{__name__}.BrokenDeployer"


def killed_at(failpoint: str, step: str, deployment: Deployment, settings: Any) -> None:
    """Do one step of the engine in a process that is killed at the failpoint."""
    database = connection.settings_dict
    address = f"{database['HOST'] or 'localhost'}:{database['PORT']}"
    url = f"postgres://{database['USER']}:{database['PASSWORD']}@{address}/{database['NAME']}"
    code = (
        "import django; django.setup()\n"
        "from promotions.models import Deployment\n"
        "from promotions.services import engine\n"
        f"engine.{step}(Deployment.objects.select_related('promotion').get(pk={deployment.pk}))\n"
    )
    awx = settings.DEPLOYERS["awx"]["OPTIONS"]
    environment = os.environ | {
        "DATABASE_URL": url, "FAILPOINT": f"{failpoint}:kill", "AWX_URL": awx["url"], "AWX_TOKEN": awx["token"],
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -9, done.stderr
