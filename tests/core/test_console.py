"""The frame of all pages: theme, refusals, stale pages, caching, navigation, and a strict content policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from core import charts
from core.paging import read_key
from core.templatetags.console import relative_time, spell_duration

TEMPLATES = sorted(Path(settings.BASE_DIR / "templates").rglob("*.html"))


def pages() -> list[Path]:
    return [path for path in TEMPLATES if "emails" not in path.parts]


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(settings.BASE_DIR)))
def test_no_template_has_inline_script_or_style(path):
    text = path.read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|hx-on|javascript:", text)
    assert not re.search(r"(src|href)=\"https?://", text)


def test_every_icon_that_templates_name_is_in_the_sprite():
    sprite = Path(settings.BASE_DIR / "static/icons/sprite.svg").read_text()
    drawn = set(re.findall(r'symbol id="([^"]+)"', sprite))
    named = {name for path in pages() for name in re.findall(r'{% icon "([^"]+)"', path.read_text())}
    named |= {name for path in pages() for name in re.findall(r'shape="([^"]+)"', path.read_text())}
    assert named <= drawn


def test_pages_carry_a_strict_policy_and_stay_out_of_shared_caches(browse, cpi):
    response = browse(cpi).get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "private" in response.headers["Cache-Control"]
    assert {"HX-Request", "Cookie"} <= {part.strip() for part in response.headers["Vary"].split(",")}


def test_the_theme_is_remembered_and_leads_back_to_our_own_pages_only(client, db):
    response = client.post("/theme/", {"theme": "dark", "next": "/requests/?q=x"})
    assert (response.status_code, response.headers["Location"]) == (303, "/requests/?q=x")
    assert 'data-theme="dark"' in client.get("/accounts/login/").content.decode()
    assert client.post("/theme/", {"theme": "light", "next": "https://evil.example/"}).headers["Location"] == "/"
    client.post("/theme/", {"theme": '"><script>'})
    assert 'data-theme="light"' in client.get("/accounts/login/").content.decode()
    assert client.get("/theme/").status_code == 405


def test_a_stale_page_says_what_happened_and_what_was_kept(cpi, pending):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cpi)
    response = client.post(f"/requests/{pending.number}/reject/", {"reject-reason": "Wrong evidence linked"})
    assert response.status_code == 403
    assert "nothing was changed" in response.content.decode()
    response = client.post(f"/requests/{pending.number}/reject/", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Trigger"]) == (204, "stagepass:signed-out")


def test_errors_have_pages_of_their_own(browse, cpi, viewer, client):
    assert "There is nothing here" in client.get("/nowhere/").content.decode()
    response = browse(cpi).get("/requests/PR-1999-0001/")
    assert response.status_code == 404
    assert "There is no request PR-1999-0001 that you may see." in response.content.decode()
    part = browse(cpi).get("/requests/PR-1999-0001/?part=live", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part


def test_the_page_of_a_crash_needs_nothing_that_may_be_broken():
    from django.template.loader import render_to_string

    assert "Something broke on our side" in render_to_string("500.html")
    assert "cannot be understood" in render_to_string("400.html")


def test_navigation_shows_only_what_is_installed(browse, cpi, settings):
    settings.NAVIGATION = [
        {"label": "Requests", "icon": "list", "url_name": "requests"},
        {"label": "Ghosts", "icon": "list", "url_name": "no_such_page"},
    ]
    page = browse(cpi).get("/requests/").content.decode()
    assert "Ghosts" not in page
    assert re.search(r'href="/requests/" aria-current="page"', page)


def test_the_design_page_is_for_the_demo_only(client, settings):
    assert client.get("/design/").status_code == 200
    settings.DEMO = False
    assert client.get("/design/").status_code == 404


def test_times_are_told_in_words():
    import datetime as dt

    from core.clock import now

    assert [spell_duration(seconds) for seconds in (0, 59, 60, 7200, 86_400, 2_592_000, 63_072_000)] == [
        "moments", "moments", "1 minute", "2 hours", "1 day", "1 month", "2 years",
    ]  # fmt: skip
    assert relative_time(now() - dt.timedelta(minutes=3)) == "3 minutes ago"
    assert relative_time(now() + dt.timedelta(hours=2, seconds=5)) == "in 2 hours"


def test_charts_keep_zero_apart_from_nothing():
    assert charts.bars([]) == []
    zero, full = charts.bars([0, 4])
    assert (zero["height"], full["height"]) == ("1.00", "32.00")
    assert charts.line([1]) == {"points": "", "area": ""}
    assert charts.line([0, 2])["points"] == "0.00,31.00 100.00,2.00"


@pytest.mark.parametrize(
    ("text", "key"), [("12", 12), ("", None), (None, None), ("-1", None), ("9" * 30, None), ("٣", None)]
)
def test_page_keys_that_cannot_be_are_none(text, key):
    assert read_key(text) == key
