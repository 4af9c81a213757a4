"""Who may do what to a promotion request; each check raises with the reason a person can read."""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import NotAllowed
from promotions.models import PromotionRequest


def check_can_create(user: User, tenant: Tenant) -> None:
    if not has_capability(user, Capability.REQUEST_PROMOTION, tenant.pk):
        raise NotAllowed(
            f"You may not create requests in {tenant.slug}. Ask a tenant admin for the DevOps role.",
            code="not_authorized",
        )


def check_can_edit(user: User, promotion: PromotionRequest) -> None:
    _check_is_author(user, promotion, "edit")
    check_can_create(user, promotion.tenant)


def check_can_withdraw(user: User, promotion: PromotionRequest) -> None:
    _check_is_author(user, promotion, "withdraw")


def check_can_comment(user: User, promotion: PromotionRequest) -> None:
    """Whoever may see it may comment, except those who only watch."""
    holds = (Capability.REQUEST_PROMOTION, Capability.DECIDE_PROMOTION)
    if not any(has_capability(user, capability, promotion.tenant_id) for capability in holds):
        raise NotAllowed("Your role may read requests but not comment on them.", code="not_authorized")


def check_can_approve(user: User, promotion: PromotionRequest) -> None:
    if promotion.author_id == user.pk:
        raise NotAllowed("Cannot approve your own request. Someone else with the right has to.", code="own_request")
    _check_may_decide(user, promotion, "approve")


def check_can_reject(user: User, promotion: PromotionRequest) -> None:
    if promotion.author_id == user.pk:
        raise NotAllowed("Cannot reject your own request. Withdraw it instead.", code="own_request")
    _check_may_decide(user, promotion, "reject")


def check_can_break_glass(user: User, promotion: PromotionRequest) -> None:
    """CPI admins, also for a request of their own: somebody else reviews it afterwards in any case."""
    if not has_capability(user, Capability.BREAK_GLASS, promotion.tenant_id):
        raise NotAllowed("Only CPI admins may break the glass. Ask one of them, or wait.", code="not_authorized")


def check_can_review(user: User, promotion: PromotionRequest) -> None:
    """Look at what was deployed without approval: neither the requester nor who broke the glass, superusers included."""
    if promotion.author_id == user.pk:
        raise NotAllowed("Cannot review your own request. Someone else with the right has to.", code="own_request")
    if promotion.glass_broken_by_id == user.pk:
        raise NotAllowed("You broke the glass, so someone else has to review it.", code="broke_the_glass")
    _check_may_decide(user, promotion, "review")


def check_can_retry(user: User, promotion: PromotionRequest) -> None:
    """The approval still stands, so its author (who may still ask) or anyone who may decide can try it again."""
    if promotion.author_id == user.pk:
        check_can_create(user, promotion.tenant)
    else:
        _check_may_decide(user, promotion, "retry")


check_can_cancel = check_can_retry


def check_can_roll_back(user: User, promotion: PromotionRequest) -> None:
    check_can_create(user, promotion.tenant)


def check_can_force(user: User, promotion: PromotionRequest) -> None:
    """Operators only: staff with the permission force_promotionrequest, who may also see the request."""
    if not (user.is_active and user.is_staff and user.has_perm("promotions.force_promotionrequest")):
        raise NotAllowed("Only operators may force a state. Ask an administrator.", code="not_authorized")


def _check_is_author(user: User, promotion: PromotionRequest, verb: str) -> None:
    if promotion.author_id != user.pk:
        raise NotAllowed(f"Only {promotion.author.get_full_name()} can {verb} this request.", code="not_author")


def _check_may_decide(user: User, promotion: PromotionRequest, verb: str) -> None:
    if not has_capability(user, Capability.DECIDE_PROMOTION, promotion.tenant_id):
        raise NotAllowed(
            f"Not authorized to {verb} requests of {promotion.tenant.slug}: that takes the CPI role.",
            code="not_authorized",
        )


def reason_against(check: Callable[[User, PromotionRequest], None], user: User, promotion: PromotionRequest) -> str:
    """Why the check refuses, for the page to show; empty when it does not."""
    try:
        check(user, promotion)
    except NotAllowed as refusal:
        return refusal.message
    return ""
