"""What the list and the board of tickets cost as the tickets grow to a million: statements, and milliseconds.

    python benchmarks/ticket_lists.py [rows ...]      default: 10000 1000000

Starts a PostgreSQL of its own in a temporary folder, fills it by COPY to each size with tickets of 20 tenants, and reads
list, board, filters and searches as someone of one tenant and as someone who sees every tenant: selectors and their
rendering. Medians of 21 runs; one line each. Exit code 1 when a read takes more than 8 statements, or more than three
times as long (and more than 10 ms) at the last size as at the first.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from ticket_claims import a_database  # noqa: E402

SIZES = (10_000, 1_000_000)
RUNS = 21
MOST_STATEMENTS, MOST_GROWTH, NEGLIGIBLE = 8, 3.0, 10.0
TENANTS = 20
STATES = ("completed",) * 6 + ("open", "in_progress", "testing", "resolved", "stopped", "in_review")
WORDS = (
    "payment",
    "refund",
    "invoice",
    "ledger",
    "checkout",
    "session",
    "report",
    "export",
    "currency",
    "retry",
    "audit",
)


def people() -> dict[str, object]:
    from accounts.models import Tenant, User
    from accounts.roles import Role
    from accounts.services import grant_role
    from tickets.models import Project

    tenants = [Tenant.objects.create(slug=f"tenant-{n}", name=f"Tenant {n}") for n in range(TENANTS)]
    for tenant in tenants:
        for number in range(5):
            Project.objects.create(tenant=tenant, key=f"team/{number}", prefix=f"P{number}")
    one, every = User.objects.create_user("one@example.com", "x"), User.objects.create_user("every@example.com", "x")
    grant_role(user=one, tenant=tenants[3], role=Role.DEVOPS)
    grant_role(user=every, tenant=tenants[0], role=Role.CPI_ADMIN)
    return {"one tenant": one, "every tenant": every}


def grow(first: int, last: int) -> None:
    """Tickets number `first` to `last`, by COPY; every hundredth waits for the one before."""
    from django.db import connection

    from accounts.models import User
    from tickets.models import Project

    projects = list(Project.objects.order_by("id").values_list("id", "tenant_id"))
    author = User.objects.earliest("id").pk
    columns = (
        "tenant_id, project_id, key, author_id, title, description, type, priority, labels, state, plan, progress, stage,"
        " last_completed_stage, round, version, created_at, updated_at, closed_at"
    )
    plan = '[{"stage": "architect", "gate": false}, {"stage": "developer", "gate": false}]'
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    with connection.cursor() as cursor, cursor.copy(f"COPY tickets_ticket ({columns}) FROM STDIN") as copy:
        for n in range(first, last):
            project, tenant = projects[n % len(projects)]
            state, word = STATES[n * 31 % len(STATES)], WORDS[n % len(WORDS)]
            moment = "2030-01-01 00:00:00+00"
            closed = moment if state in {"completed", "stopped"} else None
            copy.write_row(
                (
                    tenant, project, f"T-{n}", author, f"Ticket {n} about {word}", f"The {word} {n % 1000} needs work.",
                    "task", n % 4, "{backend}" if n % 7 else "{rare}", state, plan, 1, "developer", "architect", 1, 1,
                    moment, moment, closed,
                )
            )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO tickets_dependency (ticket_id, blocker_id, created_at)"
            " SELECT t.id, t.id - 1, now() FROM tickets_ticket t WHERE t.id %% 100 = 0 AND EXISTS"
            " (SELECT 1 FROM tickets_ticket o WHERE o.id = t.id - 1) ON CONFLICT DO NOTHING",
            [],
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")


def reads() -> dict[str, Callable[[object], object]]:
    from tickets.selectors import TicketFilter, board, find_ticket, page_tickets
    from tickets.wire import render_ticket

    def listed(**narrowed: object) -> Callable[[object], object]:
        return lambda user: [
            render_ticket(t)
            for t in page_tickets(user=user, narrowed=TicketFilter(**narrowed))[0]  # type: ignore[arg-type]
        ]

    def one(user: object) -> object:
        return find_ticket(user=user, key="T-15")  # type: ignore[arg-type]

    return {
        "list": listed(),
        "list of a project": listed(project="team/3", tenant="tenant-3"),
        "open ones": listed(status="open"),
        "in review": listed(states=("in_review",)),
        "with a label": listed(label="rare"),
        "search": listed(q="refund 123"),
        "one by key": one,
        "board": lambda user: [render_ticket(t) for column in board(user=user) for t in column.tickets],  # type: ignore[arg-type]
    }


def measure(read: Callable[[object], object], user: object) -> tuple[float, int]:
    """Milliseconds and statements; the grants are read anew as in each request."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from accounts.models import User

    times = []
    for _ in range(RUNS):
        fresh = User.objects.get(pk=user.pk)  # type: ignore[attr-defined]
        began = time.perf_counter()
        read(fresh)
        times.append((time.perf_counter() - began) * 1000)
    fresh = User.objects.get(pk=user.pk)  # type: ignore[attr-defined]
    with CaptureQueriesContext(connection) as captured:
        read(fresh)
    return statistics.median(times), len(captured)


def main(sizes: tuple[int, ...]) -> int:
    missed = 0
    found: dict[tuple[str, str], list[tuple[float, int]]] = {}
    with a_database():
        who, before = people(), 0
        for size in sizes:
            grow(before, size)
            before = size
            for name, read in reads().items():
                for whose, user in who.items():
                    found.setdefault((name, whose), []).append(measure(read, user))
    for (name, whose), figures in found.items():
        milliseconds = [figure[0] for figure in figures]
        statements = max(figure[1] for figure in figures)
        growth = milliseconds[-1] / milliseconds[0]
        late = growth > MOST_GROWTH and milliseconds[-1] - milliseconds[0] > NEGLIGIBLE
        fine = statements <= MOST_STATEMENTS and not late
        missed += not fine
        told = ", ".join(f"{ms:6.1f} ms at {size:,}" for ms, size in zip(milliseconds, sizes, strict=True))
        print(f"{name:18} {whose:12} {statements} statements, {told}, x{growth:.1f}{'' if fine else '  MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(tuple(int(size) for size in sys.argv[1:]) or SIZES))
