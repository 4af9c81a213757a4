"""The demo's tickets: some in each part of their life, and workers that are ready."""

from __future__ import annotations

from accounts.models import Tenant, User
from tickets.models import Project, Ticket, Worker
from tickets.services import (
    add_dependency,
    claim_task,
    close_ticket,
    comment_on_ticket,
    complete_stage,
    decide_gate,
    ensure_project,
    fail_task,
    link_ticket,
    move_ticket,
    open_ticket,
    queue_task,
    register_worker,
)
from tickets.types import LinkKind, PlanStep, Priority, TicketContent, TicketType

PLAN = (PlanStep("architect"), PlanStep("developer"), PlanStep("tester"))
GATED = (*PLAN, PlanStep("sign-off", gate=True), PlanStep("release-manager"))
WORKER_TYPES = ("architect", "developer", "tester", "release-manager")
A_YEAR = 365 * 24 * 3600


class Team:
    """Who does what in the demo."""

    def __init__(self) -> None:
        self.tenant = Tenant.objects.get(slug="tenant-finance")
        self.devops = User.objects.get(email="pierre.durand@cab-i.com")
        self.cpi = User.objects.get(email="jean.dupont@cab-i.com")
        self.worker = User.objects.get(email="worker@cab-i.com")
        self.workers: dict[str, Worker] = {}

    def ready(self) -> None:
        """A worker of each type is there; it stays so, for nobody in the demo sends its heartbeats."""
        for worker_type in WORKER_TYPES:
            self.workers[worker_type] = register_worker(
                worker_id=f"{worker_type}-demo", worker_type=worker_type, tenant=self.tenant, by=self.worker,
                silence_seconds=A_YEAR,
            )  # fmt: skip

    def work(self, ticket: Ticket, *done: tuple[str, str]) -> None:
        """Complete the ticket's next stages, each with its comment."""
        for worker_type, comment in done:
            queue_task(ticket=ticket, by=self.devops, worker_type=worker_type)
            task = claim_task(worker=self.workers[worker_type], by=self.worker, ticket=ticket)
            assert task is not None
            complete_stage(task=task, fence=task.fence, by=self.worker, comment=comment)


def seed_tickets() -> None:
    """Projects, tickets and workers; what exists stays as it is."""
    team = Team()
    team.ready()
    payments = ensure_project(key="finance/payment-api", by=team.devops, tenant=team.tenant)
    if Ticket.objects.filter(project=payments).exists():
        return
    refunds = _waiting_at_its_gate(team, payments)
    _being_worked_on(team, payments)
    _blocked(team, payments, refunds)
    _out_of_attempts(team, payments)
    _passed(team, payments)
    _in_review(team, payments)
    _finished(team, payments)
    _new(team, payments)


def _open(team: Team, project: Project, key: str, title: str, description: str, **more: object) -> Ticket:
    fields: dict[str, object] = {"title": title, "description": description, "plan": PLAN} | more
    return open_ticket(project=project, content=TicketContent(**fields), by=team.devops, key=key)  # type: ignore[arg-type]


def _waiting_at_its_gate(team: Team, project: Project) -> Ticket:
    ticket = _open(
        team, project, "PAY-101", "Refunds for partial shipments",
        "Customers get back what was **not** shipped.\n\n- one refund per parcel\n- shown in the order's history\n",
        plan=GATED, priority=Priority.HIGH, labels=("refunds", "customer-facing"), type=TicketType.STORY,
        assignees=(team.devops.email,),
    )  # fmt: skip
    team.work(
        ticket,
        ("architect", "Refunds hang on the *parcel*, not on the order; see the sketch in the wiki."),
        ("developer", "Done in `refunds/partial.py`, behind the switch `partial_refunds`."),
        ("tester", "| case | result |\n|---|---|\n| one of two parcels | passed |\n| none shipped | passed |\n"),
    )
    link_ticket(
        ticket=ticket, by=team.devops, url="https://git.example.com/finance/payment-api/pull/482",
        kind=LinkKind.PULL_REQUEST, title="Refunds for partial shipments (#482)",
    )  # fmt: skip
    return ticket


def _being_worked_on(team: Team, project: Project) -> None:
    ticket = _open(
        team, project, "PAY-102", "Strong customer authentication 2.2", "The old protocol ends in March.",
        priority=Priority.URGENT, labels=("compliance",),
    )  # fmt: skip
    team.work(ticket, ("architect", "Only the challenge screen changes; the rest of the flow stays."))
    claim_task(worker=team.workers["developer"], by=team.worker, ticket=ticket, lease_seconds=24 * 3600)


def _blocked(team: Team, project: Project, blocker: Ticket) -> None:
    ticket = _open(team, project, "PAY-103", "Refund report for accounting", "One line per refund, monthly.", plan=PLAN)
    add_dependency(ticket=ticket, blocker=blocker, by=team.devops)
    queue_task(ticket=ticket, by=team.devops)


def _out_of_attempts(team: Team, project: Project) -> None:
    ticket = _open(
        team,
        project,
        "PAY-104",
        "Import of the new currency table",
        "Nightly, from the bank's file.",
        type=TicketType.TASK,
    )
    queue_task(ticket=ticket, by=team.devops)
    task = claim_task(worker=team.workers["architect"], by=team.worker, ticket=ticket)
    assert task is not None
    fail_task(
        task=task,
        fence=task.fence,
        by=team.worker,
        error="The bank's test server refuses our certificate.",
        retry=False,
    )


def _passed(team: Team, project: Project) -> None:
    ticket = _open(
        team, project, "PAY-105", "Retry of failed captures", "Three times, then tell the shop.", plan=GATED,
        priority=Priority.LOW,
    )  # fmt: skip
    team.work(
        ticket,
        ("architect", "A queue per shop, so that one broken shop does not hold up the others."),
        ("developer", "Implemented with back-off."),
        ("tester", "Ran a night against the simulator: nothing captured twice."),
    )
    decide_gate(ticket=ticket, by=team.cpi, approve=True, comment="The figures of the night run convince me.")


def _in_review(team: Team, project: Project) -> None:
    ticket = _open(team, project, "PAY-106", "Fewer questions at the checkout", "Nobody needs the fax number.", plan=())
    move_ticket(ticket=ticket, verb="start", by=team.devops)
    move_ticket(ticket=ticket, verb="request_review", by=team.devops, comment="Two fields gone, one optional.")


def _finished(team: Team, project: Project) -> None:
    ticket = _open(team, project, "PAY-100", "Receipts as PDF", "Sent with the confirmation.", type=TicketType.STORY)
    team.work(
        ticket,
        ("architect", "One template for mail and PDF."),
        ("developer", "Done."),
        ("tester", "Looks right in the five readers we support."),
    )
    comment_on_ticket(ticket=ticket, by=team.cpi, content="Thanks, customers asked for this for years.")
    close_ticket(ticket=ticket, by=team.devops, resolution="completed", comment="Delivered with 2.0.0.")


def _new(team: Team, project: Project) -> None:
    _open(
        team, project, "PAY-107", "Declined payments say why",
        "The reason of the bank, in the customer's language.", type=TicketType.BUG, labels=("customer-facing",),
    )  # fmt: skip
