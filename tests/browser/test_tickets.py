"""Tickets in a browser: a card is dragged or moved by keyboard, a gate is passed; every page is accessible and fits."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.test_every_page import violations
from tickets.models import Ticket
from tickets.services import (
    add_dependency,
    claim_task,
    complete_stage,
    ensure_project,
    open_ticket,
    queue_task,
    register_worker,
)
from tickets.types import PlanStep, TicketContent

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def gated(tenant, devops, worker) -> Ticket:
    """PAY-1, developed by a worker and waiting at its gate; PAY-2 waits for it and has a long name."""
    project = ensure_project(key="finance/payment-api", by=devops, tenant=tenant)
    plan = (PlanStep("developer"), PlanStep("sign-off", gate=True), PlanStep("release-manager"))
    described = "Customers get back what was **not** shipped.\n\n- one refund per parcel\n"
    ticket = open_ticket(
        project=project, by=devops, key="PAY-1",
        content=TicketContent(
            "Refunds for partial shipments", described, plan, "story", 1, ("refunds", "customer-facing"),
            (devops.email,), dt.date(2026, 1, 31),
        ),
    )  # fmt: skip
    other = open_ticket(
        project=project, by=devops, key="PAY-2", content=TicketContent("Very-long-word" * 9, plan=plan[:1])
    )
    add_dependency(ticket=other, blocker=ticket, by=devops)
    developer = register_worker(worker_id="developer-1", worker_type="developer", tenant=tenant, by=worker)
    queue_task(ticket=ticket, by=devops)
    task = claim_task(worker=developer, by=worker)
    assert task is not None
    complete_stage(task=task, fence=task.fence, by=worker, comment="Done in `refunds.py`, see\n\n    " + "x" * 200)
    return ticket


def test_a_card_moves_only_where_the_rules_allow(window, gated, devops):
    page = window(devops)
    page.goto("/tickets/")
    card = page.locator("[data-row]", has_text="PAY-2")
    card.drag_to(page.locator("[data-column=reviewed]"))
    page.wait_for_timeout(300)
    assert Ticket.objects.get(key="PAY-2").state == "open"
    card.drag_to(page.locator("[data-column=in_progress]"))
    expect(page.locator("[data-column=in_progress] [data-row]")).to_contain_text("PAY-2")
    expect(page.locator("#toasts")).to_contain_text("PAY-2 is in progress.")
    assert Ticket.objects.get(key="PAY-2").state == "in_progress"

    while "PAY-2" not in (
        page.locator("[data-selected]").text_content() if page.locator("[data-selected]").count() else ""
    ):
        page.keyboard.press("j")
    page.keyboard.press("m")
    expect(page.locator("[data-moves][open] a").first).to_be_focused()
    page.get_by_role("link", name="Request review").press("Enter")
    expect(page.locator("[data-column=in_review] [data-row]")).to_contain_text("PAY-2")
    assert Ticket.objects.get(key="PAY-2").state == "in_review"


def test_a_gate_is_passed_by_a_person(window, gated, cpi, devops):
    page = window(devops)
    page.goto("/tickets/PAY-1/")
    expect(page.get_by_role("button", name="Pass sign-off")).to_be_disabled()
    page = window(cpi)
    page.goto("/tickets/PAY-1/")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Decline").click()
    expect(dialog.locator(".field__error")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Comment").fill("Looks **right**")
    dialog.get_by_role("button", name="Pass").click()
    expect(page.locator("#ticket header .badge")).to_have_text("Approved")
    expect(page.locator(".comment strong", has_text="right")).to_be_visible()
    assert Ticket.objects.get(key="PAY-1").stage == "release-manager"


def test_reading_and_deciding_work_without_javascript(window, gated, cpi):
    page = window(cpi, javascript=False)
    page.goto("/tickets/")
    page.get_by_role("link", name="Refunds for partial shipments").click()
    page.get_by_role("link", name="Pass sign-off").click()
    page.get_by_label("Comment").fill("Fine")
    page.get_by_role("button", name="Pass").click()
    expect(page.locator("#ticket header .badge")).to_have_text("Approved")


def test_a_worker_is_stopped_from_its_page(window, gated, devops):
    page = window(devops)
    page.goto("/workers/")
    page.get_by_role("link", name="Stop developer-1").click()
    page.get_by_label("Reason").fill("Out of memory")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#toasts")).to_contain_text("developer-1 is stopped")
    expect(page.locator("#workers")).to_contain_text("Out of memory")
    expect(page.get_by_role("link", name="Stop developer-1")).to_have_count(0)


def test_the_board_is_narrowed_to_a_person(window, gated, devops, cpi):
    page = window(cpi)
    page.goto("/tickets/")
    page.get_by_label("Assignee").select_option(label=devops.get_full_name())
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page.locator("[data-row]")).to_contain_text("PAY-1")
    page.get_by_label("Assignee").select_option(label="Mine")
    expect(page.get_by_text("Nothing matches")).to_be_visible()


@pytest.mark.parametrize(
    ("width", "theme"), [(360, "light"), (NARROW, "dark"), (WIDE, "light"), (WIDE, "dark"), (3840, "light")]
)
def test_every_page_of_tickets_is_accessible_and_fits(width, theme, window, gated, cpi, picture):
    page, faults = window(cpi, width=width, theme=theme), []
    for name, address in {
        "tickets-board": "/tickets/",
        "tickets-list": "/tickets/?view=list",
        "tickets-nothing-found": "/tickets/?q=nothing-like-it",
        "ticket-new": "/tickets/new/",
        "ticket": "/tickets/PAY-1/",
        "ticket-blocked": "/tickets/PAY-2/",
        "ticket-edit": "/tickets/PAY-1/edit/",
        "ticket-verb": "/tickets/PAY-1/decline-gate/",
        "tickets-bulk": "/tickets/bulk/?ticket=tenant-finance/PAY-1&ticket=tenant-finance/PAY-2",
        "ticket-move": "/tickets/PAY-2/start/",
        "workers": "/workers/",
        "worker-stop": "/workers/tenant-finance/developer-1/stop/",
    }.items():
        page.goto(address)
        page.wait_for_function("document.fonts.ready.then(() => true)")
        picture(page, f"{name}-{width}-{theme}")
        faults += [f"{name}: {fault}" for fault in violations(page)]
        if overflow(page) > 0:
            faults.append(f"{name}: {overflow(page)} pixels too wide")
    assert not faults, "\n".join(faults)
