"""The table of notices about promotion requests: the fact, who is told, in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings

from accounts.models import User
from accounts.roles import Capability, Role
from accounts.selectors import holders_of, holders_of_role
from events.models import DomainEvent
from events.notifiers.base import Told, Words
from promotions.models import PromotionRequest
from promotions.states import Review, State
from promotions.wire import spell_field

SUBJECT_TYPE = "promotion"
TAKING_PART = (
    "promotion.commented", "promotion.approved", "promotion.rejected", "promotion.glass_broken",
    "promotion.approved_afterwards", "promotion.objected",
)  # fmt: skip

People = Callable[[PromotionRequest], Iterable[User | None]]


def approvers(promotion: PromotionRequest) -> Iterable[User]:
    """Whoever may decide on it; never its author."""
    return holders_of(Capability.DECIDE_PROMOTION, promotion.tenant).exclude(pk=promotion.author_id)


def requester(promotion: PromotionRequest) -> list[User]:
    return [promotion.author]


def approver(promotion: PromotionRequest) -> list[User | None]:
    return [promotion.approved_by]


def everyone(promotion: PromotionRequest) -> list[User | None]:
    """The requester, the approver, and whoever may view the tenant's requests."""
    return [promotion.author, promotion.approved_by, *holders_of(Capability.VIEW_PROMOTIONS, promotion.tenant)]


def chiefs(promotion: PromotionRequest) -> Iterable[User]:
    """The CPI admins; never its author."""
    return holders_of_role(Role.CPI_ADMIN).exclude(pk=promotion.author_id)


def reviewers(promotion: PromotionRequest) -> Iterable[User]:
    """Whoever may review what was deployed without approval."""
    return [person for person in approvers(promotion) if person.pk != promotion.glass_broken_by_id]


def glass_breaker(promotion: PromotionRequest) -> list[User | None]:
    return [promotion.glass_broken_by]


def conversation(promotion: PromotionRequest) -> Iterable[User | None]:
    """The requester and whoever said or decided something; as long as nobody has, whoever may decide."""
    steps = DomainEvent.objects.about(SUBJECT_TYPE, promotion.number).filter(type__in=TAKING_PART)
    took_part = User.objects.filter(public_id__in=steps.exclude(actor_id=None).values("actor_id"))
    others = list(took_part.exclude(pk=promotion.author_id))
    return [promotion.author, *(others or (approvers(promotion) if promotion.state == State.PENDING else []))]


def is_pending(promotion: PromotionRequest) -> bool:
    return promotion.state == State.PENDING


def is_review_owed(promotion: PromotionRequest) -> bool:
    return promotion.review == Review.OWED


def always(promotion: PromotionRequest) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class PromotionNotice:
    """One row of the table; `subject` is filled with number, title, tenant and actor."""

    name: str
    fact: str
    label: str
    tells: tuple[People, ...]
    subject: str
    optional: bool = False
    operators: bool = False
    matters_while: Callable[[PromotionRequest], bool] = always
    not_actor: bool = False

    def told(self, fact: DomainEvent) -> Told:
        promotion = _promotion_of(fact)
        people = {
            person.pk: person
            for group in self.tells
            for person in group(promotion)
            if person is not None and person.is_active and not (self.not_actor and person.public_id == fact.actor_id)
        }
        return Told(people.values(), settings.OPS_EMAILS if self.operators else ())

    def words(self, fact: DomainEvent) -> Words:
        document = fact.data["document"]
        target = document["spec"]["target"]
        title = f"{target['name']} v{target['version'].removeprefix('v')}"
        number = document["metadata"]["id"]
        subject = self.subject.format(number=number, title=title, tenant=document["metadata"]["tenant"])
        context = {
            "number": number,
            "title": title,
            "document": document,
            "entry": fact.data.get("entry", {}),
            "details": fact.data,
            "changed": [spell_field(name) for name in fact.data.get("changed", ())],
        }
        return Words(subject, f"{settings.SITE_URL}/requests/{number}/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return self.matters_while is always or self.matters_while(_promotion_of(fact))


def _promotion_of(fact: DomainEvent) -> PromotionRequest:
    people = ("author", "approved_by", "glass_broken_by")
    return PromotionRequest.objects.select_related("tenant", *people).get(number=fact.subject_id)


NOTICES = (
    PromotionNotice(
        "request_created", "promotion.created", "Someone asks for a decision that I may take",
        (approvers,), "[{number}] {title}: approval needed",
    ),
    PromotionNotice(
        "request_approved", "promotion.approved", "My request is approved",
        (requester,), "[{number}] {title}: approved",
    ),
    PromotionNotice(
        "request_rejected", "promotion.rejected", "My request is rejected",
        (requester,), "[{number}] {title}: rejected",
    ),
    PromotionNotice(
        "request_withdrawn", "promotion.withdrawn", "A request I might have decided on is withdrawn",
        (approvers,), "[{number}] {title}: withdrawn", optional=True,
    ),
    PromotionNotice(
        "request_expired", "promotion.expired", "My request expires undecided",
        (requester,), "[{number}] {title}: expired undecided",
    ),
    PromotionNotice(
        "request_reminder", "promotion.reminded", "A request still waits for a decision that I may take",
        (approvers,), "[{number}] {title}: still waiting for approval", optional=True, matters_while=is_pending,
    ),
    PromotionNotice(
        "request_escalated", "promotion.escalated", "Nobody decides on a request (CPI admins)",
        (chiefs,), "[{number}] {title}: nobody has decided yet", matters_while=is_pending,
    ),
    PromotionNotice(
        "request_commented", "promotion.commented", "Someone comments where I asked, spoke or decided",
        (conversation,), "[{number}] {title}: new comment", optional=True, not_actor=True,
    ),
    PromotionNotice(
        "request_edited", "promotion.edited", "A request that I may decide on is changed",
        (approvers,), "[{number}] {title}: changed, review it again", optional=True, matters_while=is_pending,
    ),
    PromotionNotice(
        "request_glass_broken", "promotion.glass_broken", "Someone deploys without approval (glass broken)",
        (approvers, chiefs, requester), "[{number}] {title}: GLASS BROKEN, deploying without approval",
    ),
    PromotionNotice(
        "request_approved_afterwards", "promotion.approved_afterwards", "What was deployed without approval is approved",
        (requester, glass_breaker), "[{number}] {title}: approved afterwards",
    ),
    PromotionNotice(
        "request_objected", "promotion.objected", "Someone objects to what was deployed without approval",
        (approvers, chiefs, requester, glass_breaker), "[{number}] {title}: OBJECTED after deployment", not_actor=True,
    ),
    PromotionNotice(
        "review_reminder", "promotion.review_reminded", "A review that I may do is overdue (glass broken)",
        (reviewers,), "[{number}] {title}: review overdue", matters_while=is_review_owed,
    ),
    PromotionNotice(
        "review_escalated", "promotion.review_escalated", "Nobody reviews what was deployed without approval (CPI admins)",
        (chiefs,), "[{number}] {title}: still not reviewed", operators=True, matters_while=is_review_owed,
    ),
    PromotionNotice(
        "deployment_started", "deployment.started", "A deployment I asked for or approved begins",
        (requester, approver), "[{number}] {title}: deployment started", optional=True,
    ),
    PromotionNotice(
        "deployment_succeeded", "deployment.succeeded", "Production runs something new",
        (everyone,), "[{number}] {title}: deployed", optional=True,
    ),
    PromotionNotice(
        "deployment_failed", "deployment.failed", "A deployment fails",
        (everyone,), "[{number}] {title}: deployment FAILED", operators=True,
    ),
)  # fmt: skip
