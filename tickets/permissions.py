"""Who may do what to tickets and their work; each check raises with the reason a person can read."""

from __future__ import annotations

from collections.abc import Callable

from accounts.models import Membership, Tenant, User
from accounts.roles import Capability, Role
from accounts.selectors import has_capability
from core.errors import NotAllowed
from tickets.models import StageTask, Ticket, Worker
from tickets.states import TaskState

DECIDE_SCOPE = "tickets:decide"
_ROLE_FOR = {
    Capability.EDIT_TICKETS: "change tickets",
    Capability.WORK_TICKETS: "work on tickets",
    Capability.DECIDE_TICKETS: "decide on tickets",
}


def check_can_edit(user: User, tenant: Tenant) -> None:
    """Open, change, move, close, queue and send back."""
    _check(user, Capability.EDIT_TICKETS, tenant)


def check_can_work(user: User, tenant: Tenant) -> None:
    """Register workers, claim, complete, fail and release."""
    _check(user, Capability.WORK_TICKETS, tenant)


def check_can_comment(user: User, tenant: Tenant) -> None:
    """Whoever may change or work on tickets; those who only watch may not."""
    if not has_capability(user, Capability.WORK_TICKETS, tenant.pk):
        _check(user, Capability.EDIT_TICKETS, tenant)


def check_can_decide(user: User, ticket: Ticket) -> None:
    """A person with the right, who did not do the work that is decided on: never a worker's account."""
    check_is_decider(user, ticket.tenant)
    gates = [number for number, step in enumerate(ticket.steps) if step.gate]
    work = StageTask.objects.filter(ticket=ticket, claimed_account=user, state=TaskState.DONE).exclude(step__in=gates)
    if work.exists():
        raise NotAllowed(f"You worked on {ticket.key} yourself, so someone else has to decide.", code="own_work")


def check_is_decider(user: User, tenant: Tenant) -> None:
    """A person with the right to decide in the tenant, and through a token only if that may decide."""
    check_is_person(user, tenant)
    if user.acting_token is not None and DECIDE_SCOPE not in user.acting_token.scopes:
        raise NotAllowed(
            f"This token lacks the scope {DECIDE_SCOPE}. A person decides, or issues a token that may.",
            code="insufficient_scope",
            details={"scope": DECIDE_SCOPE},
        )
    _check(user, Capability.DECIDE_TICKETS, tenant)


def check_is_person(user: User, tenant: Tenant) -> None:
    """Not a worker's account: some things are for people, whatever else the account may do."""
    if Membership.objects.filter(user=user, tenant=tenant, role=Role.WORKER.value).exists():
        raise NotAllowed(
            "This takes a person: an account that works stages cannot do it. Ask someone with the CPI role.",
            code="person_required",
        )


def check_owns_worker(user: User, worker: Worker) -> None:
    if worker.owner_id != user.pk:
        raise NotAllowed(
            f"The worker {worker.worker_id} belongs to another account. Register one under your own.",
            code="not_your_worker",
        )


def check_can_stop_worker(user: User, worker: Worker) -> None:
    """Its owner, or whoever may change tickets."""
    if worker.owner_id != user.pk:
        check_can_edit(user, worker.tenant)


def _check(user: User, capability: Capability, tenant: Tenant) -> None:
    if not has_capability(user, capability, tenant.pk):
        raise NotAllowed(
            f"You may not {_ROLE_FOR[capability]} of {tenant.slug}. Ask a tenant admin for a role that may.",
            code="not_authorized",
        )


def reason_against(check: Callable[..., None], *args: object) -> str:
    """Why the check refuses, for the page to show; empty when it does not."""
    try:
        check(*args)
    except NotAllowed as refusal:
        return refusal.message
    return ""
