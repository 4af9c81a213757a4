"""Chromium looks at the pages: signed-in windows that fail on any word in the console, pictures for people to look at."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from accounts.models import User

SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PICTURES = Path(settings.BASE_DIR) / "var" / "screenshots"
WIDE, NARROW = 1440, 390


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Gone with the last test of this folder: as long as Playwright runs, its loop runs in the tests' thread."""
    program = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if program is None:
        pytest.skip("no Chromium found: install it or set CHROMIUM")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Django would take the thread of Playwright's loop for asynchronous code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def silent() -> list[str]:
    """Patterns of words that a test expects in the console."""
    return [r"status of (403|404|422)"]


@pytest.fixture
def window(chromium, live_server, silent) -> Iterator[Callable[..., Page]]:
    """Opens a window for a person (None: nobody signed in); at the end its console must have stayed silent."""
    contexts, words = [], []

    def open_window(
        user: User | None = None, *, width: int = WIDE, theme: str = "light", javascript: bool = True, url: str = ""
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, java_script_enabled=javascript,
            base_url=url or live_server.url, reduced_motion="reduce",
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(10_000)
        if user is not None:
            client = Client()
            client.force_login(user)
            context.add_cookies(
                [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url or live_server.url}]
            )
        page = context.new_page()
        page.on("console", lambda message: words.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: words.append(f"error: {error}"))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert [word for word in words if not re.search("|".join(silent), word)] == []


@pytest.fixture
def picture(request) -> Callable[[Page, str], None]:
    """Keeps what a page looks like under var/screenshots/."""

    def take(page: Page, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=True)

    return take


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
