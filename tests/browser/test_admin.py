"""What staff do in the admin, in Chromium: find things, put stuck ones right with a reason, and change no history."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from accounts.services import issue_token
from events.models import Delivery, DomainEvent
from events.outbox import route_facts
from promotions.models import PromotionRequest
from promotions.services import approve_request
from promotions.services.transition import load
from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.test_every_page import RULES, violations

WCAG = {"runOnly": [rule for rule in RULES["runOnly"] if rule != "best-practice"]}  # the frame is the theme's
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def silent(silent):
    return [*silent, r"^verbose:", r"^info:"]


@pytest.fixture
def stuck(make_request, cpi, target, devops) -> PromotionRequest:
    """A request that waits for a deployment, and one that is nobody's trouble."""
    make_request(target_name="quiet-service")
    promotion = make_request()
    approve_request(promotion=promotion, by=cpi, comment="Fine")
    route_facts()
    Delivery.objects.filter(channel="email").update(state="dead", last_error="550 no such user", attempts=36)
    issue_token(user=devops, name="release pipeline", scopes=["requests:read"])
    return load(promotion)


def listed(kind: str) -> str:
    return reverse(f"admin:{kind}_changelist")


def search(page, words: str) -> None:
    page.locator("input[name=q]").first.fill(words)
    page.keyboard.press("Enter")


def test_staff_find_requests_facts_deliveries_and_tokens(window, root, stuck, picture):
    page = window(root)
    page.goto("/admin/")
    picture(page, "admin-index")
    page.goto(listed("promotions_promotionrequest"))
    search(page, "payment-api")
    expect(page.locator("#result_list")).to_contain_text(stuck.number)
    expect(page.locator("#result_list")).not_to_contain_text("quiet-service")
    picture(page, "admin-requests")
    page.goto(listed("events_domainevent"))
    search(page, stuck.number)
    expect(page.locator("#result_list")).to_contain_text("promotion.approved")
    picture(page, "admin-facts")
    page.goto(listed("events_delivery") + "?state__exact=dead")
    search(page, stuck.number)
    expect(page.locator("#result_list")).to_contain_text("550 no such user")
    picture(page, "admin-deliveries")
    page.goto(listed("accounts_apitoken"))
    search(page, "pipeline")
    expect(page.locator("#result_list")).to_contain_text("release pipeline")


def test_staff_try_a_dead_delivery_again_and_revoke_a_token(window, root, stuck, picture):
    page = window(root)
    dead = Delivery.objects.filter(state="dead").first()
    page.goto(reverse("admin:events_delivery_change", args=[dead.pk]))
    page.get_by_role("link", name="Try again now").click()
    expect(page.locator("main, #content").first).to_contain_text("550 no such user")
    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_text("Try again now:", exact=False)).to_be_visible()
    dead.refresh_from_db()
    assert dead.state == "queued"

    page.goto(listed("accounts_apitoken"))
    page.get_by_role("link", name="release pipeline").click()
    page.get_by_role("link", name="Revoke").click()
    expect(page.get_by_text("It cannot be taken back.", exact=False)).to_be_visible()
    picture(page, "admin-revoke")
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("revoked", exact=False).first).to_be_visible()


def test_staff_force_a_state_with_a_reason_that_goes_on_record(window, root, stuck, picture):
    page = window(root)
    page.goto(reverse("admin:promotions_promotionrequest_change", args=[stuck.pk]))
    page.get_by_role("link", name="Force the state").click()
    page.get_by_label("State", exact=True).select_option("failed")
    page.get_by_label("Reason").fill("too short")
    page.get_by_role("button", name="Force the state").click()
    expect(page.get_by_role("alert")).to_contain_text("at least 10 characters")
    expect(page.get_by_label("Reason")).to_have_value("too short")
    picture(page, "admin-force-state")
    page.get_by_label("Reason").fill("The deployment host burned down")
    page.get_by_role("button", name="Force the state").click()
    expect(page.get_by_text("Force the state:", exact=False)).to_be_visible()
    assert load(stuck).state == "failed"
    fact = DomainEvent.objects.latest("sequence")
    assert (fact.type, fact.data["entry"]["comment"]) == ("promotion.forced", "The deployment host burned down")


@pytest.mark.parametrize("kind", ["promotions_promotionrequest", "events_domainevent", "promotions_deployment"])
def test_history_has_no_field_to_write_in_and_no_button_to_save_or_delete(kind, window, root, stuck):
    page = window(root)
    page.goto(listed(kind))
    assert page.get_by_role("link", name=re.compile("^Add ")).count() == 0
    page.locator("#result_list tbody a[href*=change]").first.click()
    expect(page).to_have_url(re.compile(r"/change/"))
    for name in ("Save", "Delete"):
        assert page.get_by_role("button", name=name).count() == page.get_by_role("link", name=name).count() == 0
    form = page.locator("form[id$=_form]")
    assert form.locator("textarea:visible, select:visible, input[type=text]:visible").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_its_pages_are_accessible_and_fit(width, theme, window, root, stuck, picture):
    page, faults = window(root, width=width, theme=theme), []
    address = reverse("admin:promotions_promotionrequest_change", args=[stuck.pk])
    for name, where in {
        "index": "/admin/", "requests": listed("promotions_promotionrequest"), "request": address,
        "force": address.replace("/change/", "/force_state/"), "deliveries": listed("events_delivery"),
        "tokens": listed("accounts_apitoken"),
    }.items():  # fmt: skip
        page.goto(where)
        picture(page, f"admin-{name}-{width}-{theme}")
        faults += [f"{name}: {fault}" for fault in violations(page, WCAG)]
        if overflow(page) > 0:
            faults.append(f"{name}: {overflow(page)} pixels too wide")
    assert faults == []
