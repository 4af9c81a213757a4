"""Each condition of seeing a preview by itself: the right on both, the scope, the application, the time."""

from __future__ import annotations

import pytest
from django.test import Client
from guardian.shortcuts import assign_perm

from accounts.services import issue_token
from iep import previews
from iep.models import Application
from iep.previews import make_link
from iep.services import ensure_application, publish_files, stamp_ticket
from iep.services.change import load
from iep.types import Manifest
from tests.iep.conftest import BASE, PAGE, digest_of
from tests.iep.test_entry import NEW, is_plain, plain, stamp  # noqa: F401

pytestmark = pytest.mark.django_db
ADDRESS = "/apps/shop/?dev=TKT-001"


@pytest.mark.parametrize(
    ("held", "sees"),
    [
        (["view_tickets"], False), (["view_applications"], False), (["view_tickets", "view_applications"], True),
    ],
)  # fmt: skip
def test_both_the_ticket_and_the_application_are_the_visitors_to_see(
    stamp, plain, browse, make_user, tenant, held, sees  # noqa: F811
):  # fmt: skip
    someone = make_user("someone")
    for right in held:
        assign_perm(f"accounts.{right}", someone, tenant)
    answer = browse(someone).get(ADDRESS)
    assert (b"TKT-001" in answer.content) is sees
    assert sees or is_plain(answer, plain)


def test_a_token_needs_the_scope_to_read_applications(stamp, plain, devops):  # noqa: F811
    def ask(scope: str):
        secret = issue_token(user=devops, name=scope, scopes=[scope])[1]
        return Client().get(ADDRESS, headers={"Authorization": f"Bearer {secret}"})

    assert b"TKT-001" in ask("iep:read").content
    assert is_plain(ask("tickets:read"), plain)


@pytest.fixture
def cafe(tenant, stamp, cpi, devops) -> Application:  # noqa: F811
    """Another application, which the same ticket changes too."""
    application = ensure_application(tenant=tenant, slug="cafe", name="Cafe", page=PAGE, sign_off=False, by=cpi)
    publish_files(application=application, files=BASE, by=cpi)
    stamp_ticket(application=application, ticket=stamp.ticket, manifest=Manifest(removed=("src/nav.js",)), by=devops)
    return application


def test_links_and_cookies_are_for_one_application(cafe, stamp, browse, devops):  # noqa: F811
    plain_cafe = Client().get("/apps/cafe/")
    key = make_link(stamp=stamp, by=devops, hours=1)[0].partition("&key=")[2]
    assert b"TKT-001" in Client().get(f"{ADDRESS}&key={key}").content
    assert is_plain(Client().get(f"/apps/cafe/?dev=TKT-001&key={key}"), plain_cafe)
    client = browse(devops)
    client.cookies["iep-cafe"] = client.get(ADDRESS).cookies["iep-shop"].value
    assert client.get("/apps/cafe/").content == plain_cafe.content


def test_a_cookie_ends_after_some_hours(stamp, plain, browse, devops, monkeypatch):  # noqa: F811
    client = browse(devops)
    client.get(ADDRESS)
    assert b"TKT-001" in client.get("/apps/shop/").content
    monkeypatch.setattr(previews, "COOKIE_HOURS", 0)
    assert b"TKT-001" in client.get(ADDRESS).content
    assert client.cookies["iep-shop"].value
    assert client.get("/apps/shop/").content == plain.content


def test_nothing_of_a_preview_is_kept_or_open_to_other_sites(shop, stamp, browse, devops):  # noqa: F811
    Application.objects.filter(pk=shop.pk).update(allowed_origins=["https://other.example"])
    client, from_outside = browse(devops), {"Origin": "https://other.example"}
    client.get(ADDRESS)
    for address in ("/apps/shop/src/cart.js", "/iep/m/shop/src/cart.js"):
        answer = client.get(address, headers=from_outside)
        assert answer.content == NEW
        assert answer["Cache-Control"] == "private, no-store"
        assert "Access-Control-Allow-Origin" not in answer
        assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
        public = Client().get(address, headers=from_outside)
        assert public.content == BASE["src/cart.js"]
        assert public["Access-Control-Allow-Origin"] == "https://other.example"
    page = client.get(ADDRESS)
    assert page["Integrity-Policy"] == "blocked-destinations=(script)"
    assert page["Vary"] == "Cookie"


def test_a_revision_shows_the_files_of_then_and_not_of_now(stamp, save, browse, devops):  # noqa: F811
    save("TKT-001", {"src/cart.js": b"second", "src/nav.js": b"nav"})
    client = browse(devops)
    client.get(f"{ADDRESS}@1")
    assert client.get("/apps/shop/src/cart.js").content == NEW
    assert client.get("/apps/shop/src/nav.js").content == BASE["src/nav.js"]
    assert load(stamp).delta["src/cart.js"]["digest"] == digest_of(b"second")
