"""What the list of requests can be narrowed to: states with their counts, tenants with their names; one query."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import reaches_of
from core.counts import counts_up_to, run_together, select_of
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
    by_state = {state: [part.filter(state=state) for part in parts] for state in State.values}
    selects = counts_up_to(COUNTED_UP_TO, by_state)
    names, params = select_of(tenants.order_by("slug").values("slug", "name")[:MOST_TENANTS])
    if names:
        selects.append((f"SELECT slug, name, NULL FROM ({names}) AS one", params))  # noqa: S608 (Django wrote it)
    facets = Facets()
    for name, label, count in run_together(selects):
        if count is None:
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
