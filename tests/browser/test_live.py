"""Two people at a real server: what one does, the other sees without a reload, also after the line was cut."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from promotions.models import Deployment
from promotions.services import deployment_started, deployment_succeeded, edit_request
from promotions.services.transition import load
from tests.conftest import content
from tests.events.live.conftest import run_server

pytestmark = pytest.mark.slow


@pytest.fixture
def server(transactional_db):
    """The whole web process, event streams included."""
    with run_server(DJANGO_SETTINGS_MODULE="config.settings.demo") as running:
        yield f"http://{running.host}"


def test_the_overview_of_an_approver_shows_a_request_without_a_reload(
    server, window, devops, cpi, target, make_request
):
    approver, requester = window(cpi, url=server), window(devops, url=server)
    with approver.expect_response("**/live*"):
        approver.goto("/")
    expect(approver.get_by_text("Nothing waits for you")).to_be_visible()
    pending = make_request()
    expect(approver.get_by_role("link", name="payment-api v2.1.0").first).to_be_visible(timeout=4_000)

    with requester.expect_response("**/live*"):
        requester.goto(f"/requests/{pending.number}/")
    approver.goto(f"/requests/{pending.number}/")
    approver.keyboard.press("a")
    approver.get_by_role("dialog").get_by_role("button", name="Approve").click()
    badge = requester.locator("#request header .badge")
    expect(badge).to_have_text("Approved", timeout=4_000)
    deployment = Deployment.objects.get()
    Deployment.objects.filter(pk=deployment.pk).update(state="launching")
    deployment_started(deployment=deployment, job_id="job-1")
    expect(badge).to_have_text("Deploying", timeout=4_000)
    deployment_succeeded(deployment=Deployment.objects.get(), result={})
    expect(badge).to_have_text("Deployed", timeout=4_000)
    expect(approver.locator("#request header .badge")).to_have_text("Deployed", timeout=4_000)


def test_what_is_being_typed_is_left_alone_until_it_is_done(server, window, devops, cpi, make_request):
    pending = make_request()
    page = window(cpi, url=server)
    with page.expect_response("**/live*"):
        page.goto(f"/requests/{pending.number}/")
    page.keyboard.press("r")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("Half a reason")
    edit_request(promotion=pending, content=content(version="2.2.0"), by=devops)
    page.wait_for_timeout(1_000)
    expect(dialog.get_by_label("Reason")).to_have_value("Half a reason")
    page.keyboard.press("Escape")
    expect(page.locator("h1")).to_have_text("payment-api v2.2.0", timeout=4_000)
    page.keyboard.press("a")
    expect(page.get_by_role("dialog")).to_contain_text(load(pending).digest[:16])


def test_a_lost_connection_is_shown_and_heals(server, window, cpi, make_request, silent):
    silent.append(r"ERR_(INTERNET_DISCONNECTED|NETWORK|CONNECTION|INCOMPLETE)|htmx:(afterRequest|sendError)")
    page = window(cpi, url=server)
    with page.expect_response("**/live*"):
        page.goto("/requests/")
    page.context.set_offline(True)
    page.evaluate(
        "window.dispatchEvent(new Event('pagehide')); window.dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"
    )
    expect(page.locator("#connection")).to_contain_text("Connection lost", timeout=8_000)
    make_request(target_name="made-meanwhile")
    page.context.set_offline(False)
    expect(page.locator("#connection")).to_be_hidden(timeout=20_000)
    expect(page.get_by_role("link", name="made-meanwhile v2.1.0", exact=True)).to_be_visible(timeout=4_000)


def test_news_of_others_come_as_a_toast(server, window, devops, cpi, make_request):
    page = window(cpi, url=server)
    with page.expect_response("**/live*"):
        page.goto("/profile/")
    pending = make_request()
    expect(page.locator("#toasts")).to_contain_text("asks for approval", timeout=4_000)
    page.locator("#toasts a").click()
    expect(page.locator(".id").first).to_have_text(pending.number)
