"""What the pages and lists of tickets cost as the tickets grow to a million: statements, and milliseconds.

    python benchmarks/ticket_lists.py [rows ...]      default: 10000 100000

Starts a PostgreSQL of its own in a temporary folder, fills a database of each size, each made of the one before it by
INSERT .. SELECT, and opens board, list, filters and searches as someone with one small tenant whose tickets are all old,
someone of thirty of the hundred tenants, and a superuser: whole pages with their rendering, and the reads behind REST and
MCP. Medians of 11 runs, those of the sizes interleaved. One line each; exit code 1 when one takes more than 8 statements,
or more than 1.3 times as long (and more than 10 ms longer) at the last size as at the first.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from ticket_claims import a_database  # noqa: E402

SIZES = (10_000, 100_000)
RUNS = 11
MOST_STATEMENTS, MOST_GROWTH, NEGLIGIBLE = 8, 1.3, 10.0
TENANTS, SMALL_ONE = 100, 500

PAGES = {
    "board": "",
    "board of a project": "project=team-7/2",
    "board, mine": "assignee=me",
    "board, bugs": "type=bug",
    "board, rare label": "label=rare",
    "board, rare word": "q=walrus",
    "board, frequent word": "q=refund",
    "board, two words": "q=refund+walrus",
    "list": "view=list",
    "list of a project": "view=list&project=team-7/2",
    "list, open": "view=list&state=open",
    "list, completed": "view=list&state=completed",
    "list, mine": "view=list&assignee=me",
    "list, urgent": "view=list&priority=urgent",
    "list, rare label": "view=list&label=rare",
    "list, frequent label": "view=list&label=backend",
    "list, rare word": "view=list&q=walrus",
    "list, frequent word": "view=list&q=refund",
    "list, by key": "view=list&q=T-47110",
    "list, a key's beginning": "view=list&q=T-471",
    "list, many keys": "view=list&q=T-47",
    "list, second page": "view=list&q=refund&before=90000",
    "list, no such": "view=list&q=neverwritten",
    "list, an old page": "view=list&before=5000",
}
READS: dict[str, dict[str, Any]] = {
    "read: open": {"status": "open"},
    "read: at a stage": {"stage": "tester"},
    "read: blocked": {"blocked": True},
    "read: blocked bugs": {"blocked": True, "type": "bug"},
    "read: not blocked": {"blocked": False},
    "read: frequent label": {"label": "backend"},
    "read: open, freq. label": {"label": "backend", "status": "open"},
    "read: frequent word": {"q": "refund"},
    "read: by author": {"author": "small@example.com"},
    "read: parts of one": {"parent": "T-4000"},
    "read: due": {"due": 30},
}

FILL = """
INSERT INTO tickets_ticket (
    tenant_id, project_id, key, author_id, title, description, type, priority, labels, state, plan, progress, stage,
    last_completed_stage, round, version, due_date, parent_id, created_at, updated_at, closed_at
)
SELECT project.tenant_id, project.id, 'T-' || n, author.id, 'Ticket ' || n || ' about ' || word,
    'Customers of region ' || n %% 300 || ' need the ' || word || ' to work.'
    || CASE WHEN rare THEN ' See the walrus.' ELSE '' END,
    CASE WHEN n %% 10 = 3 THEN 'bug' ELSE 'task' END, n / 7 %% 4,
    CASE WHEN rare THEN '{{backend,rare}}' WHEN n %% 3 = 0 THEN '{{backend}}' ELSE '{{}}' END::varchar[], state,
    '[{{"stage": "architect", "gate": false}}, {{"stage": "tester", "gate": false}}]', 1,
    CASE WHEN state IN ('completed', 'resolved') THEN '' WHEN rare THEN 'tester' ELSE 'architect' END, 'Planned', 1, 1,
    CASE WHEN n %% 50 = 9 THEN current_date + 20 - (n %% 1000)::int END,
    NULL, moment, moment, CASE WHEN state IN ('completed', 'stopped') THEN moment END
FROM generate_series(%(first)s::bigint, %(last)s) AS n
CROSS JOIN LATERAL (
    SELECT now() - (2000000 - n) * interval '1 minute' AS moment,
        -- One ticket in twelve is not closed.
        CASE WHEN n %% 12 = 5 THEN (ARRAY['open', 'in_progress', 'in_review', 'testing', 'resolved'])[n / 12 %% 5 + 1]
             WHEN n %% 25 = 7 THEN 'stopped' ELSE 'completed' END AS state,
        (ARRAY['payment', 'refund', 'invoice', 'ledger', 'checkout', 'session', 'report', 'export', 'currency', 'retry',
               'audit'])[n %% 11 + 1] AS word,
        -- What is rare is all old as well: whoever looks for it from the newest on looks at everything.
        n <= 8000 AND n %% 400 IN (41, 89) AS rare
) AS t
-- The small tenant has some of the first tickets and none after them.
JOIN tickets_project AS project ON project.prefix = CASE
    WHEN n %% 10 = 1 AND n <= 10 * %(small)s THEN 'S'
    ELSE 'P' || hashint8(n) & 65535 %% {tenants} || '_' || n %% 3 END
JOIN accounts_user AS author ON author.email = CASE WHEN rare THEN 'small@example.com'
    ELSE 'author@example.com' END
ORDER BY n
""".replace("hashint8(n) & 65535 %%", "(hashint8(n) & 65535) %%")
AROUND = (
    # What triggers would write one by one, at once.
    "INSERT INTO tickets_ticketlabel (ticket_id, label, tenant_id, state)"
    " SELECT id, label, tenant_id, state FROM tickets_ticket, unnest(labels) AS label WHERE id > %(before)s",
    # Those of all sizes wait for what is done; only some of the oldest still have to wait.
    "INSERT INTO tickets_dependency (ticket_id, blocker_id, created_at)"
    " SELECT id, id - 1, now() FROM tickets_ticket WHERE id > %(before)s AND id %% 100 = 0",
    "INSERT INTO tickets_dependency (ticket_id, blocker_id, created_at)"
    " SELECT id, id - 10, now() FROM tickets_ticket WHERE id > %(before)s AND id <= 8000 AND id %% 100 IN (27, 41)",
    "UPDATE tickets_ticket SET parent_id = 4000 WHERE id BETWEEN 4001 AND 4020 AND id > %(before)s",
    "INSERT INTO tickets_ticket_assignees (ticket_id, user_id)"
    " SELECT ticket.id, person.id FROM tickets_ticket AS ticket JOIN accounts_user AS person"
    " ON person.email = 'assignee-' || ticket.id %% 300 || '@example.com'"
    " WHERE ticket.id > %(before)s AND ticket.id %% 5 = 0",
    "INSERT INTO tickets_ticket_assignees (ticket_id, user_id)"
    " SELECT ticket.id, person.id FROM tickets_ticket AS ticket JOIN accounts_user AS person"
    " ON person.email IN ('small@example.com', 'thirty@example.com', 'root@example.com')"
    " WHERE ticket.id > %(before)s AND ticket.id <= 9000 AND ticket.id %% 60 IN (5, 41)",
)


def people() -> dict[str, Any]:
    """The tenants and their projects, and who looks at them."""
    from accounts.models import Tenant, User
    from accounts.roles import Role
    from accounts.services import grant_role
    from tickets.models import Project

    small = Tenant.objects.create(slug="small", name="Small")
    Project.objects.create(tenant=small, key="team-7/2", prefix="S")
    tenants = Tenant.objects.bulk_create(Tenant(slug=f"tenant-{n}", name=f"Tenant {n}") for n in range(TENANTS))
    Project.objects.bulk_create(
        Project(tenant=tenant, key=f"team-{n}/{m}", prefix=f"P{n}_{m}")
        for n, tenant in enumerate(tenants)
        for m in range(3)
    )
    User.objects.bulk_create(User(email=f"assignee-{n}@example.com") for n in range(300))
    User.objects.create_user("author@example.com", "x")
    one = User.objects.create_user("small@example.com", "x")
    many = User.objects.create_user("thirty@example.com", "x")
    grant_role(user=one, tenant=small, role=Role.DEVOPS)
    for tenant in tenants[::3][:30]:
        grant_role(user=many, tenant=tenant, role=Role.DEVOPS)
    root = User.objects.create_superuser("root@example.com", "x")
    return {"one small tenant": one, "thirty tenants": many, "superuser": root}


def make_database(size: int, template: Any) -> Any:
    """A connection to a database with `size` tickets, made of the one before it."""
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    name = f"tickets_{size}"
    own = DatabaseWrapper({**template.settings_dict, "NAME": name}, "default")
    template.close()
    with template._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template.settings_dict['NAME']}")
    connections["default"] = own
    with own.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT coalesce(max(id), 0) FROM tickets_ticket")
        before = cursor.fetchone()[0]
        fill = FILL.format(tenants=TENANTS)
        cursor.execute("ALTER TABLE tickets_ticket DISABLE TRIGGER USER")
        cursor.execute(fill, {"first": before + 1, "last": size, "small": SMALL_ONE})
        cursor.execute("ALTER TABLE tickets_ticket ENABLE TRIGGER USER")
        for statement in AROUND:
            cursor.execute(statement, {"before": before})
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return own


def reads(user: Any) -> dict[str, Callable[[], object]]:
    """Everything that is measured, for this person."""
    import datetime as dt

    from django.test import Client

    from accounts.models import User
    from tickets.selectors import TicketFilter, page_tickets
    from tickets.wire import render_ticket

    client = Client(HTTP_HOST="localhost")
    client.cookies = user.cookies

    def opened(query: str) -> Callable[[], object]:
        def read() -> None:
            response = client.get(f"/tickets/?{query}")
            assert response.status_code == 200, response.status_code

        return read

    def listed(narrowed: dict[str, Any]) -> Callable[[], object]:
        if "due" in narrowed:
            narrowed = {"due_before": dt.date.today() - dt.timedelta(days=narrowed["due"])}
        wanted = TicketFilter(**narrowed)
        # A fresh person each time: the grants are read anew, as in each request.
        return lambda: [render_ticket(t) for t in page_tickets(user=User.objects.get(pk=user.pk), narrowed=wanted)[0]]

    return {name: opened(query) for name, query in PAGES.items()} | {
        name: listed(narrowed) for name, narrowed in READS.items()
    }


def measure(read: Callable[[], object], databases: dict[int, Any]) -> tuple[list[float], int]:
    """Median milliseconds by size, and the most statements."""
    from django.db import connections
    from django.test.utils import CaptureQueriesContext

    taken: dict[int, list[float]] = {size: [] for size in databases}
    statements = 0
    for database in databases.values():
        connections["default"] = database
        read()
        with CaptureQueriesContext(database) as captured:
            read()
        statements = max(statements, len(captured))
    for _ in range(RUNS):
        for size, database in databases.items():
            connections["default"] = database
            began = time.perf_counter()
            read()
            taken[size].append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in taken.values()], statements


def main(sizes: list[int]) -> int:
    missed = 0
    with a_database():
        from django.db import connections
        from django.test import Client

        who = people()
        for user in who.values():
            client = Client()
            client.force_login(user)
            user.cookies = client.cookies
        databases: dict[int, Any] = {}
        latest = connections["default"]
        for size in sorted(sizes):
            began = time.perf_counter()
            latest = databases[size] = make_database(size, latest)
            print(f"{size:,} tickets after {time.perf_counter() - began:.0f} s", flush=True)
        for whose, user in who.items():
            for name, read in reads(user).items():
                milliseconds, statements = measure(read, databases)
                growth = milliseconds[-1] / milliseconds[0]
                late = growth > MOST_GROWTH and milliseconds[-1] - milliseconds[0] > NEGLIGIBLE
                fine = statements <= MOST_STATEMENTS and not late
                missed += not fine
                told = ", ".join(f"{ms:6.1f} ms at {size:,}" for ms, size in zip(milliseconds, databases, strict=True))
                print(
                    f"{whose:17} {name:21} {statements} statements, {told}, x{growth:.2f}{'' if fine else '  MISSED'}",
                    flush=True,
                )
        for database in databases.values():
            database.close()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]] or list(SIZES)))
