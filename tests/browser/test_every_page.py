"""Every page, wide and narrow, light and dark: no accessibility violation, no sideways scrolling, a silent console."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from core.clock import now
from promotions.models import Deployment, RunningVersion
from promotions.services import (
    approve_request,
    break_glass,
    comment_on_request,
    deployment_failed,
    deployment_started,
    object_to_request,
    reject_request,
)
from tests.browser.conftest import NARROW, WIDE, overflow

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

PAGES = {
    "overview": "/",
    "requests-cards": "/requests/",
    "requests-table": "/requests/?view=table",
    "requests-nothing-found": "/requests/?q=nothing-like-it",
    "new-request": "/requests/new/",
    "request-pending": "/requests/{pending}/",
    "request-running": "/requests/{running}/",
    "request-failed": "/requests/{failed}/",
    "request-rejected": "/requests/{rejected}/",
    "request-own": "/requests/{own}/",
    "request-glass-broken": "/requests/{broken}/",
    "request-objected": "/requests/{blamed}/",
    "object-page": "/requests/{broken}/object/",
    "approve-page": "/requests/{pending}/approve/",
    "bulk": "/requests/approve/?number={pending}",
    "activity": "/activity/",
    "profile": "/profile/",
    "preferences": "/profile/preferences/",
    "password": "/accounts/password/change/",
    "second-factor": "/accounts/2fa/",
    "not-found": "/requests/PR-1999-0001/",
    "design": "/design/",
}
DOORS = {"sign-in": "/accounts/login/?next=/", "forgotten": "/accounts/password/reset/"}


@pytest.fixture
def world(make_request, tenant, devops, cpi, cpi_admin, target) -> dict[str, str]:
    """Requests in every state, with long and awkward words; their numbers by name."""
    for environment, version in (("staging", "2.1.0"), ("prod", "2.0.0")):
        RunningVersion.objects.create(
            tenant=tenant, environment=environment, target_type="api", target_name="payment-api", version=version
        )
    pending = make_request(tickets=("TICKET-001", "TICKET-002"))
    comment_on_request(promotion=pending, by=cpi, comment="Is <b>this</b> tested? " + "very-long-word" * 12)
    running = make_request(
        target_name="a-service-with-quite-a-long-name/of-a-team", version="2026.11.21-rc.1+build.4711"
    )
    failed = make_request(target_name="ledger", impact="critical", performance_tests_passed=False)
    rejected = make_request(target_name="rates", scheduled_at=now() + dt.timedelta(days=3), impact="high")
    own = make_request(by=cpi, target_name="vault", impact="medium")
    reject_request(promotion=rejected, by=cpi, reason="The evidence is of another build")
    for promotion in (running, failed):
        approve_request(promotion=promotion, by=cpi, comment="Fine")
        Deployment.objects.filter(promotion=promotion).update(state="launching", log="Pulling\n" + "x" * 300 + "\n")
        deployment_started(deployment=Deployment.objects.get(promotion=promotion), job_id="job-1")
    deployment_failed(
        deployment=Deployment.objects.get(promotion=failed), error="Health check failed: 503 " + "z" * 200
    )
    broken = make_request(target_name="checkout", scheduled_at=now() + dt.timedelta(days=3))
    blamed = make_request(target_name="carts")
    for promotion in (broken, blamed):
        break_glass(promotion=promotion, by=cpi_admin, reason="Cards are refused, " + "very-long-word" * 12)
    object_to_request(promotion=blamed, by=cpi, reason="The finance team was at their desks")
    names = {
        "broken": broken,
        "blamed": blamed,
        "pending": pending,
        "running": running,
        "failed": failed,
        "rejected": rejected,
        "own": own,
    }
    return {name: promotion.number for name, promotion in names.items()}


def violations(page, rules: dict = RULES) -> list[str]:
    """What axe finds, one line for each element."""
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, rules)", rules)["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"]
    ]


pytestmark = pytest.mark.timeout(400)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_is_accessible_and_fits(width, theme, window, world, cpi, picture):
    page, faults = window(cpi, width=width, theme=theme), []
    for name, address in PAGES.items():
        page.goto(address.format(**world))
        page.wait_for_function("document.fonts.ready.then(() => true)")
        picture(page, f"{name}-{width}-{theme}")
        faults += [f"{name}: {fault}" for fault in violations(page)]
        if overflow(page) > 0:
            faults.append(f"{name}: {overflow(page)} pixels too wide")
    assert faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_the_pages_before_signing_in_are_accessible_and_fit(width, theme, window, db, picture):
    page, faults = window(width=width, theme=theme), []
    for name, address in DOORS.items():
        page.goto(address)
        picture(page, f"{name}-{width}-{theme}")
        faults += [f"{name}: {fault}" for fault in violations(page)]
        if overflow(page) > 0:
            faults.append(f"{name}: {overflow(page)} pixels too wide")
    assert faults == []


@pytest.mark.parametrize("width", [360, 3840])
def test_pages_fit_from_the_smallest_to_the_largest_window(width, window, world, cpi):
    page = window(cpi, width=width)
    assert {
        name: overflow(page) for name, address in PAGES.items() if page.goto(address.format(**world))
    } == dict.fromkeys(PAGES, 0)


def test_open_dialogs_and_menus_are_accessible(window, world, cpi):
    page = window(cpi)
    page.goto(f"/requests/{world['pending']}/")
    for key in ("a", "r"):
        page.keyboard.press(key)
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.locator(".user-button").click()
    assert violations(page) == []
