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
from promotions.states import State

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
    only_while_pending: bool = False

    def told(self, fact: DomainEvent) -> Told:
        promotion = _promotion_of(fact)
        people = {
            person.pk: person
            for group in self.tells
            for person in group(promotion)
            if person is not None and person.is_active
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
        }
        return Words(subject, f"{settings.SITE_URL}/requests/{number}/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return not self.only_while_pending or _promotion_of(fact).state == State.PENDING


def _promotion_of(fact: DomainEvent) -> PromotionRequest:
    return PromotionRequest.objects.select_related("tenant", "author", "approved_by").get(number=fact.subject_id)


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
        (approvers,), "[{number}] {title}: still waiting for approval", optional=True, only_while_pending=True,
    ),
    PromotionNotice(
        "request_escalated", "promotion.escalated", "Nobody decides on a request (CPI admins)",
        (chiefs,), "[{number}] {title}: nobody has decided yet", only_while_pending=True,
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
