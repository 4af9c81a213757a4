"""The list of requests: filters as in its URL, counts per state, cards with what may be done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import OuterRef, Subquery
from django.http import QueryDict

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import grants_of
from core import counts as counting
from core.search import prefix_query
from promotions.models import SEARCH_VECTOR, PromotionRequest, PromotionRequestQuerySet, RunningVersion
from promotions.selectors import Page, Wanted, list_requests
from promotions.states import ACTIVE, State
from promotions.types import Impact

COUNTED_UP_TO = 1000
_NUMBER = re.compile(r"PR-\d{4}-\d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BoardFilter:
    """What the list is narrowed to; every part is optional and comes from the URL."""

    state: str = ""
    tenant: str = ""
    requester: str = ""
    text: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> BoardFilter:
        def clean(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:200]

        state = clean("state")
        return cls(state if state in State.values else "", clean("tenant"), clean("requester"), clean("q"))

    @property
    def narrows(self) -> bool:
        """Whether anything but the state is narrowed."""
        return any((self.tenant, self.requester, self.text))

    def author_of(self, user: User) -> str:
        return user.email if self.requester.lower() == "me" else self.requester


def page_of_requests(user: User, wanted: BoardFilter, *, limit: int, before: int | None) -> Page:
    """The newest requests `user` may see that match, with everything a card shows in the same query."""
    if not wanted.text:
        in_url = Wanted(
            states=[wanted.state] if wanted.state else (),
            tenants=[wanted.tenant] if wanted.tenant else (),
            author=wanted.author_of(user),
        )
        return list_requests(user=user, wanted=in_url, limit=limit, before=before)
    found = find_requests(user, wanted)
    if wanted.state:
        found = found.filter(state=wanted.state)
    if before is not None:
        found = found.filter(pk__lt=before)
    rows = list(found.select_related("tenant", "author").defer("release_notes").order_by("-pk")[: limit + 1])
    return Page(rows[:limit], rows[limit - 1].pk if len(rows) > limit else None)


def find_requests(user: User, wanted: BoardFilter) -> PromotionRequestQuerySet:
    """The requests `user` may see that match, whatever their state, in no order yet."""
    return narrow_board(PromotionRequest.objects.visible_to(user), user, wanted)


def narrow_board(requests: PromotionRequestQuerySet, user: User, wanted: BoardFilter) -> PromotionRequestQuerySet:
    """Those of the wanted tenant, requester and words, whatever their state."""
    if wanted.tenant:
        requests = requests.filter(tenant__slug=wanted.tenant)
    if wanted.requester:
        requests = requests.filter(author__in=User.objects.filter(email__iexact=wanted.author_of(user)).values("pk"))
    return search(requests, wanted.text) if wanted.text else requests


def search(requests: PromotionRequestQuerySet, text: str) -> PromotionRequestQuerySet:
    """Requests that hold all words of `text`, the last letters of which may still be missing; a number finds itself."""
    if _NUMBER.fullmatch(text):
        return requests.filter(number=text.upper())
    query = prefix_query(text)
    return requests.none() if query is None else requests.alias(words=SEARCH_VECTOR).filter(words=query)


def spell_count(count: int) -> str:
    return counting.spell_count(count, COUNTED_UP_TO)


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
    def verbs(self) -> tuple[str, str]:
        """How yes and no are called for it: a decision, or a review of what was deployed without one."""
        return ("approve-afterwards", "object") if self.promotion.glass_broken_by_id else ("approve", "reject")

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
    """What `user` may decide now or has to review, oldest first: who waits longest is served first."""
    requests = PromotionRequest.objects
    pending, owed = requests.decidable_by(user).order_by(), requests.reviewable_by(user).order_by()
    waiting = requests.filter(pk__in=pending.values("pk").union(owed.values("pk"), all=True))
    return list(for_cards(waiting).order_by("pk")[:limit])


def requests_of(user: User, limit: int = 6) -> list[PromotionRequest]:
    """The person's own newest requests, unfinished ones first."""
    own = PromotionRequest.objects.visible_to(user).filter(author_id=user.pk)
    newest = list(for_cards(own).order_by("-pk")[: 4 * limit])
    return sorted(newest, key=lambda promotion: promotion.state not in ACTIVE)[:limit]
