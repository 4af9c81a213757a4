"""The main job in Chromium: ask, be refused politely, decide as someone else, follow it to production."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from promotions.models import Deployment, PromotionRequest
from promotions.services import deployment_started, deployment_succeeded
from promotions.services.transition import load
from tests.browser.conftest import NARROW, overflow
from tests.conftest import PASSWORD


def fill_in(page, **changes) -> None:
    typed = {
        "Name": "payment-api",
        "Version": "2.1.0",
        "Justification": "New PCI-DSS compliant payment flow",
        "Release notes": "- Added **3DS2** authentication",
        "Rollback plan": "Revert to v2.0.0",
        "Test evidence": "https://ci.example.com/pipeline/12345",
        **changes,
    }
    for label, text in typed.items():
        page.get_by_label(label, exact=True).fill(text)
    for label in ("Staging tests passed", "Security scan passed"):
        page.get_by_label(label).check()


def test_sign_in_ask_with_an_error_lose_nothing_and_submit(window, devops, picture):
    page = window()
    page.goto("/requests/new/")
    page.get_by_label("Email").fill(devops.email)
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not correct")
    picture(page, "sign-in-refused")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/requests/new/$"))

    fill_in(page, Justification="Too short")
    expect(page.locator("#notes-preview strong")).to_have_text("3DS2")
    expect(page.locator("#version-hint")).to_contain_text("Nothing is known of payment-api in staging")
    page.get_by_role("button", name="Submit request").click()
    expect(page.get_by_role("alert")).to_contain_text("everything you typed is still here")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#id_justification_error")).to_contain_text("at least 20 characters; this has 9")
    expect(page.get_by_label("Release notes")).to_have_value("- Added **3DS2** authentication")
    expect(page.get_by_label("Security scan passed")).to_be_checked()
    picture(page, "new-request-with-error")

    page.get_by_label("Justification").fill("New PCI-DSS compliant payment flow")
    page.get_by_role("button", name="Submit request").click()
    expect(page).to_have_url(re.compile(r"/requests/PR-\d{4}-0001/$"))
    expect(page.locator("#toasts")).to_contain_text("was created")
    page.go_back()
    page.go_forward()
    assert PromotionRequest.objects.count() == 1


def test_someone_else_approves_with_a_comment_and_both_follow_the_deployment(
    window, make_request, devops, cpi, target, picture
):
    pending = make_request()
    page = window(cpi)
    page.goto("/")
    expect(page.locator("#waiting")).to_contain_text("1")
    page.get_by_role("link", name="payment-api v2.1.0").first.click()
    page.get_by_role("link", name="Approve", exact=True).click()
    dialog = page.get_by_role("dialog", name="Approve payment-api v2.1.0?")
    expect(dialog).to_contain_text(pending.digest[:16])
    dialog.get_by_label("Comment").fill("Read the evidence")
    picture(page, "approve-dialog")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.locator("#toasts")).to_contain_text(f"You approved {pending.number}")
    expect(page.locator("#request header .badge")).to_have_text("Approved")
    assert load(pending).approval_comment == "Read the evidence"

    deployment = Deployment.objects.get()
    Deployment.objects.filter(pk=deployment.pk).update(state="launching")
    deployment_started(deployment=deployment, job_id="job-1")
    Deployment.objects.filter(pk=deployment.pk).update(log="Starting 2.1.0\n")
    # No event stream here: what runs refreshes itself every ten seconds, its log every two.
    expect(page.locator("#log .log")).to_contain_text("Starting 2.1.0", timeout=15_000)
    Deployment.objects.filter(pk=deployment.pk).update(log="Starting 2.1.0\nHealth check passed\n")
    expect(page.locator("#log .log")).to_contain_text("Health check passed", timeout=6_000)
    picture(page, "deploying")
    deployment_succeeded(deployment=Deployment.objects.get(), result={})
    expect(page.locator("#request header .badge")).to_have_text("Deployed", timeout=15_000)
    picture(page, "deployed")


def test_my_own_request_cannot_be_approved_not_even_by_force(window, make_request, cpi, picture):
    own = make_request(by=cpi)
    page = window(cpi)
    page.goto(f"/requests/{own.number}/")
    button = page.get_by_role("button", name="Approve")
    expect(button).to_be_disabled()
    expect(page.locator("#why-approve")).to_contain_text("Cannot approve your own request")
    picture(page, "own-request")
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.evaluate(
        """([path, digest]) => {
          const form = document.createElement('form');
          form.method = 'post';
          form.action = path;
          for (const [name, value] of [['approve-digest', digest], ['csrfmiddlewaretoken', '']]) {
            const field = document.createElement('input');
            field.name = name; field.value = value; form.append(field);
          }
          document.body.append(form);
          form.requestSubmit();
        }""",
        [f"/requests/{own.number}/approve/", own.digest],
    )
    expect(page.locator("#toasts")).to_contain_text("Cannot approve your own request")
    assert load(own).state == "pending"


def test_rejecting_asks_for_a_reason_and_keeps_a_short_one(window, pending, cpi, picture):
    page = window(cpi)
    page.goto(f"/requests/{pending.number}/")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog", name="Reject payment-api v2.1.0?")
    dialog.get_by_label("Reason").fill("too short")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog.locator(".field__error")).to_contain_text("at least 10 characters; this has 9")
    expect(dialog.get_by_label("Reason")).to_have_value("too short")
    picture(page, "reject-dialog")
    dialog.get_by_label("Reason").fill("The evidence is of another build")
    dialog.get_by_role("button", name="Reject").dblclick()
    expect(page.locator("#request header .badge")).to_have_text("Rejected")
    expect(page.locator(".notice")).to_contain_text("The evidence is of another build")
    assert load(pending).rejection_reason == "The evidence is of another build"


def test_two_tabs_the_second_is_told_who_was_first(window, pending, cpi, other_cpi, target):
    first, second = window(cpi), window(other_cpi)
    for page in (first, second):
        page.goto(f"/requests/{pending.number}/")
        page.keyboard.press("a")
    first.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(first.locator("#toasts")).to_contain_text("You approved")
    second.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(second.locator("#toasts")).to_contain_text(cpi.email)
    expect(second.locator("#request header .badge")).to_have_text("Approved")


def test_the_keyboard_goes_through_a_list(window, make_request, cpi, devops):
    numbers = [make_request(target_name=f"service-{index}").number for index in range(3)]
    page = window(cpi)
    page.goto("/requests/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-row][data-selected]")).to_contain_text(numbers[1])
    page.keyboard.press("k")
    expect(page.locator("[data-row][data-selected]")).to_contain_text(numbers[2])
    page.keyboard.press("x")
    expect(page.locator("#bulk")).to_contain_text("1 ticked")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("service-0 jk")
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("service-0")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/requests/\?q=service-0$"))
    expect(page.locator("[data-row]")).to_have_count(1)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/requests/{numbers[0]}/$"))


def test_several_are_approved_together(window, make_request, cpi, target, picture):
    first, second = make_request(), make_request(target_name="ledger")
    page = window(cpi)
    page.goto("/requests/")
    for promotion in (first, second):
        page.get_by_label(f"Tick {promotion.number}").check()
    page.get_by_role("button", name="Review and approve").click()
    expect(page.locator("main")).to_contain_text(first.digest[:16])
    picture(page, "bulk-approval")
    page.get_by_role("button", name="Approve the ticked ones").click()
    expect(page.locator(".check.tone--green")).to_have_count(2)
    assert {load(first).state, load(second).state} == {"approved"}


def test_reading_and_deciding_work_without_javascript(window, make_request, devops, cpi, target):
    page = window(devops, javascript=False)
    page.goto("/requests/new/")
    fill_in(page)
    page.get_by_role("button", name="Show preview").click()
    expect(page.locator("#notes-preview strong")).to_have_text("3DS2")
    page.get_by_role("button", name="Submit request").click()
    expect(page.locator(".toast")).to_contain_text("was created")
    promotion = PromotionRequest.objects.get()

    page = window(cpi, javascript=False)
    page.goto("/requests/?q=payment-api")
    page.get_by_role("link", name="payment-api v2.1.0").click()
    page.get_by_role("link", name="Reject").click()
    page.get_by_label("Reason").fill("short")
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".field__error")).to_contain_text("at least 10 characters")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Approve", exact=True).click()
    page.get_by_label("Comment").fill("By hand")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("header .badge")).to_have_text("Approved")
    assert load(promotion).approval_comment == "By hand"
    page.get_by_text("Cpi", exact=True).first.click()
    page.get_by_role("button", name="Dark").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_what_was_typed_outlives_an_ended_session(window, devops):
    page = window(devops)
    page.goto("/requests/new/")
    page.get_by_label("Justification").fill("Half a thought that matters")
    page.context.clear_cookies(name="sessionid")
    page.reload()
    page.get_by_label("Email").fill(devops.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Justification")).to_have_value("Half a thought that matters")
    expect(page.locator("[data-draft-note]")).to_be_visible()

    fill_in(page, Justification="Half a thought that matters a lot")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Submit request").click()
    expect(page.locator("#toasts")).to_contain_text("what you typed is kept")
    page.get_by_label("Email").fill(devops.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Justification")).to_have_value("Half a thought that matters a lot")
    page.get_by_role("button", name="Submit request").click()
    expect(page.locator("#toasts")).to_contain_text("was created")
    page.goto("/requests/new/")
    expect(page.get_by_label("Justification")).to_have_value("")


def test_a_page_that_loses_its_session_says_so_and_keeps_what_is_shown(window, make_request, cpi, devops):
    pending = make_request()
    page = window(cpi)
    page.goto(f"/requests/{pending.number}/")
    page.context.clear_cookies(name="sessionid")
    page.evaluate("htmx.trigger('#request', 'stagepass:changed')")
    expect(page.locator("#connection")).to_contain_text("You were signed out")
    expect(page.locator("h1")).to_have_text("payment-api v2.1.0")


def test_a_token_is_shown_once(window, devops, picture):
    page = window(devops, width=NARROW)
    page.goto("/profile/")
    page.get_by_label("Name", exact=True).last.fill("release pipeline")
    page.get_by_label("See promotion requests").check()
    page.get_by_role("button", name="Issue token").click()
    secret = page.locator("[data-secret]").text_content()
    assert secret.startswith("sp_")
    assert overflow(page) <= 0
    picture(page, "token-shown-once")
    page.goto("/profile/")
    assert secret not in page.content()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke release pipeline").click()
    expect(page.locator("#toasts")).to_contain_text("was revoked")


def test_the_glass_is_broken_and_someone_else_reviews_it_by_the_keyboard(
    window, pending, cpi, cpi_admin, target, picture
):
    chief = window(cpi_admin)
    chief.goto(f"/requests/{pending.number}/")
    chief.get_by_role("link", name="Break the glass").click()
    dialog = chief.get_by_role("dialog", name="Break the glass for payment-api v2.1.0?")
    dialog.get_by_label("Why it cannot wait").fill("Cards are refused")
    dialog.get_by_role("button", name="Deploy without approval").click()
    expect(dialog.locator(".field__error")).to_contain_text("at least 20 characters; this has 17")
    picture(chief, "break-glass-dialog")
    dialog.get_by_label("Why it cannot wait").fill("Cards are refused and nobody answers")
    dialog.get_by_role("button", name="Deploy without approval").click()
    expect(chief.locator("#glass")).to_contain_text("Cards are refused and nobody answers")
    expect(chief.get_by_role("button", name="Approve afterwards")).to_be_disabled()
    expect(chief.locator("#why-approve-afterwards")).to_contain_text("You broke the glass")

    page = window(cpi, width=NARROW, theme="dark")
    page.goto("/")
    expect(page.locator("[data-row]").first).to_contain_text("Glass broken, review owed")
    picture(page, "overview-review-owed")
    page.keyboard.press("j")
    page.keyboard.press("a")
    expect(page).to_have_url(re.compile(r"/approve-afterwards/$"))
    page.get_by_label("Comment").fill("I would have approved it")
    page.get_by_role("button", name="Approve afterwards").click()
    expect(page.locator("#request header .badge").nth(1)).to_have_text("Glass broken, approved afterwards")
    assert load(pending).approved_by == cpi
