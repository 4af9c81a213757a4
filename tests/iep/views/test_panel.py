"""The control panel: what QA sees, and what a click does."""

from __future__ import annotations

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from iep.models import Application, Judgement
from iep.services import promote_stamp
from iep.services.change import load
from tests.api import call_as
from tests.iep.conftest import BASE, digest_of, production

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "<b>new</b>";'


@pytest.fixture
def stamp(save):
    return save("TKT-001", {"src/cart.js": NEW}).stamp


def test_the_list_and_the_stages(stamp, browse, viewer, outsider):
    text = browse(viewer).get("/iep/").content.decode()
    assert "/iep/shop/" in text
    assert "No applications yet" in browse(outsider).get("/iep/").content.decode()
    page = browse(viewer).get("/iep/shop/").content.decode()
    assert "TKT-001" in page
    assert "/apps/shop/?dev=TKT-001" in page
    assert browse(outsider).get("/iep/shop/").status_code == 404
    assert browse(outsider).get("/iep/shop/TKT-001/").status_code == 404


def test_a_ticket_shows_old_and_new_side_by_side(stamp, browse, viewer):
    page = browse(viewer).get("/iep/shop/TKT-001/").content.decode()
    assert "&lt;b&gt;new&lt;/b&gt;" in page
    assert "&quot;old&quot;" in page
    assert "<b>new</b>" not in page
    assert "Ask someone whose does" in page, "a button that may not be used says why"


def test_clicks_bring_it_to_production_and_back(stamp, shop, browse, devops, cpi):
    person = browse(cpi)
    form = person.get("/iep/shop/TKT-001/promote/")
    assert "Promote TKT-001 to QA?" in form.content.decode()
    answer = person.post("/iep/shop/TKT-001/promote/", {"revision": "1", "production": "1"})
    assert (answer.status_code, answer["Location"]) == (303, "/iep/shop/TKT-001/")
    person.post("/iep/shop/TKT-001/promote/", {"revision": "1", "production": "1"})
    assert production(shop)["src/cart.js"] == digest_of(NEW)
    person.post("/iep/shop/TKT-001/revert/", {"message": "It breaks"})
    assert production(shop)["src/cart.js"] == digest_of(BASE["src/cart.js"])
    assert "Taken out of production" in person.get("/iep/shop/TKT-001/").content.decode()


def test_what_changed_since_it_was_read_is_not_promoted(stamp, save, browse, cpi):
    save("TKT-001", {"src/nav.js": b"nav"})
    answer = browse(cpi).post("/iep/shop/TKT-001/promote/", {"revision": "1", "message": "my words"})
    assert answer.status_code == 422
    assert "my words" in answer.content.decode()
    assert load(stamp).stage == "dev"


def test_a_conflict_is_settled_on_the_page(stamp, release, browse, devops):
    release("TKT-002", {"src/cart.js": b"theirs"})
    person = browse(devops)
    assert "Production has another src/cart.js" in person.get("/iep/shop/TKT-001/").content.decode()
    assert person.post("/iep/shop/TKT-001/rebase/", {"revision": "1"}).status_code == 422
    assert person.post("/iep/shop/TKT-001/rebase/", {"revision": "1", "side-0": "mine"}).status_code == 303
    assert promote_stamp(stamp=load(stamp), by=devops).stamp.stage == "qa"


def test_the_tickets_page_shows_its_modules(stamp, browse, viewer):
    page = browse(viewer).get("/tickets/TKT-001/").content.decode()
    assert "/iep/shop/TKT-001/" in page
    assert "1 module" in page


@pytest.mark.parametrize("address", ["/iep/", "/iep/shop/", "/iep/shop/TKT-001/"])
def test_pages_cost_the_same_at_any_size(save, stamp, release, browse, viewer, address):
    person = browse(viewer)

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            assert person.get(address).status_code == 200
        return len(found)

    count()
    few = count()
    for number in range(2, 8):
        save(f"TKT-{number:03}", {"src/cart.js": f"{number}".encode()})
    release("TKT-100", {"src/other.js": b"x"})
    assert count() <= few + 1
    assert few <= 14


def test_a_link_is_made_on_the_page_and_opens_without_an_account(stamp, browse, devops, viewer):
    person = browse(devops)
    person.post("/iep/shop/TKT-001/share/", {})
    page = person.get("/iep/shop/TKT-001/").content.decode()
    address = html.unescape(re.search(r'class="small iep-link" href="([^"]+)"', page)[1])
    assert digest_of(NEW) in Client().get(address[address.index("/apps/") :]).content.decode()
    assert "iep-link" not in browse(viewer).get("/iep/shop/TKT-001/").content.decode()
    assert browse(viewer).post("/iep/shop/TKT-001/share/", {}).status_code == 422


def test_several_tickets_are_looked_at_together(stamp, save, browse, devops, outsider):
    save("TKT-002", {"src/cart.js": b"other"})
    person = browse(devops)
    assert 'name="ticket" value="TKT-002"' in person.get("/iep/shop/").content.decode()
    sent = person.get("/iep/shop/together/?ticket=TKT-001&ticket=TKT-002")
    assert sent["Location"].endswith("/apps/shop/?preview=TKT-001,TKT-002")
    shown = person.get("/apps/shop/?preview=TKT-001,TKT-002").content.decode()
    assert "1 conflict" in shown
    assert "both change src/cart.js" in shown
    page = person.get("/iep/shop/TKT-001/").content.decode()
    assert "/apps/shop/?preview=TKT-001,TKT-002" in page, "a conflict leads to both"
    assert browse(outsider).get("/iep/shop/together/?ticket=TKT-001").status_code == 404
    assert person.get("/iep/shop/together/?ticket=TKT-999").status_code == 404
    assert person.get("/iep/shop/together/")["Location"] == "/iep/shop/"


def test_the_ticket_shows_what_policies_said(stamp, browse, devops, settings):
    Application.objects.update(policies=["not there"])
    page = browse(devops).post("/iep/shop/TKT-001/promote/", {"revision": "1"})
    assert page.status_code == 422
    text = browse(devops).get("/iep/shop/TKT-001/").content.decode()
    assert "Not there" in text
    assert "which counts as no" in text
    again = call_as(devops).post("/v1/iep/applications/shop/stamps/TKT-001/promote", {}, Idempotency_Key="once")
    assert again.status_code == 422
    assert Judgement.objects.count() == 2, "kept where the answer is kept, although the rest is undone"
    told = call_as(devops).get("/v1/iep/applications/shop/stamps/TKT-001").json()["judgement"]
    assert (told["allowed"], told["target"], told["verdicts"][0]["policy"]) == (False, "qa", "not there")
