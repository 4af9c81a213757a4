"""The sixteen faults of the system that this one follows, each as it must never come back.

Nine more are told where their subject is: 1, 6 and 14 in test_life.py, 5 and 8 in test_api.py, 9 in test_policies.py,
10 and 11 in test_entry.py; 3, 4 and 7 are here too, as short as they can be said.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils.module_loading import import_string

from events.models import DomainEvent
from iep import maps
from iep.maps import address_of
from iep.services import close_stamp, promote_stamp, reopen_stamp, revert_stamp
from iep.services.change import load
from tests.api import assert_problem, call_as
from tests.iep.conftest import BASE, digest_of, production

pytestmark = pytest.mark.django_db
STAMP = "/v1/iep/applications/shop/stamps/TKT-001"
NEW = b'export const cart = "new";'


def test_fault_2_in_production_is_what_says_so(shop, save, cpi):
    """Two promotions, with nothing that only another program would send, and everybody has the ticket's file."""
    save("TKT-001", {"src/cart.js": NEW})
    before = Client().get("/iep/shop/map.json").content
    stages = [call_as(cpi).post(f"{STAMP}/promote", {}).json()["stage"] for _ in range(2)]
    assert stages == ["qa", "prod"]
    assert production(shop)["src/cart.js"] == digest_of(NEW)
    after = Client().get("/iep/shop/map.json").content
    assert after != before
    assert digest_of(NEW).encode() in after


def test_fault_3_a_release_keeps_the_releases_before_it(shop, save, devops, cpi):
    """Both began on the same production; the second copied all of it, and the first was lost."""
    cart, nav = save("TKT-001", {"src/cart.js": NEW}).stamp, save("TKT-002", {"src/nav.js": b"nav 2"}).stamp
    for stamp in (cart, nav):
        promote_stamp(stamp=stamp, by=devops)
        promote_stamp(stamp=load(stamp), by=cpi)
    assert (production(shop)["src/cart.js"], production(shop)["src/nav.js"]) == (digest_of(NEW), digest_of(b"nav 2"))


def test_fault_4_taking_back_takes_back_that_ticket_alone(shop, release, cpi):
    """It gave the ticket a copy of the head, and where a later release had copied the files they stayed live."""
    first = release("TKT-001", {"src/cart.js": NEW})
    release("TKT-002", {"src/nav.js": b"nav 2"})
    stamp = revert_stamp(stamp=load(first), by=cpi)
    assert stamp.stage == "qa"
    assert set(stamp.delta) == {"src/cart.js"}
    assert production(shop)["src/cart.js"] == digest_of(BASE["src/cart.js"])
    assert production(shop)["src/nav.js"] == digest_of(b"nav 2")


def test_fault_7_no_name_leads_out_of_the_application(shop, devops):
    """Names were joined to a folder as they came, on writing and on reading."""
    for path in ("../x.js", "src/../../x.js", "/etc/x.js", "src\\..\\x.js", "%2e%2e/x.js", "src/./x.js", "src//x.js"):
        sent = {"files": [{"path": path, "digest": digest_of(NEW), "size": len(NEW)}]}
        assert_problem(call_as(devops).post(STAMP, sent), 400, "invalid")
    for path in ("..%2f..%2fmanage.py", "%2e%2e/%2e%2e/manage.py", "../../pyproject.toml", "....//x.js"):
        assert Client().get(f"/iep/m/shop/{path}").status_code == 404
        assert b"django" not in Client().get(f"/apps/shop/{path}").content.lower()


def test_fault_12_no_shared_cache_ever_keeps_a_ticket(shop, save, browse, devops):
    """Nothing said what might be cached, so a cache in between would have served one ticket's sources to all."""
    save("TKT-001", {"src/cart.js": NEW})
    client = browse(devops)
    kept = {
        "/apps/shop/": "no-cache", "/iep/shop/map.json": "no-cache", "/iep/m/shop/src/cart.js": "no-cache",
    }  # fmt: skip
    for address, expected in kept.items():
        assert Client().get(address)["Cache-Control"] == expected, address
    for address in ("/apps/shop/", "/iep/shop/map.json", "/iep/shop/map.js", "/iep/shop/resolve"):
        answer = client.get(f"{address}?dev=TKT-001")
        assert answer["Cache-Control"] == "private, no-store", address
    for address in ("/apps/shop/", "/iep/m/shop/src/cart.js"):  # now by the cookie, at the address of everyone
        answer = client.get(address)
        assert NEW in answer.content or digest_of(NEW).encode() in answer.content
        assert (answer["Cache-Control"], "Cookie" in answer["Vary"]) == ("private, no-store", True), address


def test_fault_13_a_preview_leaves_no_process_behind(shop, save, browse, devops):
    """Every ticket had a child process that rendered for it, and that nobody ever ended."""
    client = browse(devops)
    client.get("/apps/shop/")
    before = (children(), threading.active_count())
    for number in range(1, 9):
        save(f"TKT-{number}", {"src/cart.js": NEW + str(number).encode()})
        assert client.get(f"/apps/shop/?dev=TKT-{number}").status_code == 200
    assert (children(), threading.active_count()) == before


def children() -> int:
    tasks = Path(f"/proc/{os.getpid()}/task")
    if not tasks.exists():
        pytest.skip("only Linux tells its children")
    return sum(len((task / "children").read_text().split()) for task in tasks.iterdir())


def test_fault_15_maps_have_scopes_and_integrity_and_every_step_a_fact(shop, save, devops, cpi):
    """None of them was there, nor any test."""
    specifiers = b'{"imports": {"dep": "./vendor/dep.js"}, "scopes": {"./src/": {"dep": "./src/nav.js"}}}'
    stamp = save("TKT-001", {"importmap.json": specifiers}).stamp
    promote_stamp(stamp=stamp, by=devops)
    promote_stamp(stamp=load(stamp), by=cpi)
    document = Client().get("/iep/shop/map.json").json()
    nav = address_of("shop", "src/nav.js", digest_of(BASE["src/nav.js"]))
    assert document["scopes"] == {"/iep/m/shop/src/": {"dep": nav}}
    assert document["integrity"][nav] == maps.integrity_of(digest_of(BASE["src/nav.js"]))
    assert set(document["integrity"]) >= {address for address in document["imports"].values() if address}
    revert_stamp(stamp=load(stamp), by=cpi)
    revert_stamp(stamp=load(stamp), by=devops)
    close_stamp(stamp=load(stamp), by=devops)
    facts = DomainEvent.objects.filter(type__startswith="stamp.").order_by("sequence")
    steps = ["opened", "promoted", "released", "taken_back", "reverted", "closed"]
    assert [(fact.type, bool(fact.actor_label)) for fact in facts] == [(f"stamp.{step}", True) for step in steps]


def test_fault_16_what_is_promised_is_there(shop, save, browse, devops):
    """Sign-offs, sanity checks, a panel, reopening, plug-ins: written in its README, in no file."""
    wanted = {"git ancestry", "digests match commit", "signed manifest", "sanity command", "sign-off", "freeze window"}
    assert wanted <= settings.IEP_POLICIES.keys()
    plugins = (settings.IEP_POLICIES, settings.IEP_SIGN_OFFS, {"import maps": settings.DEPLOYERS["import maps"]})
    for name, entry in ((name, entry) for table in plugins for name, entry in table.items()):
        assert import_string(entry["BACKEND"])(**entry.get("OPTIONS", {})), name
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    close_stamp(stamp=stamp, by=devops)
    again = reopen_stamp(stamp=load(stamp), by=devops)
    assert (again.stage, set(again.delta)) == ("dev", {"src/cart.js"})
    for address in ("/iep/", "/iep/shop/", "/iep/shop/TKT-001/"):
        assert browse(devops).get(address).status_code == 200
