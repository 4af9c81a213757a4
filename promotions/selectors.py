"""Reads of promotion requests: lists that stay fast at any size, counts that agree with them, histories of many at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.db.models import Count, F, Model, Q, QuerySet
from django.db.models.functions import Length, Lower, Substr

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import Reach, home_tenant, reaches_of, tenants_where
from core.clock import now
from core.errors import InvalidInput, NotAllowed, NotFound
from events.models import DomainEvent
from iep.models import Judgement
from promotions.models import (
    PEOPLE,
    SEARCH_VECTOR,
    Deployment,
    PromotionRequest,
    PromotionRequestQuerySet,
    RunningVersion,
)
from promotions.states import State
from promotions.types import TargetType
from promotions.wire import ACTIONS, history_entry, render_promotion

RARE = 1000
SUBJECT_TYPE = "promotion"
LOG_PIECE = 64 * 1024

_RELATED = {"tenant": "tenant", "reverses": "request", **dict.fromkeys(PEOPLE, "person")}
_SHOWN: dict[str, tuple[type[Model], list[str]]] = {
    "tenant": (Tenant, ["id", "slug", "name"]),
    "person": (User, ["id", "email", "name"]),
    "request": (PromotionRequest, ["id", "number"]),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; empty means no narrowing."""

    states: Sequence[str] = ()
    tenants: Sequence[str] = ()
    author: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some requests, newest first, and where the next page begins (None: there is none)."""

    promotions: list[PromotionRequest]
    next: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts over exactly what the person may list; days and weeks (from Monday) are those of UTC."""

    pending: int
    approved_today: int
    rejected_today: int
    deployed_this_week: int


def list_requests(*, user: User, wanted: Wanted = Wanted(), limit: int = 50, before: int | None = None) -> Page:
    """The newest requests that `user` may see."""
    reaches = reaches_of(user, Capability.VIEW_PROMOTIONS, Capability.VIEW_OWN_PROMOTIONS)
    all_of, own_of = reaches[Capability.VIEW_PROMOTIONS], reaches[Capability.VIEW_OWN_PROMOTIONS]
    if wanted.text or wanted.author:  # few: found by their own index, then filtered
        return _page(narrow(PromotionRequest.objects.visible_to(user), wanted), limit, before)
    if all_of.everywhere and not wanted.tenants:
        return _page(narrow(PromotionRequest.objects.all(), wanted), limit, before)
    tenants, own_tenants = _chosen(all_of, wanted.tenants), _chosen(own_of, wanted.tenants)
    return _page_of_tenants(
        user=user, tenants=tenants, own_tenants=own_tenants, states=wanted.states, limit=limit, before=before
    )


def list_my_requests(*, user: User, wanted: Wanted = Wanted(), limit: int = 50, before: int | None = None) -> Page:
    """The newest requests that `user` made and may see."""
    return _page(narrow(PromotionRequest.objects.visible_to(user).filter(author=user), wanted), limit, before)


def list_decidable_requests(
    *, user: User, wanted: Wanted = Wanted(), limit: int = 50, before: int | None = None
) -> Page:
    """The newest pending requests that `user` may approve or reject."""
    reach = reaches_of(user, Capability.DECIDE_PROMOTION)[Capability.DECIDE_PROMOTION]
    if wanted.text or wanted.author or (reach.everywhere and not wanted.tenants):
        return _page(narrow(PromotionRequest.objects.decidable_by(user), wanted), limit, before)
    states = [State.PENDING.value] if not wanted.states or State.PENDING in wanted.states else []
    if not states:
        return Page([], None)
    tenants = _chosen(reach, wanted.tenants)
    return _page_of_tenants(
        user=user, tenants=tenants, own_tenants=[], states=states, limit=limit, before=before, not_own=True
    )


def running_versions(promotion: PromotionRequest) -> dict[str, RunningVersion]:
    """What each environment runs of the request's target; read once per request object."""
    known: dict[str, RunningVersion] | None = getattr(promotion, "_running_versions", None)
    if known is None:
        rows = RunningVersion.objects.select_related("promotion").filter(
            tenant=promotion.tenant_id, target_type=promotion.target_type, target_name=promotion.target_name
        )
        known = {row.environment: row for row in rows}
        promotion._running_versions = known  # type: ignore[attr-defined]
    return known


def judgement_of(promotion: PromotionRequest) -> Judgement | None:
    """What the policies of import maps said when they asked by this request; None where they did not. Read once."""
    if promotion.target_type != TargetType.APPLICATION:
        return None
    if not hasattr(promotion, "_judgement"):
        found = Judgement.objects.filter(request=promotion.number).select_related("stamp__application").first()
        promotion._judgement = found  # type: ignore[attr-defined]
    known: Judgement | None = promotion._judgement  # type: ignore[attr-defined]
    return known


def narrow(requests: PromotionRequestQuerySet, wanted: Wanted) -> PromotionRequestQuerySet:
    """Those that match; what a person may see is another filter."""
    if wanted.states:
        requests = requests.filter(state__in=wanted.states)
    if wanted.tenants:
        requests = requests.filter(tenant__slug__in=wanted.tenants)
    if wanted.author:
        author = User.objects.annotate(lower_email=Lower("email")).filter(lower_email=wanted.author.lower())
        requests = requests.filter(author_id__in=author.values("pk"))
    if wanted.text:
        requests = with_words(requests, wanted.text)
    return requests


def with_words(requests: PromotionRequestQuerySet, text: str) -> PromotionRequestQuerySet:
    """Those whose text has the words.

    Of rare words the ids are read first: for a page of the newest, PostgreSQL would rather walk all requests from the
    newest on than use the text index, and with a rare word that walk does not end.
    """
    query = SearchQuery(text, config="simple", search_type="websearch")
    matching = PromotionRequest.objects.alias(words=SEARCH_VECTOR).filter(words=query)
    ids = list(matching.order_by().values_list("pk", flat=True)[: RARE + 1])
    if len(ids) <= RARE:
        return requests.filter(pk__in=ids)
    return requests.alias(words=SEARCH_VECTOR).filter(words=query)


def _chosen(reach: Reach, slugs: Sequence[str]) -> list[int]:
    """The tenants within reach, of those named if any are; for a reach without end some must be named."""
    if not slugs:
        return list(reach.tenants)
    named = Tenant.objects.filter(slug__in=slugs)
    return list((named if reach.everywhere else named.filter(pk__in=reach.tenants)).values_list("pk", flat=True))


# People who reach much find their page among the newest requests of all (`near`, bounded). For the others that walk would
# cost more the fewer they reach, so each of their tenants is asked for its newest (`far`): first for one, because only
# the tenants with the newest can have a place on the page, then those for a page each.
_RULE = "(%(states)s::text[] IS NULL OR state = ANY(%(states)s)) AND NOT (%(not_own)s AND author_id = %(user)s)"
_BEFORE = "(%(before)s::bigint IS NULL OR id < %(before)s)"
_OWN = "author_id = %(user)s AND tenant_id = ANY(%(own_tenants)s::bigint[])"
_NEWEST = f"""
WITH near AS MATERIALIZED (
    SELECT id FROM (
        SELECT id, tenant_id, author_id, state FROM promotions_promotionrequest
        WHERE {_BEFORE} ORDER BY id DESC LIMIT 10 * %(count)s
    ) AS latest
    WHERE (tenant_id = ANY(%(tenants)s::bigint[]) OR {_OWN}) AND {_RULE}
    ORDER BY id DESC LIMIT %(count)s
), far AS (
    SELECT found.id
    FROM (
        SELECT tenant, newest.id
        FROM unnest(%(tenants)s::bigint[]) AS tenant CROSS JOIN LATERAL (
            SELECT id FROM promotions_promotionrequest
            WHERE tenant_id = tenant AND {_RULE} AND {_BEFORE} ORDER BY id DESC LIMIT 1
        ) AS newest
        ORDER BY newest.id DESC LIMIT %(count)s
    ) AS top CROSS JOIN LATERAL (
        SELECT id FROM promotions_promotionrequest
        WHERE tenant_id = top.tenant AND {_RULE} AND {_BEFORE} ORDER BY id DESC LIMIT %(count)s
    ) AS found
    UNION (
        SELECT id FROM promotions_promotionrequest
        WHERE {_OWN} AND {_RULE} AND {_BEFORE} ORDER BY id DESC LIMIT %(count)s
    )
)
SELECT id FROM near
UNION
SELECT id FROM far WHERE (SELECT count(*) FROM near) < %(count)s
ORDER BY id DESC LIMIT %(count)s
"""  # noqa: S608 (composed of constants)


def _page_of_tenants(
    *,
    user: User,
    tenants: list[int],
    own_tenants: list[int],
    states: Sequence[str],
    limit: int,
    before: int | None,
    not_own: bool = False,
) -> Page:
    """The newest of `tenants`, and of the user's own in `own_tenants`."""
    matching = narrow(PromotionRequest.objects.all(), Wanted(states=states))
    if not tenants:  # the index of authors has them in order
        return _page(matching.filter(author_id=user.pk, tenant_id__in=own_tenants), limit, before)
    if len(tenants) == 1 and set(own_tenants) <= set(tenants):  # the index of tenants has them in order
        theirs = matching.filter(tenant_id=tenants[0])
        return _page(theirs.exclude(author_id=user.pk) if not_own else theirs, limit, before)
    values: dict[str, Any] = {"tenants": tenants, "own_tenants": own_tenants, "user": user.pk, "before": before}
    values |= {"states": list(states) or None, "count": limit + 1, "not_own": not_own}
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, values)
        return _page(PromotionRequest.objects.filter(pk__in=[row[0] for row in cursor.fetchall()]), limit)


def _page(requests: QuerySet[PromotionRequest], limit: int, before: int | None = None) -> Page:
    """One row more than asked for tells whether there is a next page."""
    if before is not None:
        requests = requests.filter(pk__lt=before)
    rows = list(requests.order_by("-id")[: limit + 1])
    page = Page(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)
    _attach_names(page.promotions)
    return page


_NAMES = """
SELECT 'tenant', id, slug, name FROM accounts_tenant WHERE id = ANY(%(tenants)s)
UNION ALL SELECT 'person', id, email, name FROM accounts_user WHERE id = ANY(%(people)s)
UNION ALL SELECT 'request', id, number, '' FROM promotions_promotionrequest WHERE id = ANY(%(requests)s)
"""


def _attach_names(promotions: Sequence[PromotionRequest]) -> None:
    """Give each request its tenant, people and reversed request, with what a document shows of them.

    One statement of three lookups instead of five joins, whose planning would cost more than the page itself; whatever
    else is asked of these objects they fetch by themselves.
    """
    tenants = {promotion.tenant_id for promotion in promotions}
    people = {getattr(promotion, f"{role}_id") for promotion in promotions for role in PEOPLE} - {None}
    reversed_ids = {promotion.reverses_id for promotion in promotions} - {None}
    known: dict[tuple[str, int], Model] = {}
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, {"tenants": list(tenants), "people": list(people), "requests": list(reversed_ids)})
        for kind, *values in cursor.fetchall():
            model, fields = _SHOWN[kind]
            known[kind, values[0]] = model.from_db("default", fields, values[: len(fields)])
    for name, kind in _RELATED.items():
        relation: Any = PromotionRequest._meta.get_field(name)
        for promotion in promotions:
            relation.set_cached_value(promotion, known.get((kind, getattr(promotion, relation.attname))))


def histories_of(promotions: Iterable[PromotionRequest]) -> dict[str, list[dict[str, Any]]]:
    """`status.history` of each request by number, in one query."""
    histories: dict[str, list[dict[str, Any]]] = {promotion.number: [] for promotion in promotions}
    facts = DomainEvent.objects.about(SUBJECT_TYPE, *histories).filter(type__in=list(ACTIONS)).order_by("sequence")
    # Each fact holds the whole document as it was then; only its entry is fetched.
    for number, fact_type, at, by, entry in facts.values_list(
        "subject_id", "type", "occurred_at", "actor_label", "data__entry"
    ):
        histories[number].append(history_entry(fact_type, at, by, {"entry": entry or {}}))
    return histories


def render_requests(promotions: Sequence[PromotionRequest]) -> list[dict[str, Any]]:
    """The documents of the requests, with their histories, in one query."""
    histories = histories_of(promotions) if promotions else {}
    return [render_promotion(promotion, histories[promotion.number]) for promotion in promotions]


def stats_of(user: User) -> Stats:
    """How many wait, were decided today and were deployed this week, of what `user` may see."""
    today = now().astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    conditions = {
        "pending": Q(state=State.PENDING),
        "approved_today": Q(approved_at__gte=today),
        "rejected_today": Q(rejected_at__gte=today),
        "deployed_this_week": Q(deployed_at__gte=today - dt.timedelta(days=today.weekday())),
    }
    # Told apart by index first; the counting then looks at these few only.
    concerned = Q()
    for condition in conditions.values():
        concerned |= condition
    visible = PromotionRequest.objects.visible_to(user).filter(concerned).order_by()
    return Stats(**visible.aggregate(**{name: Count("pk", filter=rule) for name, rule in conditions.items()}))


def tenant_for_new_request(user: User, slug: str | None) -> Tenant:
    """The tenant named, else the person's own.

    NotAllowed where `user` may not ask, and the same for a tenant that does not exist; InvalidInput when it must be named.
    """
    allowed = tenants_where(user, Capability.REQUEST_PROMOTION)
    tenant = allowed.filter(slug=slug).first() if slug is not None else home_tenant(user, allowed)
    if tenant is not None:
        return tenant
    if slug is None and allowed.exists():
        raise InvalidInput({"tenant": ["Say for which tenant: you may ask for several and belong to none of them."]})
    where = slug[:80] if slug is not None else "any tenant"
    raise NotAllowed(
        f"You may not create requests in {where}. Ask a tenant admin for the DevOps role.",
        code="not_authorized",
        field="tenant",
    )


def deployments_of(promotion: PromotionRequest) -> QuerySet[Deployment]:
    """All attempts, newest first, with the length of their output but without the output itself."""
    return promotion.deployments.defer("log", "options", "result").annotate(log_length=Length("log"))


def deployment_of(promotion: PromotionRequest, attempt: int) -> Deployment:
    """One attempt; NotFound when there was none with this number."""
    found = deployments_of(promotion).filter(attempt=attempt).first() if attempt < 2**31 else None
    if found is None:
        raise NotFound(f"{promotion.number} has no attempt {str(attempt)[:20]}.")
    return found


def log_piece(deployment: Deployment, offset: int) -> str:
    """Output from the character `offset` on, at most LOG_PIECE characters of it."""
    piece = Deployment.objects.filter(pk=deployment.pk).annotate(piece=Substr(F("log"), offset + 1, LOG_PIECE))
    return str(piece.values_list("piece", flat=True).get())
