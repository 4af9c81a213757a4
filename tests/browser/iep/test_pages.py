"""The pages of import maps and of the shop: accessible, and fitting every window."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import expect

from iep.models import Application, SigningKey, Stamp
from iep.services import (
    add_signing_key,
    promote_stamp,
    revoke_signing_key,
    stamp_ticket,
    store_blob,
    ticket_for,
)
from iep.services.judgements import keep_judgement
from iep.types import File, Manifest, Outcome, Verdict
from tests.browser.conftest import NARROW, WIDE, overflow
from tests.browser.iep.conftest import ABOUT, BANNER, STYLES
from tests.browser.test_every_page import violations
from tests.iep.test_signing import document, hand_in

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_pages_of_import_maps_are_accessible_and_fit(shop, window, picture, devops, cpi):
    """Every kind of page: the list, an application, tickets in each stage with every kind of change, the dialogs."""
    changes = {BANNER: b"export const WORDS = 1;\n" + b"long " * 80, ABOUT: None, "src/lib/new.js": b"export {};\n"}
    stamped(shop, devops, "TKT-001", changes)
    stamped(shop, devops, "TKT-002", {BANNER: b"export const WORDS = 2;\n", "src/lib/money.js": b"\x00"})
    in_qa = stamped(shop, devops, "TKT-003", {STYLES: b"body { margin: 0 }\n"})
    keep_judgement(in_qa, "qa", devops, [Verdict("style", outcome, "Three long lines.") for outcome in Outcome])
    promote_stamp(stamp=in_qa, by=devops)
    released = promote_stamp(stamp=stamped(shop, devops, "TKT-004", {"src/app.js": b"// none\n"}), by=devops).stamp
    promote_stamp(stamp=released, by=cpi)
    stamped(shop, devops, "TKT-005", {})
    addresses = ["/iep/", "/iep/shop/", *(f"/iep/shop/TKT-00{number}/" for number in range(1, 6))]
    addresses += [f"/iep/shop/TKT-003/{verb}/" for verb in ("promote", "revert", "close")]
    addresses += ["/iep/shop/TKT-002/share/", "/iep/login/?code=WDJB-MJHT"]
    for width, theme in ((WIDE, "light"), (NARROW, "dark")):
        page = window(devops, width=width, theme=theme)
        for number, address in enumerate(addresses):
            page.goto(address)
            assert violations(page) == [], address
            assert overflow(page) == 0, f"{address} at {width}"
            if number in {1, 2, 4}:
                picture(page, f"iep-{number}-{width}-{theme}")


def test_the_page_of_build_servers_is_accessible_and_fits(shop, window, picture, devops, cpi):
    signer, old = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    for name, each in (("GitHub Actions of org/shop", signer), ("Jenkins until the move to the new site", old)):
        add_signing_key(application=shop, name=name, public_key=each.public_key().public_bytes_raw().hex(), by=cpi)
        checks = {"staging tests": {"passed": each is signer, "detail": "412 tests"}, "security scan": {"passed": True}}
        hand_in(shop, devops, document({"dist/a.js": b"a"}, checks=checks), each)
    revoke_signing_key(key=SigningKey.objects.get(name__startswith="Jenkins"), by=cpi)
    for width, theme in ((WIDE, "light"), (NARROW, "dark"), (NARROW, "light"), (WIDE, "dark")):
        page = window(cpi, width=width, theme=theme)
        page.goto("/iep/shop/signatures/")
        page.get_by_text("Trust no more").click()
        assert violations(page) == []
        assert overflow(page) == 0
        picture(page, f"iep-signatures-{width}-{theme}")
    page.get_by_role("button", name="Trust it").click()
    assert page.get_by_text("This field is required").count() == 2
    page.get_by_text("Trust no more").click()
    page.get_by_role("button", name="Revoke GitHub Actions of org/shop").click()
    page.get_by_text("signed is trusted no more").wait_for()
    assert page.get_by_role("button", name="Revoke").count() == 0


def stamped(shop: Application, by: Any, key: str, files: dict[str, bytes | None]) -> Stamp:
    present = {path: content for path, content in files.items() if content is not None}
    listed = [File(path, hashlib.sha256(content).hexdigest(), len(content)) for path, content in present.items()]
    for file in listed:
        store_blob(application=shop, digest=file.digest, chunks=[present[file.path]], by=by)
    manifest = Manifest(files=tuple(listed), removed=tuple(files.keys() - present.keys()))
    return stamp_ticket(
        application=shop, ticket=ticket_for(application=shop, key=key, by=by), manifest=manifest, by=by
    ).stamp


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_shop_on_a_small_screen_and_in_the_dark(server, window, picture, theme):
    page = window(url=server, width=NARROW, theme=theme)
    page.goto("/apps/shop/")
    expect(page.get_by_role("listitem")).to_have_count(8)
    assert overflow(page) == 0
    page.get_by_role("link", name="Tarn tent").click()
    page.get_by_role("button", name="Put into the basket").click()
    page.get_by_role("link", name="Basket, 1 thing").click()
    expect(page.locator("#total")).to_have_text("€329.00")
    assert overflow(page) == 0
    picture(page, f"shop-basket-{theme}")
