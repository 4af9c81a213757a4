"""Upload and promote over REST: everything is checked before anything is stored."""

from __future__ import annotations

import base64

import pytest
from django.core.files.storage import storages

from iep.models import Blob, Stamp
from tests.api import assert_problem, call_as
from tests.iep.conftest import BASE, digest_of

pytestmark = pytest.mark.django_db
APP = "/v1/iep/applications/shop"
STAMP = f"{APP}/stamps/TKT-001"
NEW = b'export const cart = "new";'


def entry(path: str, content: bytes, *, inline: bool = False) -> dict:
    extra = {"content": base64.b64encode(content).decode()} if inline else {}
    return {"path": path, "digest": digest_of(content), "size": len(content), **extra}


def put(caller, content: bytes, digest: str = "", **headers: str):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.client.generic(
        "PUT", f"{APP}/blobs/{digest or digest_of(content)}", data=content, content_type="application/octet-stream",
        headers=caller.headers | names,
    )  # fmt: skip


@pytest.fixture
def caller(shop, devops):
    return call_as(devops)


def test_manifest_first_then_the_missing_bytes_then_the_manifest_again(caller):
    body = {"files": [entry("src/cart.js", NEW), entry("src/nav.js", BASE["src/nav.js"])]}
    problem = assert_problem(caller.post(STAMP, body), 409, "missing_blobs")
    assert problem["missing"] == [digest_of(NEW)], "what production has is known"
    assert put(caller, NEW).status_code == 201
    assert put(caller, NEW).status_code == 200
    answer = caller.post(STAMP, body)
    assert answer.status_code == 201
    assert answer["ETag"] == '"1"'
    stamp = answer.json()
    assert (stamp["stage"], stamp["changed"], stamp["unchanged"]) == ("dev", ["src/cart.js"], 1)
    assert stamp["preview_url"].endswith("/apps/shop/?dev=TKT-001")
    assert stamp["changes"][0] | {"digest": 0, "before": 0} == {
        "path": "src/cart.js", "change": "modified", "digest": 0, "before": 0, "size": len(NEW), "conflict": None,
    }  # fmt: skip


def test_a_small_save_takes_one_request(caller):
    assert caller.post(STAMP, {"files": [entry("src/cart.js", NEW, inline=True)]}).status_code == 201


def test_an_unchanged_tree_takes_one_request(caller):
    tree = {"mode": "tree", "complete_under": [""], "files": [entry(path, content) for path, content in BASE.items()]}
    assert caller.post(STAMP, tree).json()["changes"] == []


def test_if_match_and_repeats(caller):
    body = {"files": [entry("src/cart.js", NEW, inline=True)]}
    first = caller.post(STAMP, body, If_Match='"0"', Idempotency_Key="save-1")
    again = caller.post(STAMP, body, If_Match='"0"', Idempotency_Key="save-1")
    assert (first.status_code, again.status_code, again["Idempotency-Replayed"]) == (201, 201, "true")
    problem = assert_problem(caller.post(STAMP, body, If_Match='"0"'), 412, "revision_conflict")
    assert problem["revision"] == 1
    assert_problem(caller.post(STAMP, body, If_Match="seven"), 400, "invalid", "If-Match")


BAD_PATHS = [
    "../x.js", "/etc/x.js", "a/../x.js", "a//x.js", "./x.js", ".git/x.js", "a\\x.js", "a\x00.js", "x.html", "x.svg", "x.xml",
    "x.htm", "%2e%2e/x.js", "a~b.js", "x", "", "x.js.", " x.js", "a" * 600 + ".js", "con.js", "cafe\u0301.js",
    "a\u202egpj.js", "a?b.js", "a#b.js", "x.js/", "src/x.JS:evil.js",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS)
def test_hostile_names_are_refused_and_nothing_is_stored(caller, path):
    """Faults 7 of the original: path escapes on write and on read."""
    fine = b"fine"
    body = {"files": [entry("src/fine.js", fine), entry(path, NEW)]}
    problem = assert_problem(caller.post(STAMP, body), 400, "invalid")
    assert "files[1].path" in [error["field"] for error in problem["errors"]]
    assert not Stamp.objects.exists()


def test_twins_are_refused(caller):
    twins = {"files": [entry("src/New.js", NEW, inline=True), entry("src/new.js", NEW, inline=True)]}
    assert_problem(caller.post(STAMP, twins), 400, "invalid")
    assert_problem(caller.post(STAMP, {"files": [entry("src/Cart.js", NEW, inline=True)]}), 400, "invalid")
    assert not Stamp.objects.exists()


def test_bytes_are_checked_as_they_come(caller):
    assert_problem(put(caller, NEW, digest_of(b"other")), 400, "wrong_digest")
    assert_problem(put(caller, NEW, "xyz"), 400, "invalid", "digest")
    wrong = base64.b64encode(b"\x00" * 32).decode()
    assert_problem(put(caller, NEW, Content_Digest=f"sha-256=:{wrong}:"), 400, "wrong_digest")
    assert_problem(put(caller, NEW, Content_Digest="md5=:x:"), 400, "invalid", "Content-Digest")
    right = base64.b64encode(bytes.fromhex(digest_of(NEW))).decode()
    before = Blob.objects.count()
    assert not storages["blobs"].exists(f"{digest_of(NEW)[:2]}/{digest_of(NEW)[2:4]}/{digest_of(NEW)}")
    assert put(caller, NEW, Content_Digest=f"sha-256=:{right}:").status_code == 201
    assert Blob.objects.count() == before + 1


def test_a_file_has_a_largest_size(caller, monkeypatch):
    for place in ("iep.storage", "iep.api.blobs"):
        monkeypatch.setattr(f"{place}.MAX_BYTES", 10)
    assert_problem(put(caller, b"x" * 11), 413, "too_large")
    assert put(caller, b"").status_code == 201, "an empty file is one"


def test_inline_bytes_are_checked_too(caller):
    bad = entry("src/cart.js", NEW) | {"content": base64.b64encode(b"else").decode()}
    assert_problem(caller.post(STAMP, {"files": [bad]}), 400, "invalid", "files[0].digest")
    assert_problem(caller.post(STAMP, {"files": [entry("src/cart.js", NEW) | {"content": "%%%"}]}), 400, "invalid")
    lying = entry("src/cart.js", NEW, inline=True) | {"size": 3}
    assert_problem(caller.post(STAMP, {"files": [lying]}), 400, "invalid", "files[0].size")
    assert not Stamp.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["no json", "[]", '{"imports": {"x": "https://evil.example/x.js"}}', '{"imports": {"x": "./../x.js"}}',
     '{"imports": {"x/": "./src"}}', '{"imports": [], "scopes": {}}', '{"integrity": {}}', '{"scopes": {"/": {}}}'],
)  # fmt: skip
def test_specifiers_lead_into_the_application_only(caller, text):
    answer = caller.post(STAMP, {"files": [entry("importmap.json", text.encode(), inline=True)]})
    assert_problem(answer, 400, "invalid", "importmap.json")
    assert not Stamp.objects.exists()


def test_the_verbs(caller, cpi, shop):
    caller.post(STAMP, {"files": [entry("src/cart.js", NEW, inline=True)]})
    check = caller.post(f"{STAMP}/check").json()
    assert (check["next"], check["allowed"]) == ("qa", True)
    assert caller.post(f"{STAMP}/promote").json()["stage"] == "qa"
    assert_problem(caller.post(STAMP, {"files": [entry("src/nav.js", NEW, inline=True)]}), 423, "not_in_dev")
    assert_problem(caller.post(f"{STAMP}/promote"), 403, "not_authorized")
    other = call_as(cpi)
    released = other.post(f"{STAMP}/promote", {}, If_Match_Production='"1"').json()
    assert (released["stage"], released["release"]["revision"]) == ("prod", 2)
    assert caller.get(f"{APP}/releases").json()[0]["ticket"] == "TKT-001"
    assert_problem(other.post(f"{STAMP}/revert", {}, If_Match_Production='"1"'), 412, "production_moved")
    assert other.post(f"{STAMP}/revert", {"reason": "oops"}).json()["stage"] == "qa"
    assert caller.post(f"{STAMP}/revert").json()["stage"] == "dev"
    assert caller.post(f"{STAMP}/close").json()["stage"] == "closed"
    assert [s["ticket"] for s in caller.get(f"{APP}/stamps?stage=closed").json()] == ["TKT-001"]
    assert caller.get(f"{APP}/stamps").json() == []
    assert caller.post(f"{STAMP}/reopen").json()["stage"] == "dev"
    history = [step["fact"] for step in caller.get(f"{STAMP}/history").json()]
    assert history[:3] == ["stamp.opened", "stamp.promoted", "stamp.released"]
    assert caller.get(f"{APP}").json()["production_revision"] == 3


def test_lists_filter_by_stage(caller):
    """Fault 5 of the original: filtering by stage found nothing."""
    caller.post(STAMP, {"files": [entry("src/cart.js", NEW, inline=True)]})
    caller.post(f"{STAMP}/promote")
    assert [s["ticket"] for s in caller.get(f"{APP}/stamps?stage=qa").json()] == ["TKT-001"]
    assert caller.get(f"{APP}/stamps?stage=dev").json() == []
    assert_problem(caller.get(f"{APP}/stamps?stage=moon"), 400, "invalid", "stage")


def test_a_diff_shows_both_sides(caller):
    caller.post(STAMP, {"files": [entry("src/cart.js", NEW, inline=True)]})
    diff = caller.get(f"{STAMP}/diff?path=src/cart.js").json()
    assert (diff["before"]["text"], diff["after"]["text"]) == (BASE["src/cart.js"].decode(), NEW.decode())


def test_other_tenants_see_nothing(caller, outsider):
    """Fault 8 of the original: no log-in, no rights."""
    caller.post(STAMP, {"files": [entry("src/cart.js", NEW, inline=True)]})
    stranger = call_as(outsider)
    for path in (APP, STAMP, f"{APP}/modules", f"{APP}/blobs/{digest_of(NEW)}"):
        assert_problem(stranger.get(path), 404, "not_found")
    assert_problem(stranger.post(STAMP, {"files": []}), 404, "not_found")
    assert stranger.get("/v1/iep/applications").json() == []


def test_the_log_in_of_a_program(client, browse, devops, db):
    begun = client.post(
        "/v1/iep/login", {"client": "stamp"}, content_type="application/json", headers={"Idempotency-Key": "x"}
    ).json()
    ask = lambda: client.post(  # noqa: E731
        "/v1/iep/login/token", {"device_code": begun["device_code"]}, content_type="application/json"
    )
    assert_problem(ask(), 400, "authorization_pending")
    assert_problem(ask(), 400, "slow_down")
    person = browse(devops)
    assert begun["user_code"] in person.get(f"/iep/login/?code={begun['user_code']}").content.decode()
    person.post("/iep/login/", {"code": begun["user_code"], "decision": "allow"})
    done = ask().json()
    assert done["email"] == devops.email
    assert client.get("/v1/me", headers={"Authorization": f"Bearer {done['secret']}"}).status_code == 200
    assert_problem(ask(), 400, "expired_token")
