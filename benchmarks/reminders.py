"""How decisions fare while a flood of reminders is drained: `python -m benchmarks.reminders [--reminders 10000]`.

Everything is due at once, as after a long outage. The sweep runs in a process of its own, as in the worker; beside it
requests are approved at a steady pace through the service. Prints one line; exits 1 when an approval takes more than
500 ms (p95) or a reminder is missing or comes twice.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from config.stack.postgres import PostgresServer
from config.stack.valkey import ValkeyServer

LIMIT = 0.5
SWEEP = """
import django; django.setup()
from django.db.models import Q
from core.clock import now
from promotions.models import PromotionRequest
from promotions.tasks import sweep_reminders
while PromotionRequest.objects.filter(state="pending", remind_at__lte=now()).exists():
    sweep_reminders()
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reminders", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=4, help="Approvals each second.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stagepass-bench-") as place:
        postgres, valkey = PostgresServer(Path(place) / "postgres", fsync=False), ValkeyServer(Path(place) / "valkey")
        try:
            return measure(given, place, postgres.start(), valkey.start())
        finally:
            postgres.stop()
            valkey.stop()


def measure(given: argparse.Namespace, place: str, database: str, broker: str) -> int:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings.demo", "SECRET_KEY": secrets.token_urlsafe(60),
        "DATABASE_URL": database, "BROKER_URL": f"{broker}/0", "CACHE_URL": f"{broker}/1", "STAGEPASS_STATE": place,
        "LOG_LEVEL": "ERROR",
    }  # fmt: skip
    approver, waiting = prepare(given.reminders)
    quiet = [approve(approver, waiting) for _ in range(30)]
    begun = time.perf_counter()
    sweep = subprocess.Popen([sys.executable, "-c", SWEEP])
    busy: list[float] = []
    while sweep.poll() is None:
        started = time.perf_counter()
        busy.append(approve(approver, waiting))
        time.sleep(max(0.0, 1 / given.rate - (time.perf_counter() - started)))
    took, faults = time.perf_counter() - begun, count_faults(given.reminders)
    p95 = quantiles(busy, n=20)[-1]
    print(
        f"{given.reminders} reminders drained in {took:.1f} s ({given.reminders / took:.0f}/s), {faults} missing or double; "
        f"{len(busy)} approvals meanwhile: median {median(busy) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms "
        f"(limit {LIMIT * 1000:.0f}), alone {median(quiet) * 1000:.0f} ms"
    )
    return 0 if p95 <= LIMIT and not faults else 1


def prepare(reminders: int) -> tuple[Any, list[Any]]:
    """The requests to be reminded of, an approver, and requests to approve that nobody is reminded of."""
    import django

    django.setup()
    from django.core.management import call_command

    from accounts.models import Tenant, User
    from accounts.roles import Role
    from accounts.services import grant_role

    call_command("migrate", verbosity=0)
    tenant = Tenant.objects.create(slug="tenant-bench", name="Bench")
    author, approver = (User.objects.create_user(f"{name}@example.com", None) for name in ("author", "approver"))
    grant_role(user=author, tenant=tenant, role=Role.DEVOPS)
    grant_role(user=approver, tenant=tenant, role=Role.CPI)
    fill(tenant, author, reminders, "due", due=True)
    return approver, fill(tenant, author, max(400, reminders // 4), "open", due=False)


def fill(tenant: Any, author: Any, count: int, name: str, *, due: bool) -> list[Any]:
    from core.clock import now
    from promotions.models import PromotionRequest
    from promotions.types import PromotionContent
    from promotions.wire import content_digest

    rows, known = [], PromotionRequest.objects.count()
    for number in range(count):
        content = PromotionContent(
            target_type="api", target_name=f"{name}-{number}", version="2.1.0", justification="Because it is needed now",
            release_notes="- Notes", impact="low", rollback_plan="Back", staging_tests_passed=True,
            security_scan_passed=True, performance_tests_passed=True, test_evidence_url="https://ci.example.com/1",
        )  # fmt: skip
        columns = {field: getattr(content, field) for field in PromotionContent.__dataclass_fields__} | {"tickets": []}
        rows.append(
            PromotionRequest(
                number=f"PR-2031-{known + number:05d}", tenant=tenant, author=author, digest=content_digest(content),
                remind_at=now() if due else None, **columns,
            )
        )  # fmt: skip
    return list(PromotionRequest.objects.bulk_create(rows, batch_size=2000))


def approve(approver: Any, waiting: list[Any]) -> float:
    from promotions.services import approve_request

    promotion = waiting.pop()
    started = time.perf_counter()
    approve_request(promotion=promotion, by=approver, digest=promotion.digest)
    return time.perf_counter() - started


def count_faults(reminders: int) -> int:
    from events.models import DomainEvent

    facts = DomainEvent.objects.filter(type="promotion.reminded")
    return abs(facts.count() - reminders) + (facts.count() - facts.values("subject_id").distinct().count())


if __name__ == "__main__":
    sys.exit(main())
