"""Claim and complete a stage through the services, against hand-written psycopg that writes the same rows.

    python benchmarks/ticket_claims.py [seconds per run]      default: 3

Starts a PostgreSQL of its own in a temporary folder. Each client claims the next of 20,000 waiting tasks and completes
it with a comment, which queues the ticket's next stage: two transactions with two chained facts. 1, 8 and 32 clients,
spread over at most four processes, the two ways taking turns so that whatever else the machine does slows both. One line
each; exit code 1 when the services reach less than half of the hand-written rate.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CLIENTS = (1, 8, 32)
PROCESSES = 4
ROUNDS = 3
TICKETS = 20_000
STEPS = 50
GOAL = 0.5
COMMENT = "The design is done: sessions in the database, log-out everywhere, see the sketch. " * 3

Work = Callable[[], object]


@contextlib.contextmanager
def a_database() -> Iterator[None]:
    """Django, set up on a PostgreSQL that is gone afterwards."""
    from config.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as place:
        server = PostgresServer(Path(place) / "postgres", fsync=False)
        os.environ |= {
            "DATABASE_URL": server.start(),
            "BROKER_URL": "redis://127.0.0.1:1/0",
            "CACHE_URL": "locmemcache://",
            "SECRET_KEY": "benchmark-" + "x" * 50,
            "STAGEPASS_STATE": place,
            "LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "config.settings.demo",
        }
        try:
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield
        finally:
            from django.db import connections

            connections.close_all()
            server.stop()


def fill() -> None:
    """20,000 tickets of four projects, each at the first of 50 stages of one type, queued."""
    from django.db import connection
    from django.utils import timezone

    from accounts.models import Tenant, User
    from accounts.roles import Role
    from accounts.services import grant_role
    from tickets.models import Project, StageTask, Ticket
    from tickets.services import register_worker

    tenant = Tenant.objects.create(slug="tenant", name="Tenant")
    worker = User.objects.create_user("worker@example.com", "x")
    grant_role(user=worker, tenant=tenant, role=Role.WORKER)
    projects = [Project.objects.create(tenant=tenant, key=f"p/{n}", prefix=f"P{n}") for n in range(4)]
    plan = [{"stage": "architect", "gate": False}] * STEPS
    tickets = Ticket.objects.bulk_create(
        [
            Ticket(
                tenant=tenant, project=projects[n % 4], key=f"T-{n}", author=worker, title=f"Ticket number {n}",
                plan=plan, stage="architect", state="in_progress",
            )
            for n in range(TICKETS)
        ],
        batch_size=2000,
    )  # fmt: skip
    StageTask.objects.bulk_create(
        [
            StageTask(
                tenant=tenant, project=ticket.project, ticket=ticket, step=0, worker_type="architect", turn=n // 4,
                next_at=timezone.now(),
            )
            for n, ticket in enumerate(tickets)
        ],
        batch_size=2000,
    )  # fmt: skip
    for number in range(max(CLIENTS)):
        register_worker(worker_id=f"worker-{number}", worker_type="architect", tenant=tenant, by=worker)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def through_services(number: int) -> Work:
    from accounts.models import User
    from tickets.models import Worker
    from tickets.services import claim_task, complete_stage

    by = User.objects.get(email="worker@example.com")
    worker = Worker.objects.select_related("tenant", "project").get(worker_id=f"worker-{number}")

    def work() -> object:
        task = claim_task(worker=worker, by=by)
        assert task is not None
        return complete_stage(task=task, fence=task.fence, by=by, comment=COMMENT)

    return work


CLAIM = """
UPDATE tickets_stagetask task SET state = 'claimed', fence = fence + 1, attempt = attempt + 1,
    claimed_at = clock_timestamp(), lease_until = clock_timestamp() + interval '300 seconds',
    claimed_by_id = %(worker)s, claimed_account_id = %(account)s
WHERE id = COALESCE(
    (SELECT id FROM tickets_stagetask WHERE tenant_id = %(tenant)s AND worker_type = 'architect' AND state = 'claimed'
       AND lease_until < clock_timestamp() ORDER BY lease_until LIMIT 1 FOR UPDATE SKIP LOCKED),
    (SELECT id FROM tickets_stagetask task WHERE tenant_id = %(tenant)s AND worker_type = 'architect'
       AND state IN ('queued', 'failed') AND next_at <= clock_timestamp()
       AND NOT EXISTS (SELECT 1 FROM tickets_dependency need JOIN tickets_ticket other ON other.id = need.blocker_id
                       WHERE need.ticket_id = task.ticket_id AND other.state NOT IN ('resolved', 'completed'))
     ORDER BY priority, turn, id LIMIT 1 FOR UPDATE SKIP LOCKED))
RETURNING task.id, ticket_id, fence, step, attempt
"""
LOCK_LOG = "SELECT pg_advisory_xact_lock(%s), pg_notify('facts', '')"
HEAD = "SELECT sequence, hash FROM events_domainevent ORDER BY sequence DESC LIMIT 1"
FACT = """
INSERT INTO events_domainevent (sequence, id, type, occurred_at, tenant_id, subject_type, subject_id, subject_label,
    actor_id, actor_label, surface, request_id, data, audience_capability, audience_users, previous_hash, hash)
VALUES (%s, %s, %s, now(), %s, 'ticket', %s, %s, %s, 'worker@example.com', 'cli', '', %s, 'view_tickets', '{}', %s, %s)
"""
NEXT = """
INSERT INTO tickets_stagetask (tenant_id, project_id, ticket_id, step, round, worker_type, state, priority, turn, attempt,
                               max_attempts, fence, next_at, last_error, created_at)
SELECT tenant_id, project_id, ticket_id, step + 1, round, worker_type, 'queued', priority,
       COALESCE((SELECT turn + 1 FROM tickets_stagetask other WHERE other.project_id = task.project_id
                   AND worker_type = 'architect' AND priority = task.priority AND state IN ('queued', 'failed')
                 ORDER BY turn DESC LIMIT 1), 0),
       0, 5, 0, clock_timestamp(), '', clock_timestamp()
FROM tickets_stagetask task WHERE id = %s RETURNING id
"""


def by_hand(number: int) -> Work:
    import psycopg

    from events.services import _LOG_LOCK

    connection = psycopg.connect(os.environ["DATABASE_URL"])
    tenant, account, public_id, worker = connection.execute(
        "SELECT w.tenant_id, u.id, u.public_id, w.id FROM tickets_worker w JOIN accounts_user u ON u.id = w.owner_id"
        " WHERE worker_id = %s",
        [f"worker-{number}"],
    ).fetchone()  # type: ignore[misc]
    connection.commit()

    def publish(kind: str, key: str, title: str, data: dict[str, Any]) -> None:
        connection.execute(LOCK_LOG, [_LOG_LOCK])
        sequence, previous = connection.execute(HEAD).fetchone() or (0, "0" * 64)
        fact = [sequence + 1, str(uuid.uuid4()), kind, tenant, key, f"{key} {title}", str(public_id)]
        text = json.dumps(data)
        digest = hashlib.sha256(json.dumps([*fact, text, previous], sort_keys=True).encode()).hexdigest()
        connection.execute(FACT, [*fact, text, previous, digest])

    def work() -> object:
        with connection.transaction():
            row = connection.execute(CLAIM, {"worker": worker, "account": account, "tenant": tenant}).fetchone()
            task, ticket, fence, step, attempt = row  # type: ignore[misc]
            key, title, state = connection.execute(
                "SELECT key, title, state FROM tickets_ticket WHERE id = %s", [ticket]
            ).fetchone()  # type: ignore[misc]
            data = {
                "key": key,
                "task_id": task,
                "stage": "architect",
                "attempt": attempt,
                "fence": fence,
                "state": state,
            }
            publish("ticket.stage_claimed", key, title, data)
        with connection.transaction():
            version = connection.execute(
                "SELECT version FROM tickets_ticket WHERE id = %s FOR NO KEY UPDATE", [ticket]
            ).fetchone()[0]  # type: ignore[index]
            ended = connection.execute(
                "UPDATE tickets_stagetask SET state = 'done', finished_at = now() WHERE id = %s AND fence = %s"
                " AND state = 'claimed' AND claimed_account_id = %s",
                [task, fence, account],
            )
            assert ended.rowcount == 1
            comment = connection.execute(
                "INSERT INTO tickets_comment (ticket_id, author_id, kind, worker_type, worker_id, stage, stage_number,"
                " task_id, fence, content, created_at)"
                " VALUES (%s, %s, 'stage', 'architect', 'worker', 'architect', %s, %s, %s, %s, now()) RETURNING id",
                [ticket, account, step + 1, task, fence, COMMENT],
            ).fetchone()[0]  # type: ignore[index]
            connection.execute(
                "UPDATE tickets_ticket SET progress = %s, last_completed_stage = 'architect', version = version + 1,"
                " updated_at = now() WHERE id = %s AND version = %s",
                [step + 1, ticket, version],
            )
            following = connection.execute(NEXT, [task]).fetchone()[0]  # type: ignore[index]
            data = {"key": key, "task_id": task, "comment_id": comment, "next_task_id": following, "stage": "architect"}
            publish(
                "ticket.stage_completed", key, title, data | {"attempt": attempt, "fence": fence, "version": version}
            )
        return None

    return work


WAYS: dict[str, Callable[[int], Work]] = {"psycopg": by_hand, "services": through_services}


def client_process(way: str, numbers: list[int], seconds: float, ready: Any, results: Any) -> None:
    """Some clients as threads; each works until the time is over."""
    import django

    django.setup()
    counts = [0] * len(numbers)

    def run(place: int, number: int) -> None:
        work = WAYS[way](number)
        work()
        ready.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            work()
            counts[place] += 1

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(numbers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(sum(counts))


def rate(way: str, clients: int, seconds: float) -> float:
    """Stages completed per second."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(clients), context.Queue()
    processes = min(PROCESSES, clients)
    running = [
        context.Process(
            target=client_process, args=(way, list(range(clients))[place::processes], seconds, ready, results)
        )
        for place in range(processes)
    ]
    for process in running:
        process.start()
    total = sum(results.get(timeout=120 + seconds) for _ in running)
    for process in running:
        process.join()
    return total / seconds


def main(seconds: float) -> int:
    missed = 0
    with a_database():
        fill()
        for clients in CLIENTS:
            rates: dict[str, list[float]] = {way: [] for way in WAYS}
            for turn in range(ROUNDS):
                for way in sorted(WAYS, reverse=bool(turn % 2)):
                    rates[way].append(rate(way, clients, seconds))
            raw, ours = (statistics.median(rates[way]) for way in ("psycopg", "services"))
            missed += ours / raw < GOAL
            print(
                f"{clients:3} clients: psycopg {raw:6.0f}/s, services {ours:6.0f}/s, ratio {ours / raw:.2f}"
                f" (goal >= {GOAL})",
                flush=True,
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0))
