"""Chromium resolves specifiers by our maps as the reference of the standard does that other tests rest on."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Browser, Route

from iep.maps import build_document
from tests.iep.resolution import CASES, FILES, PAGE, SITE, Blocked, address, resolve

ASK = "globalThis.ask = name => { try { return import.meta.resolve(name) } catch (error) { return error.name } }"


def test_chromium_leads_where_the_standard_says(chromium: Browser):
    page = chromium.new_page()
    shown: dict[str, str] = {}

    def answer(route: Route) -> None:
        kind, body = ("text/html", shown["page"]) if route.request.url == PAGE else ("text/javascript", ASK)
        route.fulfill(body=body, content_type=kind)

    page.route(f"{SITE}/**", answer)
    found, wanted = {}, {}
    for what, own, importer, specifier, _ in CASES:
        document = json.loads(build_document("shop", FILES, own, frozenset({"src/gone.js"})))
        del document["integrity"]  # these files are made up
        text = json.dumps(document).replace("<", "\\u003c")
        module = f'<script type="module" src="{address(importer)}"></script>'
        shown["page"] = f'<!doctype html><script type="importmap">{text}</script>{module}'
        page.goto(PAGE)
        for each in (specifier, "./gone.js", "/iep/m/shop/src/gone.js", "https://cdn.example/x.js", "unknown"):
            found[what, each] = page.evaluate("name => ask(name)", each)
            wanted[what, each] = by_the_standard(document, each, address(importer))
    page.close()
    assert found == wanted
    assert "TypeError" in found.values()
    assert len(set(found.values())) > len(FILES) // 2


def by_the_standard(document: dict[str, Any], specifier: str, importer: str) -> str:
    try:
        return resolve(document, specifier, importer)
    except Blocked:
        return "TypeError"
