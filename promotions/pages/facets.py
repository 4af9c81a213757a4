"""What the list of requests can be narrowed to: states with their counts, tenants with their names; one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import reaches_of
from promotions.models import PromotionRequest, PromotionRequestQuerySet
from promotions.pages.board import COUNTED_UP_TO, BoardFilter, narrow_board
from promotions.states import State

MOST_TENANTS = 200


@dataclass(slots=True)
class Facets:
    """Counts by state, up to COUNTED_UP_TO + 1 each, and the tenants to choose from by slug."""

    counts: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, str] = field(default_factory=dict)


def read_facets(user: User, wanted: BoardFilter) -> Facets:
    """The facets of what `user` may see and `wanted` leaves, the state apart."""
    parts, tenants = visible_parts(user)
    parts = [narrow_board(part, user, wanted) for part in parts]
    if not parts:
        return Facets()
    # Only what Django wrote is put together here; values stay apart.
    names, params = _sql(tenants)
    selects = [(f"SELECT 'tenant', slug, name, 0 FROM ({names}) AS one", params)] if names else []  # noqa: S608
    for state in State.values:
        rows = [_sql(part.filter(state=state).order_by().values("pk")[: COUNTED_UP_TO + 1]) for part in parts]
        rows = [row for row in rows if row[0]]
        if rows:
            union = " UNION ALL ".join(f"({sql})" for sql, _ in rows)
            values = [value for _, params in rows for value in params]
            counted = f"SELECT 'state', %s, '', count(*) FROM ({union}) AS one"  # noqa: S608
            selects.append((counted, [state, *values]))
    facets = Facets()
    for kind, name, label, count in _run(selects):
        if kind == "tenant":
            facets.tenants[name] = label
        elif count:
            facets.counts[name] = count
    return facets


def visible_parts(user: User) -> tuple[list[PromotionRequestQuerySet], QuerySet[Tenant]]:
    """What `user` may see as disjoint parts that each have an index of their own, and the tenants concerned."""
    reaches = reaches_of(user, Capability.VIEW_PROMOTIONS, Capability.VIEW_OWN_PROMOTIONS)
    every, own = reaches[Capability.VIEW_PROMOTIONS], reaches[Capability.VIEW_OWN_PROMOTIONS]
    requests = PromotionRequest.objects.all()
    if every.everywhere:
        return [requests], Tenant.objects.all()
    mine = requests.filter(author_id=user.pk)
    only_own = set(own.tenants) - set(every.tenants)
    parts = [requests.filter(tenant_id__in=every.tenants)] if every.tenants else []
    if own.everywhere:
        return [*parts, mine.exclude(tenant_id__in=every.tenants)], Tenant.objects.all()
    if only_own:
        parts.append(mine.filter(tenant_id__in=only_own))
    return parts, Tenant.objects.filter(pk__in=only_own | set(every.tenants))


def _sql(rows: QuerySet[Any, Any]) -> tuple[str, Sequence[Any]]:
    """The text of a query and its values, empty when it cannot find anything."""
    if rows.model is Tenant:
        rows = rows.order_by("slug").values("slug", "name")[:MOST_TENANTS]
    try:
        return rows.query.sql_with_params()
    except EmptyResultSet:
        return "", ()


def _run(selects: list[tuple[str, Sequence[Any]]]) -> list[tuple[str, str, str, int]]:
    if not selects:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(sql for sql, _ in selects), [value for _, params in selects for value in params]
        )
        return cursor.fetchall()
