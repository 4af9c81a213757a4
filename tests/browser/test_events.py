"""Events in a browser: an incident is recorded and closed, bars are reached by keyboard; every page is accessible and fits."""

from __future__ import annotations

import datetime as dt

import pytest
from playwright.sync_api import expect

from core.clock import now
from events.chain.following import follow_log
from events.chain.freezes import declare_freeze
from events.models import Event
from events.tracker.catalog import put_entry
from events.tracker.records import add_change, record_event, update_event
from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.test_every_page import violations

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def world(tenant, devops, cpi) -> dict[str, str]:
    """Events of all types with long and awkward words, a catalogue entry; ids by name."""
    noon = now().replace(hour=12, minute=0, second=0, microsecond=0)

    def make(title: str, type: int, days: float, **changes) -> Event:
        content = {"title": title, "type": type, "started_at": noon - dt.timedelta(days=days), "service": "ledger"}
        return record_event(tenant=tenant, content=content | changes, by=devops)

    deployed = make("Deploy ledger 1.8.2", 1, 2, status=3, environment=7, ticket="PAY-1", priority=3)
    incident = make(
        "Pool exhausted " + "very-long-word" * 9, 4, 1.9, status=9, environment=7, priority=1, impact=3,
        message="Too many **connections**\n\n    " + "x" * 200, related_id=deployed.pk, owner="ops-team",
        stakeholders=["backend-team", "frontend-team"], pull_request_link="https://example.com/" + "path/" * 30,
    )  # fmt: skip
    add_change(event=incident, entry={"comment": "Found <b>it</b> " + "z" * 120}, by=devops)
    update_event(event=incident, content={"priority": 2}, by=devops)
    make("Maintenance", 2, 0.2, status=12, environment=6, service="a-service-with-quite-a-long-name/of-a-team")
    make("Manual change", 3, 5, status=9, environment=7, service="infrastructure")
    make("Invoices", 5, 0.1, status=4, service="rpa")
    for number in range(7):
        make(f"Deploy ledger 1.9.{number}", 1, 1 + number / 100, status=2 if number % 3 else 3, environment=4)
    put_entry(
        tenant=tenant, by=devops,
        content={"name": "ledger", "type": 4, "owner": "accounting", "version": "1.8.2", "dependencies_out": ["vault"],
                 "description": "Books **everything**", "used_deliverables": [{"name": "kit", "versionUsed": "1"}]},
    )  # fmt: skip
    freeze = declare_freeze(
        tenant=tenant, by=cpi, environment="prod", ends_at=now() + dt.timedelta(days=1),
        reason="Closing of the year: " + "a-very-long-word" * 12,
    )  # fmt: skip
    follow_log()
    return {"incident": str(incident.pk), "deployed": str(deployed.pk), "freeze": str(freeze.pk)}


def test_an_incident_is_recorded_from_the_deployment_that_led_to_it_and_closed(window, world, devops):
    page = window(devops)
    page.goto(f"/events/{world['deployed']}/")
    page.get_by_role("link", name="Record an incident that follows").click()
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#id_title_field .field__error")).to_be_visible()
    expect(page.get_by_label("Service")).to_have_value("ledger")
    page.get_by_label("Title").fill("Ledger is slow")
    page.get_by_role("button", name="Record").click()
    expect(page.locator("#event header .badge")).to_have_text("Open")
    expect(page.get_by_role("link", name="Deploy ledger 1.8.2")).to_be_visible()
    page.get_by_role("link", name="Close the incident").click()
    page.get_by_label("Comment").fill("Rolled back")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#event header .badge")).to_have_text("Closed")
    expect(page.locator(".timeline")).to_contain_text("Rolled back")
    assert Event.objects.get(title="Ledger is slow").related_id == Event.objects.get(pk=world["deployed"]).pk


def test_a_draft_survives_leaving_the_page(window, world, devops):
    page = window(devops)
    page.goto("/events/new/")
    page.get_by_label("Title").fill("Half a thought")
    page.goto("/events/")
    page.goto("/events/new/")
    expect(page.get_by_label("Title")).to_have_value("Half a thought")
    expect(page.get_by_text("Your draft is back")).to_be_visible()


def test_facets_and_views_keep_what_is_looked_for(window, world, devops):
    page = window(devops)
    page.goto("/events/")
    page.get_by_role("link", name="Incident").first.click()
    page.wait_for_url("**type=incident")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.get_by_role("link", name="Timeline").click()
    expect(page.locator(".lanes__bar")).to_have_count(1)
    page.get_by_role("link", name="Calendar").click()
    expect(page.locator(".mark")).to_have_count(1)


def test_the_timeline_is_walked_by_keyboard(window, world, devops):
    page = window(devops)
    page.goto("/events/timeline/?type=incident")
    page.locator(".lanes").focus()
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.lanes__bar')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/events/{world['incident']}/")


def test_reading_works_without_javascript(window, world, viewer):
    page = window(viewer, javascript=False)
    page.goto("/events/")
    page.get_by_role("link", name="Maintenance").click()
    expect(page.get_by_role("heading", name="Maintenance")).to_be_visible()
    page.goto("/events/timeline/")
    expect(page.locator(".lanes__bar").first).to_be_visible()


PAGES = {
    "events-table": "/events/",
    "events-table-narrowed": "/events/?type=deployment&ticket=PAY-1&tenant=tenant-finance",
    "events-nothing-found": "/events/?q=nothing-like-it",
    "events-timeline": "/events/timeline/",
    "events-timeline-environments": "/events/timeline/?lanes=environment&days=3",
    "events-calendar": "/events/calendar/",
    "events-week": "/events/calendar/?by=week",
    "event": "/events/{incident}/",
    "event-new": "/events/new/",
    "event-edit": "/events/{incident}/edit/",
    "event-close": "/events/{incident}/close/",
    "event-locks": "/events/locks/",
    "freezes": "/events/freezes/",
    "freeze-lift": "/events/freezes/{freeze}/lift/",
    "clearance": "/events/clearance/?service=ledger&environment=production",
    "measures": "/events/measures/",
    "dead-letters": "/events/dead-letters/",
    "dry-run": "/events/webhooks/dry-run/",
    "chain": "/chain/incident/{incident}/",
    "catalog": "/events/catalog/",
    "catalog-entry": "/events/catalog/ledger/",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_of_events_is_accessible_and_fits(width, theme, window, world, cpi, picture):
    page, faults = window(cpi, width=width, theme=theme), []
    for name, address in PAGES.items():
        page.goto(address.format(**world))
        page.wait_for_function("document.fonts.ready.then(() => true)")
        picture(page, f"{name}-{width}-{theme}")
        faults += [f"{name}: {fault}" for fault in violations(page)]
        if overflow(page) > 0:
            faults.append(f"{name}: {overflow(page)} pixels too wide")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("width", [360, 3840])
def test_pages_of_events_fit_from_the_smallest_to_the_largest_window(width, window, world, cpi):
    page = window(cpi, width=width)
    assert {
        name: overflow(page) for name, address in PAGES.items() if page.goto(address.format(**world))
    } == dict.fromkeys(PAGES, 0)
