"""How much the list of "the newest 50 that I may see" costs above hand-written SQL, and how it grows.

    python benchmarks/promotion_list.py [rows ...]      default: 100000 500000

Starts a PostgreSQL of its own in a temporary folder, fills a database of each size with requests over 1,000 tenants,
and for people of 1, 20, 200 and 1,000 tenants, one who may see everything and one who sees only their own, measures the
selector against the fastest raw SQL in the same process: medians, the runs of all ways and sizes interleaved, so that
whatever else the machine does slows all of them. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import os
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TENANTS = 1000
PAGE = 50
RUNS = 31
MOST_RATIO, MOST_GROWTH = 2.5, 1.3
REACHES = (1, 20, 200, 1000)

SHOWN = """SELECT request.*, tenant.slug, author.email, approver.email, rejecter.email"""
NAMES = """
JOIN accounts_tenant AS tenant ON tenant.id = request.tenant_id
JOIN accounts_user AS author ON author.id = request.author_id
LEFT JOIN accounts_user AS approver ON approver.id = request.approved_by_id
LEFT JOIN accounts_user AS rejecter ON rejecter.id = request.rejected_by_id
"""
RIGHTS = """
SELECT granted.content_object_id
FROM accounts_user_groups AS member
JOIN accounts_tenantgroupobjectpermission AS granted ON granted.group_id = member.group_id
JOIN auth_permission AS permission ON permission.id = granted.permission_id
WHERE member.user_id = %(user)s AND permission.codename = %(right)s
"""
# The newest of each tenant, of the tenants with the newest.
RAW_SOME = f"""
{SHOWN}
FROM (
    SELECT tenant, newest.id AS last
    FROM unnest(%(tenants)s::bigint[]) AS tenant CROSS JOIN LATERAL (
        SELECT id FROM promotions_promotionrequest WHERE tenant_id = tenant ORDER BY id DESC LIMIT 1
    ) AS newest
    ORDER BY newest.id DESC LIMIT %(page)s
) AS top CROSS JOIN LATERAL (
    SELECT * FROM promotions_promotionrequest WHERE tenant_id = top.tenant ORDER BY id DESC LIMIT %(page)s
) AS request
{NAMES}
ORDER BY request.id DESC LIMIT %(page)s
"""
# What comes to mind first: walk from the newest on until the page is full.
RAW_WALK = f"""
{SHOWN} FROM promotions_promotionrequest AS request {NAMES}
WHERE request.tenant_id = ANY(%(tenants)s) ORDER BY request.id DESC LIMIT %(page)s
"""
RAW_ALL = f"""
{SHOWN} FROM promotions_promotionrequest AS request {NAMES}
WHERE EXISTS (
    SELECT 1 FROM accounts_user_groups AS member
    JOIN auth_group_permissions AS granted ON granted.group_id = member.group_id
    JOIN auth_permission AS permission ON permission.id = granted.permission_id
    WHERE member.user_id = %(user)s AND permission.codename = 'view_promotions'
)
ORDER BY request.id DESC LIMIT %(page)s
"""
RAW_OWN = f"""
{SHOWN} FROM promotions_promotionrequest AS request {NAMES}
WHERE request.author_id = %(user)s AND request.tenant_id = ANY(%(tenants)s)
ORDER BY request.id DESC LIMIT %(page)s
"""
EVERYONE, OWN = "every tenant", "own requests only"


@contextmanager
def a_database(*, fsync: bool = False) -> Iterator[None]:
    """Django, set up on a PostgreSQL that is gone afterwards."""
    from config.stack.postgres import PostgresServer

    with tempfile.TemporaryDirectory(prefix="stagepass-benchmark-") as place:
        server = PostgresServer(Path(place) / "postgres", fsync=fsync)
        os.environ |= {
            "DATABASE_URL": server.start(),
            "BROKER_URL": "redis://127.0.0.1:1/0",
            "CACHE_URL": "locmemcache://",
            "SECRET_KEY": secrets.token_urlsafe(48),
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


def make_people() -> dict[str, Any]:
    """1,000 tenants, and people who reach more or fewer of them."""
    from django.contrib.auth.models import Group, Permission

    from accounts.models import Tenant, TenantGroupObjectPermission, User
    from accounts.roles import ROLES, Role
    from accounts.services import grant_role

    tenants = Tenant.objects.bulk_create(Tenant(slug=f"tenant-{n:04}", name=f"Tenant {n}") for n in range(TENANTS))
    permissions = {role: list(Permission.objects.filter(codename__in=ROLES[role])) for role in (Role.CPI, Role.DEVOPS)}
    groups = {}
    for role, granted in permissions.items():
        made = Group.objects.bulk_create(Group(name=f"{role.value}: {tenant.slug}") for tenant in tenants)
        groups[role] = made
        TenantGroupObjectPermission.objects.bulk_create(
            TenantGroupObjectPermission(group=group, content_object=tenant, permission=permission)
            for group, tenant in zip(made, tenants, strict=True)
            for permission in granted
        )
    people = {}
    for reach in REACHES:
        person = User.objects.create(email=f"cpi-{reach}@example.com")
        # Evenly spread, so that neither old nor new tenants are preferred.
        person.groups.add(*groups[Role.CPI][:: TENANTS // reach])
        people[f"{reach} of {TENANTS} tenants"] = person
    admin = User.objects.create(email="admin@example.com")
    grant_role(user=admin, tenant=tenants[0], role=Role.CPI_ADMIN)
    people[EVERYONE] = admin
    own = User.objects.create(email="devops@example.com")
    own.groups.add(groups[Role.DEVOPS][0])
    people[OWN] = own
    User.objects.bulk_create(User(email=f"author-{n}@example.com") for n in range(TENANTS))
    return people


def columns_of_no_interest() -> dict[str, Any]:
    """What else the table wants a value for, and the model's default for it."""
    from promotions.models import PromotionRequest

    return {
        field.column: field.get_default()
        for field in PromotionRequest._meta.concrete_fields
        if not field.null and field.has_default() and field.column not in {"created_at", "updated_at", "state", "tickets"}
        and field.column not in {"source_environment", "target_environment"}
    }  # fmt: skip


def add_requests(count: int) -> None:
    """Bring the table to `count` rows, mostly decided long ago, in the shape of real ones."""
    from django.db import connection

    others = columns_of_no_interest()
    names = "".join(f", {name}" for name in others)
    values = "".join(f", %({name})s" for name in others)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM promotions_promotionrequest")
        have = cursor.fetchone()[0]
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            f"""
            INSERT INTO promotions_promotionrequest (
                number, tenant_id, author_id, state, target_type, target_name, version, source_environment,
                target_environment, justification, release_notes, impact, rollback_plan, staging_tests_passed,
                security_scan_passed, performance_tests_passed, test_evidence_url, tickets, digest, created_at,
                updated_at, expires_at, approved_by_id, approved_at, approval_comment, approved_digest,
                rejection_reason, deployed_at, replaced_version {names}
            )
            SELECT 'PR-2024-' || lpad(n::text, 7, '0'), tenant.id,
                CASE WHEN n %% 2000 = 0 THEN (SELECT id FROM accounts_user WHERE email = 'devops@example.com')
                     ELSE author.id END,
                CASE WHEN n %% 100 = 0 THEN 'withdrawn' ELSE 'deployed' END, 'api', 'service-' || n %% 5000,
                '1.' || n %% 100 || '.' || n %% 7, 'staging', 'prod',
                'Customers of region ' || n %% 300 || ' wait for payment flow ' || n,
                '- Added 3DS2 authentication' || chr(10) || '- Fixed timeout issue ' || n, 'low',
                'Deploy the version before', true, true, true, 'https://ci.example.com/pipeline/' || n, '{{}}',
                md5(n::text) || md5(n::text), moment, moment, moment + interval '30 days',
                CASE WHEN n %% 100 = 0 THEN NULL ELSE approver.id END,
                CASE WHEN n %% 100 = 0 THEN NULL ELSE moment END, '',
                CASE WHEN n %% 100 = 0 THEN '' ELSE md5(n::text) || md5(n::text) END,
                '', CASE WHEN n %% 100 = 0 THEN NULL ELSE moment END, '' {values}
            FROM generate_series(%(first)s, %(last)s) AS n
            CROSS JOIN LATERAL (SELECT now() - (1000000 - n) * interval '1 minute' AS moment) AS t
            JOIN accounts_tenant AS tenant ON tenant.slug = 'tenant-' || lpad(
                (CASE WHEN n %% 2000 = 0 THEN 0 ELSE hashint8(n) & 65535 END %% 1000)::text, 4, '0')
            JOIN accounts_user AS author ON author.email = 'author-' || n %% 1000 || '@example.com'
            JOIN accounts_user AS approver ON approver.email = 'author-' || (n + 1) %% 1000 || '@example.com'
            ORDER BY n
            """,
            {"first": have + 1, "last": count, **others},
        )
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SET statement_timeout = 30000")


def by_hand(name: str, person: Any) -> list[Callable[[], list[int]]]:
    """The ways to write it by hand; the fastest counts."""
    from django.db import connection

    def way(statement: str, right: str) -> Callable[[], list[int]]:
        def run() -> list[int]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM accounts_user WHERE id = %s", [person.pk])
                values: dict[str, Any] = {"user": person.pk, "page": PAGE + 1, "right": right}
                if right:
                    cursor.execute(RIGHTS, values)
                    values["tenants"] = [row[0] for row in cursor.fetchall()]
                cursor.execute(statement, values)
                return [row[0] for row in cursor.fetchall()][:PAGE]

        return run

    if name == EVERYONE:
        return [way(RAW_ALL, "")]
    if name == OWN:
        return [way(RAW_OWN, "view_own_promotions")]
    return [way(RAW_SOME, "view_promotions"), way(RAW_WALK, "view_promotions")]


def by_selector(person: Any) -> list[int]:
    """A fresh person each time: their rights are read again, as in every call."""
    from accounts.models import User
    from promotions.selectors import list_requests

    return [request.pk for request in list_requests(user=User.objects.get(pk=person.pk), limit=PAGE).promotions]


def measure(name: str, person: Any, databases: dict[int, Any]) -> dict[int, tuple[float, float]]:
    """By size: median milliseconds of the selector and of the fastest raw way."""
    from django.db import connections

    ways: list[Callable[[], list[int]]] = [partial(by_selector, person), *by_hand(name, person)]
    taken: dict[int, list[list[float]]] = {size: [[] for _ in ways] for size in databases}
    for _ in range(RUNS):
        for size, database in databases.items():
            connections["default"] = database
            assert all(way() == ways[0]() for way in ways), "all must see the same"
            for way, times in zip(ways, taken[size], strict=True):
                started = time.perf_counter()
                way()
                times.append((time.perf_counter() - started) * 1000)
    medians = {size: [statistics.median(times) for times in by_way] for size, by_way in taken.items()}
    return {size: (ours, min(theirs)) for size, (ours, *theirs) in medians.items()}


def make_database(size: int, template: Any) -> Any:
    """A connection to a database with `size` requests, made of the one before it."""
    from django.db import connections
    from django.db.backends.postgresql.base import DatabaseWrapper

    connections["default"] = template
    with template.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    name = f"requests_{size}"
    own = DatabaseWrapper({**template.settings_dict, "NAME": name}, "default")
    template.close()
    with template._nodb_cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template.settings_dict['NAME']}")
    connections["default"] = own
    add_requests(size)
    return own


def main(sizes: list[int]) -> int:
    good = True
    with a_database():
        from django.db import connections

        people = make_people()
        databases: dict[int, Any] = {}
        latest = connections["default"]
        for size in sorted(sizes):
            latest = databases[size] = make_database(size, latest)
        for name, person in people.items():
            results = measure(name, person, databases)
            smallest = results[min(results)][0]
            for size, (ours, theirs) in results.items():
                ratio, growth = ours / theirs, ours / smallest
                fine = ratio <= MOST_RATIO and growth <= MOST_GROWTH
                good &= fine
                print(
                    f"{name:<22} {size:>7,} requests: selector {ours:6.2f} ms, raw SQL {theirs:6.2f} ms, "
                    f"ratio {ratio:4.2f} (<= {MOST_RATIO}), growth {growth:4.2f} (<= {MOST_GROWTH})"
                    f"{'' if fine else '  MISSED'}",
                    flush=True,
                )
        for database in databases.values():
            database.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main([int(argument) for argument in sys.argv[1:]] or [100_000, 500_000]))
