"""Files in an S3-compatible store: a server of its own that speaks the protocol, reached over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import Client

from iep import storage
from iep.services import ensure_application, publish_files
from tests.api import call_as
from tests.iep.conftest import BASE, PAGE, digest_of
from tests.iep.test_routes import asks
from tickets.services import create_project


@pytest.fixture(scope="module")
def store() -> Iterator[Any]:
    """A bucket and the client of an administrator."""
    from boto3 import client
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    admin = client(
        "s3", endpoint_url=address, aws_access_key_id="key", aws_secret_access_key="secret", region_name="eu-west-3"
    )
    admin.bucket = f"stagepass-{uuid.uuid4()}"  # the server outlives itself within a process
    admin.create_bucket(Bucket=admin.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    admin.address = address
    yield admin
    server.stop()


@pytest.fixture(autouse=True)
def _files_are_there(settings, store, monkeypatch):
    settings.STORAGES = settings.STORAGES | {
        "blobs": {
            "BACKEND": "iep.s3.S3Blobs",
            "OPTIONS": {
                "bucket_name": store.bucket, "location": "blobs", "endpoint_url": store.address, "region_name": "eu-west-3",
                "access_key": "key", "secret_key": "secret", "addressing_style": "path",
            },
        }
    }  # fmt: skip
    storages._storages.clear()
    storage.memory.__init__()
    yield
    storages._storages.clear()
    storage.memory.__init__()


def objects(store: Any) -> dict[str, int]:
    found = store.list_objects_v2(Bucket=store.bucket, Prefix="blobs/").get("Contents", [])
    return {each["Key"]: each["Size"] for each in found}


@pytest.fixture
def application(tenant, cpi, devops):
    project = create_project(key="team/shop", tenant=tenant, by=devops, prefix="TKT")
    made = ensure_application(
        tenant=tenant, slug="shop", name="Shop", project=project, page=PAGE, sign_off=False, by=cpi
    )
    publish_files(application=made, files=BASE, by=cpi, reason="the beginning")
    return made


def send(content: bytes, digest: str, by: Any) -> Any:
    headers = call_as(by).headers
    return Client().generic(
        "PUT", f"/v1/iep/applications/shop/blobs/{digest}", content, content_type="application/octet-stream", headers=headers
    )  # fmt: skip


def test_bytes_are_uploaded_checked_and_kept_once(application, store, devops):
    content = b'export const cart = "new";'
    digest = digest_of(content)
    wrong = send(b"other bytes", digest, devops)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "wrong_digest")
    assert f"blobs/{storage.name_of(digest)}" not in objects(store), "nothing is kept of others"
    for _ in range(2):
        answer = send(content, digest, devops)
        assert answer.status_code in {200, 201}, answer.content
    assert objects(store)[f"blobs/{storage.name_of(digest)}"] == len(content)
    storage.memory.__init__()
    assert storage.read(digest) == content
    assert storage.read("0" * 64) is None


@pytest.mark.django_db(transaction=True)
def test_production_is_served_from_the_store(application):
    storage.memory.__init__()
    [(status, headers, body)] = asks(f"/iep/m/{digest_of(BASE['src/cart.js'])}/src/cart.js")
    assert (status, body) == (200, BASE["src/cart.js"])
    assert "immutable" in headers["cache-control"]


def test_a_store_that_is_away_is_an_error_in_seconds(application, settings, monkeypatch):
    options = settings.STORAGES["blobs"]["OPTIONS"] | {"endpoint_url": "http://127.0.0.1:9"}
    settings.STORAGES = settings.STORAGES | {"blobs": {"BACKEND": "iep.s3.S3Blobs", "OPTIONS": options}}
    storages._storages.clear()
    storage.memory.__init__()
    from botocore.exceptions import EndpointConnectionError

    with pytest.raises(EndpointConnectionError):
        storage.read(digest_of(BASE["src/cart.js"]))
