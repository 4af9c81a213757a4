"""How many statements pages of the REST face take, and that they take the same at any size; what they leave unread."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.clock import now
from events.models import DomainEvent
from promotions.models import Deployment, PromotionRequest
from promotions.selectors import Wanted, deployments_of, list_requests, narrow, render_requests
from promotions.wire import content_digest
from tests.api import REQUESTS, call_as
from tests.conftest import content

MOST = 8


def fill(count: int, tenant, author, approver) -> None:
    """`count` approved requests with three facts each, as bulk rows."""
    wanted = content()
    columns = {name: getattr(wanted, name) for name in type(wanted).__dataclass_fields__} | {"tickets": []}
    PromotionRequest.objects.bulk_create(
        PromotionRequest(
            **(columns | {"target_name": f"service-{n}"}), number=f"PR-2024-{n:04}", tenant=tenant, author=author,
            state="deployed" if n % 2 else "pending", digest=content_digest(wanted),
            approved_by=approver, approved_at=now(), approved_digest=content_digest(wanted),
        )
        for n in range(1, count + 1)
    )  # fmt: skip
    kinds = ("promotion.created", "promotion.approved", "deployment.succeeded")
    DomainEvent.objects.bulk_create(
        DomainEvent(
            sequence=n * 3 + place, type=kind, occurred_at=now(), tenant=tenant, subject_type="promotion",
            subject_id=f"PR-2024-{n:04}", subject_label="x", actor_label=author.email, surface="rest",
            data={"entry": {"comment": f"{n}"}, "document": {"large": "x" * 3000}}, previous_hash="", hash="",
        )
        for n in range(1, count + 1)
        for place, kind in enumerate(kinds)
    )  # fmt: skip


@pytest.fixture
def statements_of(devops, cpi, cpi_admin, other_tenant, tenant):
    """How many statements a call takes, by a caller whose rights are read anew."""
    callers = {"cpi": call_as(cpi), "cpi_admin": call_as(cpi_admin), "devops": call_as(devops)}

    def count(who: str, path: str) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as statements:
            answer = callers[who].get(path)
        assert answer.status_code == 200, answer.content
        return len(statements), len(answer.json())

    return count


LISTS = ["", "?state=pending", "?state=pending,deployed", "?q=payment", "?createdBy=devops@example.com",
         "?tenant=tenant-finance"]  # fmt: skip
CALLS = [
    *(("cpi", path) for path in LISTS), ("cpi", "/pending"),
    ("cpi_admin", ""), ("cpi_admin", "?tenant=tenant-finance"), ("cpi_admin", "/pending?tenant=tenant-finance"),
    ("devops", ""), ("devops", "/my"),
]  # fmt: skip


def test_a_page_takes_the_same_few_statements_at_1_50_and_1000_rows(statements_of, tenant, devops, other_cpi):
    fill(2000, tenant, devops, other_cpi)
    for who in ("cpi", "cpi_admin", "devops"):
        statements_of(who, "/v1/me")  # the first call of a token notes its use
    for who, path in CALLS:
        separator = "&" if "?" in path else "?"
        taken = []
        for size in (1, 50, 1000):
            statements, rows = statements_of(who, f"{REQUESTS}{path}{separator}limit={size}")
            assert rows == size, (who, path)
            taken.append(statements)
        assert len(set(taken)) == 1, f"{who} {path}: grows with the rows: {taken}"
        assert taken[0] <= MOST - 1, f"{who} {path}: {taken}, and one to note the token's use"


@pytest.mark.parametrize("reach", [1, 3])
def test_also_for_people_of_several_tenants(make_user, tenant, devops, other_cpi, reach):
    from accounts.models import Tenant
    from accounts.roles import Role
    from accounts.services import grant_role

    fill(200, tenant, devops, other_cpi)
    several = make_user("several", tenant, Role.VIEWER, Role.DEVOPS)
    for n in range(reach):
        grant_role(user=several, tenant=Tenant.objects.create(slug=f"tenant-{n}"), role=Role.CPI)
    with CaptureQueriesContext(connection) as statements:
        documents = call_as(several).get(f"{REQUESTS}?limit=100").json()
    assert len(documents) == 100
    assert len(statements) <= MOST + 1, "and one that made the token"


def test_detail_and_stats_take_few(statements_of, tenant, devops, other_cpi):
    fill(20, tenant, devops, other_cpi)
    for path in (f"{REQUESTS}/PR-2024-0001", f"{REQUESTS}/stats", f"{REQUESTS}/PR-2024-0001/deployments"):
        assert statements_of("cpi", path)[0] <= MOST


def test_histories_are_read_at_once_and_without_the_documents_in_the_facts(tenant, devops, other_cpi):
    fill(50, tenant, devops, other_cpi)
    promotions = list(list_requests(user=other_cpi, limit=50).promotions)
    with CaptureQueriesContext(connection) as statements:
        documents = render_requests(promotions)
    assert len(statements) == 1
    assert [entry["comment"] for entry in documents[0]["status"]["history"]] == ["50"] * 3
    assert '"events_domainevent"."data",' not in statements[0]["sql"]


def test_names_are_attached_and_anything_else_is_still_there(pending, cpi):
    shown = list_requests(user=cpi).promotions[0]
    with CaptureQueriesContext(connection) as statements:
        assert (shown.author.email, shown.tenant.slug, shown.approved_by, shown.reverses) == (
            "devops@example.com", "tenant-finance", None, None,
        )  # fmt: skip
    assert not statements
    assert shown.author.is_active, "fetched when asked for, never guessed"
    assert shown.author.date_joined == pending.author.date_joined


def test_search_uses_its_index(tenant, devops, other_cpi):
    fill(1000, tenant, devops, other_cpi)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE promotions_promotionrequest; SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as statements:
        found = list(narrow(PromotionRequest.objects.all(), Wanted(text="service-77")))
    assert [promotion.target_name for promotion in found] == ["service-77"]
    searching = next(statement["sql"] for statement in statements if "to_tsvector" in statement["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {searching}")
        assert "promotion_text" in str(cursor.fetchall())


def test_attempts_are_listed_without_their_output(pending):
    Deployment.objects.create(promotion=pending, attempt=1, log="x" * 100_000, options={"secret": "x"})
    with CaptureQueriesContext(connection) as statements:
        assert deployments_of(pending)[0].log_length == 100_000
    assert '"promotions_deployment"."log",' not in statements[0]["sql"]
    assert "options" not in statements[0]["sql"]
