"""The calls of the access matrix on applications and stamps, each on an object made for it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.http import HttpResponse

from accounts.models import Tenant, User
from iep.models import Application, Module, Release, SigningKey, Stamp
from tests.contracts.access_tickets import place_ticket, whose

if TYPE_CHECKING:
    from tests.contracts.access import Call, House

APPS = "/v1/iep/applications"
DIGEST = "ab" * 32
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def place_application(house: House, tenant: Tenant) -> Application:
    """An application of the tenant with one module in production."""
    house.made += 1
    application = Application.objects.create(
        tenant=tenant, slug=f"app-{house.made}", name="App", sign_off=False, revision=1
    )
    Release.objects.create(application=application, revision=1, kind="baseline")
    Module.objects.create(application=application, path="src/a.js", digest=EMPTY, size=0, revision=1)
    return application


def place_stamp(house: House, author: User, tenant: Tenant, stage: str) -> Stamp:
    """A stamp in the stage that changes one file, as if it had come there."""
    application = place_application(house, tenant)
    delta = {"src/b.js": {"digest": DIGEST, "size": 3, "base": None}}
    return Stamp.objects.create(
        application=application, ticket=place_ticket(house, author, tenant), author=author, stage=stage, revision=1,
        base_revision=1, delta=delta,
    )  # fmt: skip


def on_application(method: str, rest: str = "", sent: Any = None) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        slug = "no-such-app"
        if thing != "missing":
            slug = place_application(house, whose(house, role, thing)[1]).slug
        return house.callers[role].call(method, f"{APPS}/{slug}{rest}", sent)

    return call


def on_stamp(method: str, rest: str = "", sent: Any = None, stage: str = "dev") -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        place = "no-such-app/stamps/T-1"
        if thing != "missing":
            stamp = place_stamp(house, *whose(house, role, thing), stage)
            place = f"{stamp.application.slug}/stamps/{stamp.ticket.key}"
        return house.callers[role].call(method, f"{APPS}/{place}{rest}", sent)

    return call


def on_blob(method: str) -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        slug = "no-such-app"
        if thing != "missing":
            slug = place_application(house, whose(house, role, thing)[1]).slug
        caller = house.callers[role]
        path = f"{APPS}/{slug}/blobs/{EMPTY}"
        content = {"data": b"", "content_type": "application/octet-stream"} if method == "PUT" else {}
        return caller.client.generic(method, path, headers=caller.headers, **content)

    return call


def on_key() -> Call:
    def call(house: House, role: str, thing: str) -> HttpResponse:
        place = "no-such-app/keys/1"
        if thing != "missing":
            application = place_application(house, whose(house, role, thing)[1])
            key = SigningKey.objects.create(application=application, name="CI", public_key="ab" * 32)
            place = f"{application.slug}/keys/{key.pk}"
        return house.callers[role].call("POST", f"{APPS}/{place}/revoke", {})

    return call


def on_manifest() -> Call:
    """One that the application's key really signed."""
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    public = private.public_key().public_bytes_raw().hex()

    def call(house: House, role: str, thing: str) -> HttpResponse:
        slug = "no-such-app"
        if thing != "missing":
            application = place_application(house, whose(house, role, thing)[1])
            SigningKey.objects.create(application=application, name="CI", public_key=public)
            slug = application.slug
        document = json.dumps({"v": 1, "application": slug, "commit": "a" * 40, "files": {}})
        sent = {"document": document, "signature": base64.b64encode(private.sign(document.encode())).decode()}
        return house.callers[role].call("POST", f"{APPS}/{slug}/manifests", sent)

    return call


def plainly(method: str, path: str, sent: Any = None) -> Call:
    return lambda house, role, thing: house.callers[role].call(method, path, sent)


_ONE = f"{APPS}/{{app}}"
_STAMP = f"{_ONE}/stamps/{{ticket}}"
SAVED = {"files": [], "removed": ["src/a.js"]}
IEP_CALLS: dict[str, Call] = {
    f"GET {APPS}": plainly("GET", APPS),
    f"GET {_ONE}": on_application("GET"),
    f"GET {_ONE}/modules": on_application("GET", "/modules"),
    f"GET {_ONE}/releases": on_application("GET", "/releases"),
    f"GET {_ONE}/keys": on_application("GET", "/keys"),
    f"POST {_ONE}/keys": on_application("POST", "/keys", {"name": "CI", "public_key": "ab" * 32}),
    f"POST {_ONE}/keys/{{key}}/revoke": on_key(),
    f"GET {_ONE}/manifests": on_application("GET", "/manifests"),
    f"POST {_ONE}/manifests": on_manifest(),
    f"GET {_ONE}/stamps": on_application("GET", "/stamps"),
    f"GET {_ONE}/blobs/{{digest}}": on_blob("GET"),
    f"PUT {_ONE}/blobs/{{digest}}": on_blob("PUT"),
    f"GET {_STAMP}": on_stamp("GET"),
    f"POST {_STAMP}": on_stamp("POST", "", SAVED),
    f"GET {_STAMP}/history": on_stamp("GET", "/history"),
    f"GET {_STAMP}/diff": on_stamp("GET", "/diff?path=src/b.js"),
    f"POST {_STAMP}/promote": on_stamp("POST", "/promote", {}, "qa"),
    f"POST {_STAMP}/revert": on_stamp("POST", "/revert", {}, "qa"),
    f"POST {_STAMP}/close": on_stamp("POST", "/close", {}),
    f"POST {_STAMP}/reopen": on_stamp("POST", "/reopen", {}, "closed"),
    f"POST {_STAMP}/rebase": on_stamp("POST", "/rebase", {}),
    f"POST {_STAMP}/approve": on_stamp("POST", "/approve", {}, "qa"),
    f"POST {_STAMP}/check": on_stamp("POST", "/check", {}),
    f"POST {_STAMP}/link": on_stamp("POST", "/link", {}),
}
