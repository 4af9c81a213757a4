"""The slim routes: immutable files and maps, and a pointer that is never old."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from django.db import connections
from starlette.types import Receive, Scope, Send

from iep import maps
from iep.maps import address_of
from iep.models import Application
from iep.serving import origins, routes
from iep.serving.routes import EntryPoints
from tests.iep.conftest import BASE, digest_of

pytestmark = pytest.mark.django_db(transaction=True)


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def ask(app: EntryPoints, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    path, _, query = path.partition("?")
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": raw,
    }  # fmt: skip
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, None, send)  # type: ignore[arg-type]
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}, sent[-1]["body"]


def asks(*paths: str, **headers: str) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers, from one process that just started."""

    async def all_of_them() -> list[Any]:
        app = EntryPoints(behind)
        answers = [await ask(app, path, **headers) for path in paths]
        await asyncio.get_running_loop().run_in_executor(app._threads, connections.close_all)
        await asyncio.get_running_loop().run_in_executor(app._threads, connections.close_all)
        app._threads.shutdown()
        return answers

    return asyncio.run(all_of_them())


def test_a_module_is_immutable_and_only_what_it_is(shop):
    digest = digest_of(BASE["src/main.js"])
    address = address_of("shop", "src/main.js", digest)
    (status, headers, body), other = asks(address, f"/iep/m/{digest}/src/main.js")
    assert (status, body) == (200, BASE["src/main.js"])
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["content-type"] == "text/javascript; charset=utf-8"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert other[2] == body
    assert asks(address, if_none_match=f'"{digest}"')[0][0] == 304


@pytest.mark.parametrize("ending", ["html", "svg", "xml", "exe"])
def test_no_bytes_are_ever_served_as_a_page(shop, ending):
    """A file uploaded as a script is no page under another name."""
    digest = digest_of(BASE["src/main.js"])
    assert [answer[0] for answer in asks(f"/iep/m/shop/x~{digest}.{ending}", f"/iep/m/{digest}/x.{ending}")] == [
        404,
        404,
    ]


def test_pages_of_other_sites_get_modules_where_the_application_allows_it(shop):
    digest = digest_of(BASE["src/main.js"])
    address = address_of("shop", "src/main.js", digest)
    origins._known.clear()
    (_, closed, _), (_, plain, _) = asks(address, address, origin="https://www.example.com")
    assert "access-control-allow-origin" not in closed
    assert closed["cross-origin-resource-policy"] == plain["cross-origin-resource-policy"] == "same-origin"
    Application.objects.filter(pk=shop.pk).update(allowed_origins=["https://www.example.com"])
    origins._known.clear()
    ((_, opened, _),) = asks(address, origin="https://www.example.com")
    assert opened["access-control-allow-origin"] == "https://www.example.com"
    assert (opened["cross-origin-resource-policy"], opened["vary"]) == ("cross-origin", "Origin")
    for other in ("https://www.example.com.evil.example", "http://www.example.com", "null"):
        assert "access-control-allow-origin" not in asks(address, origin=other)[0][1]
    assert asks(address)[0][1]["vary"] == "Origin", "a cache must not hand one site's answer to another"
    Application.objects.filter(pk=shop.pk).update(allowed_origins=["*"])
    origins._known.clear()
    assert asks(address, origin="https://any.example")[0][1]["access-control-allow-origin"] == "*"


def test_what_is_not_there(shop):
    assert asks(f"/iep/m/shop/x~{'0' * 64}.js", f"/iep/map/{'0' * 64}.json")[0][0] == 404
    assert [answer[0] for answer in asks("/iep/none/map.json", "/iep/", "/iep/shop/map.json?dev=T")] == [418, 418, 418]


def test_a_map_by_digest_is_immutable(shop):
    made = maps.production_map(shop)
    document, script = asks(f"/iep/map/{made.digest}.json", f"/iep/map/{made.digest}.js")
    assert digest_of(document[2]) == made.digest
    assert document[1]["cache-control"].endswith("immutable")
    assert b"importmap" in script[2]
    assert script[1]["content-type"].startswith("text/javascript")


def test_maps_are_compressed_for_who_takes_it_under_a_tag_of_their_own(shop):
    made = maps.production_map(shop)
    for path in ("/iep/shop/map.json", f"/iep/map/{made.digest}.json", f"/iep/map/{made.digest}.js"):
        plain, refused, packed = (
            asks(path, accept_encoding=accepted)[0] for accepted in ("br", "br, gzip;q=0", "deflate, gzip;q=0.5, br")
        )
        assert "content-encoding" not in plain[1] | refused[1]
        assert gzip.decompress(packed[2]) == plain[2] == refused[2]
        assert packed[1]["content-encoding"] == "gzip"
        assert int(packed[1]["content-length"]) == len(packed[2]) < len(plain[2])
        assert packed[1]["etag"] != plain[1]["etag"], "a strong tag names exactly these bytes"
        assert plain[1]["vary"] == packed[1]["vary"] == "accept-encoding"
        assert asks(path, accept_encoding="gzip", if_none_match=f"W/{packed[1]['etag']}")[0][0] == 304
        assert asks(path, accept_encoding="gzip", if_none_match=plain[1]["etag"])[0][0] == 200
        assert asks(path, if_none_match=f'"x", {plain[1]["etag"]}')[0][0] == 304


def test_files_are_never_compressed_here(shop):
    """A module is checked by its integrity and kept for ever: one representation."""
    digest = digest_of(BASE["src/main.js"])
    (_, headers, body) = asks(address_of("shop", "src/main.js", digest), accept_encoding="gzip")[0]
    assert body == BASE["src/main.js"]
    assert (headers["vary"], "content-encoding" in headers) == ("Origin", False)


def test_answers_at_hand_stay_within_their_bytes(shop, monkeypatch):
    made = maps.production_map(shop)
    monkeypatch.setattr(routes, "KEPT_BYTES", 1)

    async def story() -> EntryPoints:
        app = EntryPoints(behind)
        for form in ("json", "js", "json"):
            assert (await ask(app, f"/iep/map/{made.digest}.{form}"))[0] == 200
        await asyncio.get_running_loop().run_in_executor(app._threads, connections.close_all)
        await asyncio.get_running_loop().run_in_executor(app._threads, connections.close_all)
        app._threads.shutdown()
        return app

    app = asyncio.run(story())
    assert list(app._kept) == [f"/iep/map/{made.digest}.json"]
    assert app._kept_bytes == len(made.document)


def test_a_pointer_that_is_asked_for_a_ticket_is_not_production(shop):
    """Neither before nor after production's is at hand: who may see the ticket is for Django to say."""
    asked = "/iep/shop/map.json?dev=TKT-001"
    assert [status for status, *_ in asks(asked, "/iep/shop/map.json", asked)] == [418, 200, 418]


def test_the_pointer_follows_production(shop, release, monkeypatch):
    monkeypatch.setattr(routes, "FRESH", 0.0)
    monkeypatch.setattr(routes, "OLDEST", 0.0)

    async def story() -> list[Any]:
        app = EntryPoints(behind)
        first = await ask(app, "/iep/shop/map.json")
        same = await ask(app, "/iep/shop/map.json", if_none_match=first[1]["etag"])
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            app._threads, lambda: (release("TKT-001", {"src/cart.js": b"new"}), connections.close_all())
        )
        then = await ask(app, "/iep/shop/map.json", if_none_match=first[1]["etag"])
        await loop.run_in_executor(app._threads, connections.close_all)
        await loop.run_in_executor(app._threads, connections.close_all)
        app._threads.shutdown()
        return [first, same, then]

    first, same, then = asyncio.run(story())
    assert (first[0], same[0], then[0]) == (200, 304, 200)
    assert first[1]["cache-control"] == "no-cache"
    assert digest_of(b"new") in then[2].decode()
