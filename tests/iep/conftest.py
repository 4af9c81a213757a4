"""An application with some modules in production, and how to work on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import storages

from accounts.models import User
from iep.models import Application, Stamp
from iep.services import (
    ensure_application,
    promote_stamp,
    publish_files,
    release_stamp,
    stamp_ticket,
    store_blob,
    ticket_for,
)
from iep.services.change import load
from iep.services.stamps import Stamped
from iep.types import File, Manifest
from tickets.services import create_project

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shop</title><!-- importmap -->
<link rel="stylesheet" href="src/app.css"></head>
<body><main id="app"></main><script type="module">import "@shop/main.js"</script></body></html>
"""
BASE = {
    "importmap.json": b'{"imports": {"@shop/": "./src/", "dep": "./vendor/dep.js"}}',
    "src/main.js": b'import "./cart.js"; import "./nav.js";',
    "src/cart.js": b'export const cart = "old";',
    "src/nav.js": b'export const nav = "old";',
    "src/app.css": b"body { margin: 0 }",
    "vendor/dep.js": b"export default 1;",
}


@pytest.fixture(autouse=True)
def _blobs_of_this_test(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "blobs": {
            "BACKEND": "iep.storage.BlobFolder",
            "OPTIONS": {"location": tmp_path / "blobs"},
        }
    }
    storages._storages.clear()
    yield
    storages._storages.clear()


@pytest.fixture
def shop(tenant, cpi, devops) -> Application:
    project = create_project(key="team/shop", tenant=tenant, by=devops, prefix="TKT")
    application = ensure_application(
        tenant=tenant, slug="shop", name="Shop", project=project, page=PAGE, sign_off=False, by=cpi
    )
    publish_files(application=application, files=BASE, by=cpi, reason="the beginning")
    return Application.objects.select_related("tenant", "project").get(pk=application.pk)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def file(path: str, content: bytes) -> File:
    return File(path, digest_of(content), len(content))


Save = Callable[..., Stamped]


@pytest.fixture
def save(shop, devops) -> Save:
    """Stamp files (path -> bytes) into a ticket, as a watch does; `None` removes."""

    def stamp(key: str, files: dict[str, bytes | None], *, by: User | None = None, **options: Any) -> Stamped:
        user = by or devops
        revision = options.pop("revision", None)
        for content in files.values():
            if content is not None:
                store_blob(application=shop, digest=digest_of(content), chunks=[content], by=user)
        manifest = Manifest(
            files=tuple(file(path, content) for path, content in files.items() if content is not None),
            removed=tuple(path for path, content in files.items() if content is None),
            **options,
        )
        ticket = ticket_for(application=shop, key=key, by=user)
        return stamp_ticket(application=shop, ticket=ticket, manifest=manifest, by=user, revision=revision)

    return stamp


@pytest.fixture
def release(save, devops, cpi) -> Callable[..., Stamp]:
    """Bring files through a ticket to production."""

    def bring(key: str, files: dict[str, bytes | None]) -> Stamp:
        stamp = save(key, files).stamp
        promote_stamp(stamp=stamp, by=devops)
        release_stamp(stamp=load(stamp), by=cpi)
        return load(stamp)

    return bring


def production(application: Application) -> dict[str, str]:
    return dict(application.modules.values_list("path", "digest"))
