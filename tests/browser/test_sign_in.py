"""Signing in by other ways than a password alone: single sign-on at a provider, and a second factor."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.socialaccount.models import SocialAccount
from playwright.sync_api import expect

from accounts.models import User
from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.test_every_page import violations
from tests.conftest import PASSWORD
from tests.fakes.oidc import CLIENT, SECRET, running_provider


@pytest.fixture
def provider(settings):
    """Single sign-on as the environment variables would configure it."""
    with running_provider() as provider:
        app = {
            "provider_id": "sso", "name": "Example ID", "client_id": CLIENT, "secret": SECRET,
            "settings": {"server_url": provider.url},
        }  # fmt: skip
        github = {"APPS": [{"client_id": "x", "secret": "y"}]}
        settings.SOCIALACCOUNT_PROVIDERS = {
            "openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}, "github": github,
        }  # fmt: skip
        yield provider


@pytest.fixture
def silent(silent):
    return [*silent, r"status of 401", r"Password forms should have"]


def code_of(secret: str) -> str:
    """What an authenticator app shows now."""
    counter = next(iter(yield_hotp_counters_from_time()))
    return str(format_hotp_value(hotp_value(secret, counter)))


@pytest.mark.parametrize(("width", "theme"), [(WIDE, "light"), (NARROW, "dark")])
def test_single_sign_on_leads_to_the_provider_and_back_and_gives_no_rights(
    width, theme, window, provider, db, picture, tenant
):
    page = window(width=width, theme=theme)
    page.goto("/accounts/login/?next=/requests/")
    expect(page.get_by_role("link", name="Continue with GitHub")).to_be_visible()
    assert violations(page) == []
    picture(page, f"sign-in-with-providers-{width}-{theme}")
    page.get_by_role("link", name="Continue with Example ID").click()
    expect(page.get_by_role("heading", name="Sign in with Example ID")).to_be_visible()
    assert violations(page) == []
    assert overflow(page) <= 0
    picture(page, f"single-sign-on-{width}-{theme}")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Provider")).to_be_visible()
    assert (provider.asked[0]["code_challenge_method"], len(provider.asked[0]["state"]) > 10) == ("S256", True)
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page).to_have_url(re.compile(r"/requests/$"))
    person = User.objects.get(email="new.person@example.com")
    assert (person.get_full_name(), person.memberships.count(), person.is_staff) == ("New Person", 0, False)
    assert not person.has_usable_password()
    expect(page.locator("main")).to_contain_text("No requests yet")


def test_an_address_that_somebody_has_already_is_not_taken_over(window, provider, cpi):
    provider.person = {"sub": "4712", "email": cpi.email, "name": "Not Cpi"}
    page = window()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page.locator("main")).to_be_visible()
    assert not SocialAccount.objects.filter(user=cpi).exists()
    page.goto("/requests/")
    expect(page).to_have_url(re.compile("/accounts/login/"))


@pytest.mark.parametrize("behaviour", ["refuse", "broken"])
def test_a_provider_that_says_no_leads_to_a_page_that_says_so(behaviour, window, provider, db, picture):
    provider.behaviour = behaviour
    page = window()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert violations(page) == []
    picture(page, f"single-sign-on-{behaviour}")
    page.get_by_role("link", name="Back to sign in").click()
    expect(page.get_by_label("Password")).to_be_visible()


def sign_in(page, person: User) -> None:
    page.goto("/accounts/login/?next=/requests/")
    page.get_by_label("Email").fill(person.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(re.compile("/requests/|/2fa/"))


def test_a_second_factor_is_enrolled_and_then_asked_for(window, cpi, picture):
    page = window()
    sign_in(page, cpi)
    page.goto("/profile/")
    page.get_by_role("link", name="Second factor").click()
    page.get_by_role("link", name="Activate").first.click()
    if page.get_by_role("heading", name="Confirm Access").is_visible():
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
    picture(page, "second-factor-enrol")
    secret = page.get_by_label("Authenticator secret").input_value()
    assert violations(page) == []
    picture(page, "second-factor-enrol")
    page.get_by_label("Authenticator code").fill("000000")
    page.get_by_role("button", name="Activate").click()
    expect(page.locator(".field__error").first).to_be_visible()
    assert page.get_by_label("Authenticator secret").input_value() == secret
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("Recovery Codes", exact=False).first).to_be_visible()
    assert violations(page) == []
    picture(page, "second-factor-enrolled")

    other = window(width=NARROW, theme="dark")
    sign_in(other, cpi)
    expect(other).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    assert violations(other) == []
    assert overflow(other) <= 0
    picture(other, "second-factor-asked")
    other.goto("/requests/")
    expect(other).to_have_url(re.compile("/accounts/2fa/authenticate/"))
    field = other.locator("input[name=code]")
    field.fill("123456")
    other.get_by_role("button", name="Sign In", exact=True).click()
    expect(other.locator(".field__error").first).to_be_visible()
    # A code works once: the one that enrolled is spent until the clock shows another.
    moment = time.time() + 30
    counter = int(moment // 30)
    field.fill(str(format_hotp_value(hotp_value(secret, counter))))
    other.get_by_role("button", name="Sign In", exact=True).click()
    expect(other).to_have_url(re.compile(r"/requests/$"))


def test_strangers_of_a_public_provider_get_no_account_and_colleagues_connect_theirs(window, provider, cpi, settings):
    """As if the provider were GitHub: there anybody may have an account."""
    settings.SOCIALACCOUNT_ADAPTER = "allauth.socialaccount.adapter.DefaultSocialAccountAdapter"
    page = window()
    page.goto("/accounts/login/")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page.get_by_role("heading", name="No account yet")).to_be_visible()
    assert User.objects.count() == 1

    page = window(cpi)
    page.goto("/profile/")
    page.get_by_role("link", name="Connected accounts").click()
    assert violations(page) == []
    page.get_by_role("link", name="Continue with Example ID").click()
    expect(page.get_by_role("heading", name="Connect Example ID")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page).to_have_url(re.compile("/accounts/3rdparty/"))
    assert SocialAccount.objects.get().user == cpi

    page = window()
    page.goto("/accounts/login/?next=/profile/")
    page.get_by_role("link", name="Continue with Example ID").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Yes, it is me").click()
    expect(page.get_by_role("heading", name="Cpi")).to_be_visible()
