"""Reads of promotion requests: lists that stay fast at any size, counts that agree with them, histories of many at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.search import SearchQuery
from django.db.models import Count, F, Func, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length, Lower, Substr

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import everywhere_of, home_tenant, tenants_where
from core.clock import now
from core.errors import NotAllowed, NotFound
from events.models import DomainEvent
from promotions.models import SEARCH_VECTOR, Deployment, PromotionRequest, PromotionRequestQuerySet
from promotions.states import State
from promotions.wire import ACTIONS, history_entry, render_promotion

RARE = 1000
SUBJECT_TYPE = "promotion"
LOG_PIECE = 64 * 1024

_PEOPLE = ("author", "approved_by", "rejected_by")
_DOCUMENT = (
    *(field.attname for field in PromotionRequest._meta.concrete_fields),
    "tenant__slug",
    "reverses__number",
    *(f"{person}__{name}" for person in _PEOPLE for name in ("email", "name")),
)


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
    matching = _before(narrow(PromotionRequest.objects.all(), wanted), before)
    if wanted.text or wanted.author:  # few: found by their own index, then filtered
        return _page(_in(matching, wanted.tenants).visible_to(user), limit)
    theirs = tenants_where(user, Capability.VIEW_PROMOTIONS)
    if Capability.VIEW_PROMOTIONS in everywhere_of(user):
        return _page(_newest_in(theirs, matching, wanted.tenants, limit), limit)
    own = _in(matching.filter(author_id=user.pk), wanted.tenants).filter(
        tenant__in=tenants_where(user, Capability.VIEW_OWN_PROMOTIONS)
    )
    ids = _newest_of_tenants(_among(theirs, wanted.tenants), matching, limit + 1)
    ids = ids.union(own.order_by("-id").values("pk")[: limit + 1])
    return _page(PromotionRequest.objects.filter(pk__in=ids), limit)


def list_my_requests(*, user: User, wanted: Wanted = Wanted(), limit: int = 50, before: int | None = None) -> Page:
    """The newest requests that `user` made and may see."""
    mine = narrow(PromotionRequest.objects.filter(author=user), wanted)
    return _page(_in(_before(mine, before), wanted.tenants).visible_to(user), limit)


def list_decidable_requests(
    *, user: User, wanted: Wanted = Wanted(), limit: int = 50, before: int | None = None
) -> Page:
    """The newest pending requests that `user` may approve or reject."""
    pending = PromotionRequest.objects.filter(state=State.PENDING).exclude(author_id=user.pk)
    others = _before(narrow(pending, wanted), before)
    tenants = tenants_where(user, Capability.DECIDE_PROMOTION)
    if wanted.text or wanted.author:
        return _page(_in(others, wanted.tenants).filter(tenant__in=tenants), limit)
    if Capability.DECIDE_PROMOTION in everywhere_of(user):
        return _page(_newest_in(tenants, others, wanted.tenants, limit), limit)
    ids = _newest_of_tenants(_among(tenants, wanted.tenants), others, limit + 1)
    return _page(PromotionRequest.objects.filter(pk__in=ids), limit)


def narrow(requests: PromotionRequestQuerySet, wanted: Wanted) -> PromotionRequestQuerySet:
    """Those of the wanted states, author and words; tenants and what `user` may see are filtered elsewhere."""
    if wanted.states:
        requests = requests.filter(state__in=wanted.states)
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


def _newest_in(
    all_tenants: QuerySet[Tenant], matching: PromotionRequestQuerySet, slugs: Sequence[str], limit: int
) -> QuerySet[PromotionRequest]:
    """For people who may see everything: simply the newest, unless tenants are named."""
    if not slugs:
        return matching
    ids = _newest_of_tenants(_among(all_tenants, slugs), matching, limit + 1)
    return PromotionRequest.objects.filter(pk__in=ids)


def _newest_of_tenants(tenants: QuerySet[Tenant], matching: PromotionRequestQuerySet, count: int) -> QuerySet[Any]:
    """The ids of each tenant's `count` newest, of the `count` tenants with the newest: no other can be on the page.

    Walking all requests from the newest on until enough visible ones are met would cost more the fewer of them the
    user may see, so each tenant is asked for its newest instead.
    """
    of_tenant = matching.filter(tenant_id=OuterRef("pk")).order_by("-id").values("pk")
    return (
        tenants.order_by()
        .annotate(newest=Subquery(of_tenant[:1]))
        .filter(newest__isnull=False)
        .order_by("-newest")[:count]
        .annotate(promotion=Func(ArraySubquery(of_tenant[:count]), function="unnest"))
        .values("promotion")
    )


def _among(tenants: QuerySet[Tenant], slugs: Sequence[str]) -> QuerySet[Tenant]:
    return tenants.filter(slug__in=slugs) if slugs else tenants


def _in(requests: PromotionRequestQuerySet, slugs: Sequence[str]) -> PromotionRequestQuerySet:
    return requests.filter(tenant__slug__in=slugs) if slugs else requests


def _before(requests: PromotionRequestQuerySet, before: int | None) -> PromotionRequestQuerySet:
    return requests.filter(pk__lt=before) if before is not None else requests


def _page(requests: QuerySet[PromotionRequest], limit: int) -> Page:
    """One row more than asked for tells whether there is a next page."""
    requests = requests.select_related("tenant", "reverses", *_PEOPLE).only(*_DOCUMENT).order_by("-id")
    rows = list(requests[: limit + 1])
    return Page(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)


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
    """The tenant named, else the person's own; NotAllowed where `user` may not ask (the same if there is none)."""
    allowed = tenants_where(user, Capability.REQUEST_PROMOTION)
    tenant = allowed.filter(slug=slug).first() if slug is not None else home_tenant(user, allowed)
    if tenant is not None:
        return tenant
    if slug is None and allowed.exists():
        raise NotAllowed("You belong to several tenants: say which one.", code="tenant_needed", field="tenant")
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
