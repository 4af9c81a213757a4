"""The list of requests: filters as in its URL, counts per state, cards with what may be done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, Value, When
from django.http import QueryDict

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import grants_of, tenants_where
from promotions.models import SEARCH_VECTOR, PromotionRequest, PromotionRequestQuerySet, RunningVersion
from promotions.states import State
from promotions.types import Impact

COUNTED_UP_TO = 1000
_NUMBER = re.compile(r"PR-\d{4}-\d+", re.IGNORECASE)
_WORD = re.compile(r"[\w.]+")


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """What the list is narrowed to; every part is optional and comes from the URL."""

    state: str = ""
    tenant: str = ""
    requester: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> BoardFilter:
        state = query.get("state", "")
        return cls(
            state=state if state in State.values else "",
            tenant=query.get("tenant", "").strip()[:80],
            requester=query.get("requester", "").strip()[:200],
            text=query.get("q", "").replace("\x00", "").strip()[:200],
        )

    def __bool__(self) -> bool:
        return any((self.state, self.tenant, self.requester, self.text))

    @property
    def narrows(self) -> bool:
        """Whether anything but the state is narrowed."""
        return any((self.tenant, self.requester, self.text))


def find_requests(user: User, wanted: BoardFilter) -> PromotionRequestQuerySet:
    """The requests `user` may see that match, whatever their state."""
    found = PromotionRequest.objects.visible_to(user)
    if wanted.tenant:
        found = found.filter(tenant__slug=wanted.tenant)
    if wanted.requester:
        found = found.filter(_asked_by(user, wanted.requester))
    return search(found, wanted.text) if wanted.text else found


def _asked_by(user: User, requester: str) -> Q:
    if requester.lower() == "me":
        return Q(author_id=user.pk)
    people = User.objects.filter(Q(email__icontains=requester) | Q(name__icontains=requester))
    return Q(author__in=people.values("pk"))


def search(requests: PromotionRequestQuerySet, text: str) -> PromotionRequestQuerySet:
    """Requests that hold all words of `text`, the last letters of which may still be missing; a number finds itself."""
    if _NUMBER.fullmatch(text):
        return requests.filter(number=text.upper())
    words = _WORD.findall(text)
    if not words:
        return requests.none()
    query = SearchQuery(" & ".join(f"'{word}':*" for word in words), search_type="raw", config="simple")
    return requests.annotate(words=SEARCH_VECTOR).filter(words=query)


def count_by_state(requests: PromotionRequestQuerySet) -> dict[str, int]:
    """How many are in each state, in one query that stops counting a state at COUNTED_UP_TO + 1."""
    parts, values = [], []
    for state in State.values:
        rows = requests.filter(state=state).order_by().values("pk")[: COUNTED_UP_TO + 1]
        try:
            sql, params = rows.query.sql_with_params()
        except Exception:  # an empty set has no SQL
            return {}
        parts.append(f"SELECT %s, count(*) FROM ({sql}) AS one")
        values += [state, *params]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return dict(cursor.fetchall())


def spell_count(count: int) -> str:
    return f"{COUNTED_UP_TO}+" if count > COUNTED_UP_TO else str(count)


def with_versions(requests: PromotionRequestQuerySet) -> PromotionRequestQuerySet:
    """With what staging and production run of the same target, as `staging_version` and `production_version`."""

    def running(environment: str) -> Subquery:
        return Subquery(
            RunningVersion.objects.filter(
                tenant=OuterRef("tenant"),
                environment=OuterRef(environment),
                target_type=OuterRef("target_type"),
                target_name=OuterRef("target_name"),
            ).values("version")[:1]
        )

    return requests.annotate(
        staging_version=running("source_environment"), production_version=running("target_environment")
    )


def for_cards(requests: PromotionRequestQuerySet) -> PromotionRequestQuerySet:
    """With everything a card shows, in the same query."""
    return with_versions(requests.select_related("tenant", "author", "reverses").defer("release_notes"))


@dataclass(slots=True)
class Card:
    """One request as the list shows it, with what this person may do to it."""

    promotion: PromotionRequest
    can_decide: bool

    @property
    def in_bulk(self) -> bool:
        """Whether it may be approved together with others: low impact only."""
        return self.can_decide and self.promotion.impact == Impact.LOW

    @property
    def reassurance(self) -> list[Reassurance]:
        return reassure(self.promotion)


@dataclass(frozen=True, slots=True)
class Reassurance:
    """One reason why it is safe to say yes, or why not."""

    fine: bool
    words: str


def make_cards(user: User, promotions: Iterable[PromotionRequest]) -> list[Card]:
    """Cards without a query for each: the person's capabilities are read once."""
    grants = grants_of(user)
    return [
        Card(
            promotion,
            can_decide=promotion.state == State.PENDING
            and promotion.author_id != user.pk
            and grants.allow(Capability.DECIDE_PROMOTION, promotion.tenant_id),
        )
        for promotion in promotions
    ]


def reassure(promotion: PromotionRequest) -> list[Reassurance]:
    """The short form of the pre-checks; needs the versions of `with_versions`."""
    staging = getattr(promotion, "staging_version", None)
    return [
        Reassurance(promotion.staging_tests_passed, "Staging tests"),
        Reassurance(promotion.security_scan_passed, "Security scan"),
        Reassurance(promotion.performance_tests_passed, "Performance"),
        Reassurance(
            staging == promotion.version,
            f"Staging runs {staging}" if staging else "Unknown in staging",
        ),
    ]


def waiting_for(user: User, limit: int = 12) -> list[PromotionRequest]:
    """What `user` may decide now, oldest first: who waits longest is served first."""
    return list(for_cards(PromotionRequest.objects.decidable_by(user)).order_by("pk")[:limit])


def requests_of(user: User, limit: int = 6) -> list[PromotionRequest]:
    """The person's own newest requests, unfinished ones first."""
    own = PromotionRequest.objects.visible_to(user).filter(author_id=user.pk)
    unfinished = Case(
        When(state__in=[State.PENDING, State.SCHEDULED, State.APPROVED, State.DEPLOYING], then=Value(0)),
        default=Value(1),
    )
    return list(for_cards(own).order_by(unfinished, "-pk")[:limit])


def tenants_to_filter_by(user: User, limit: int = 200) -> QuerySet[Tenant]:
    """The tenants whose requests `user` may see, if only the own ones."""
    seen = Q(pk__in=tenants_where(user, Capability.VIEW_PROMOTIONS).values("pk")) | Q(
        pk__in=tenants_where(user, Capability.VIEW_OWN_PROMOTIONS).values("pk")
    )
    return Tenant.objects.filter(seen).order_by("slug")[:limit]
