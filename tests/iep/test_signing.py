"""Manifests that a build server signs: taken only from trusted keys, and policies rest on them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import Conflict, InvalidInput, NotAllowed
from core.plugins import load_plugin
from events.models import DomainEvent
from iep.errors import BadSignature
from iep.models import Application, SigningKey
from iep.policies.base import Outcome, Step, Verdict
from iep.services import add_signing_key, revoke_signing_key, take_manifest
from iep.services.change import load
from tests.api import assert_problem, call_as
from tests.iep.conftest import digest_of

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "new";'
HEAD = "a" * 40
SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = SIGNER.public_key().public_bytes_raw().hex()


@pytest.fixture
def key(shop, cpi) -> SigningKey:
    return add_signing_key(application=shop, name="build server", public_key=PUBLIC, by=cpi)


def document(built: dict[str, bytes], **other: Any) -> bytes:
    told = {"v": 1, "application": "shop", "commit": HEAD, "files": {p: digest_of(c) for p, c in built.items()}}
    return json.dumps(told | other).encode()


def hand_in(shop, by, text: bytes, signer: Ed25519PrivateKey = SIGNER):
    return take_manifest(application=shop, document=text, signature=signer.sign(text), by=by)


@pytest.fixture
def stamp(shop, save):
    policies = ["signed manifest", "staging tests"]
    Application.objects.filter(pk=shop.pk).update(policies=policies)
    git = {"head": HEAD}
    return load(save("TKT-001", {"src/cart.js": NEW, "src/nav.js": None}, git=git).stamp)


def said(stamp, by, head: str = HEAD) -> list[Verdict]:
    """Asked in this thread, whose transaction has what the test made."""
    step = Step(stamp=load(stamp), target="qa", by=by, git={"head": head})
    return [load_plugin("IEP_POLICIES", name).check(step) for name in step.stamp.application.policies]


def test_a_key_is_taken_in_any_usual_form(shop, cpi, devops):
    pem = SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    made = add_signing_key(application=shop, name="pem", public_key=pem, by=cpi)
    assert made.public_key == PUBLIC
    with pytest.raises(Conflict):
        add_signing_key(
            application=shop, name="again", public_key=base64.b64encode(bytes.fromhex(PUBLIC)).decode(), by=cpi
        )
    for wrong in ("", "no key", "ab" * 31, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(InvalidInput):
            add_signing_key(application=shop, name="wrong", public_key=wrong, by=cpi)
    with pytest.raises(NotAllowed):
        add_signing_key(application=shop, name="mine", public_key="cd" * 32, by=devops)
    assert [fact.type for fact in DomainEvent.objects.filter(type__contains="key_")] == ["application.key_added"]


def test_only_what_a_trusted_key_signed_is_taken(shop, key, devops):
    text = document({"src/cart.js": NEW})
    other = Ed25519PrivateKey.from_private_bytes(b"o" * 32)
    with pytest.raises(BadSignature):
        hand_in(shop, devops, text, other)
    with pytest.raises(BadSignature):
        take_manifest(application=shop, document=text + b" ", signature=SIGNER.sign(text), by=devops)
    for wrong in (b"[]", b"nonsense", document({}, application="desk"), document({}, commit="trunk"),
                  document({}, files={"src/a.js": "short"}), document({}, checks={"staging tests": True}),
                  document({}, more=1)):  # fmt: skip
        with pytest.raises(InvalidInput):
            hand_in(shop, devops, wrong)
    manifest, is_new = hand_in(shop, devops, text)
    assert (manifest.commit, is_new) == (HEAD, True)
    assert hand_in(shop, devops, text) == (manifest, False)
    assert DomainEvent.objects.filter(type="application.manifest_signed").count() == 1


def test_the_policy_compares_every_file(shop, key, stamp, devops):
    assert "No signed manifest" in said(stamp, devops)[0].reason
    hand_in(shop, devops, document({"src/cart.js": b"other"}))
    refused = said(stamp, devops)[0]
    assert (refused.outcome, "src/cart.js differ" in refused.reason) == (Outcome.BLOCK, True)
    hand_in(shop, devops, document({"src/cart.js": NEW, "src/nav.js": b"still there"}))
    assert "src/nav.js differ" in said(stamp, devops)[0].reason, "a removed file may not be in the build"
    hand_in(shop, devops, document({"src/cart.js": NEW, "src/main.js": b"x"}))
    passed = said(stamp, devops)[0]
    assert (passed.outcome, passed.reason) == (
        Outcome.PASS,
        "All 2 files are as build server signed them for aaaaaaaaaa.",
    )
    assert said(stamp, devops, "b" * 40)[0].outcome == Outcome.BLOCK, "another commit"
    assert said(stamp, devops, "")[0].outcome == Outcome.BLOCK


def test_a_revoked_key_vouches_for_nothing(shop, key, stamp, cpi, devops):
    hand_in(shop, devops, document({"src/cart.js": NEW}))
    assert said(stamp, devops)[0].outcome == Outcome.PASS
    revoke_signing_key(key=key, by=cpi)
    revoke_signing_key(key=key, by=cpi)
    assert said(stamp, devops)[0].outcome == Outcome.BLOCK
    with pytest.raises(BadSignature):
        hand_in(shop, devops, document({"src/cart.js": NEW}, checks={}))
    assert DomainEvent.objects.filter(type="application.key_revoked").count() == 1


def test_checks_of_the_build_server_are_policies(shop, key, stamp, devops):
    files = {"src/cart.js": NEW}
    hand_in(shop, devops, document(files))
    assert "says nothing of staging tests" in said(stamp, devops)[1].reason
    failed = {"passed": False, "detail": "3 of 412 failed"}
    hand_in(shop, devops, document(files, checks={"staging tests": failed}))
    refused = said(stamp, devops)[1]
    assert (refused.outcome, "3 of 412 failed" in refused.reason) == (Outcome.BLOCK, True)
    hand_in(shop, devops, document(files, checks={"staging tests": {"passed": True, "detail": "412 tests"}}))
    passed = said(stamp, devops)[1]
    assert (passed.policy, passed.outcome, "412 tests" in passed.reason) == ("staging tests", Outcome.PASS, True)


def test_over_rest(shop, cpi, devops):
    lead, developer = call_as(cpi), call_as(devops)
    place = "/v1/iep/applications/shop"
    made = lead.post(f"{place}/keys", {"name": "CI", "public_key": PUBLIC})
    assert (made.status_code, made.json()["public_key"]) == (201, PUBLIC)
    assert_problem(developer.post(f"{place}/keys", {"name": "CI", "public_key": "cd" * 32}), 403, "not_authorized")
    text = document({"src/cart.js": NEW})
    sent = {"document": text.decode(), "signature": base64.b64encode(SIGNER.sign(text)).decode()}
    taken = developer.post(f"{place}/manifests", sent)
    assert (taken.status_code, taken.json()["commit"]) == (201, HEAD)
    assert developer.post(f"{place}/manifests", sent).status_code == 200
    assert_problem(developer.post(f"{place}/manifests", sent | {"document": "{}"}), 400, "invalid")
    assert developer.get(f"{place}/manifests").json()[0]["files"] == 1
    revoked = lead.post(f"{place}/keys/{made.json()['id']}/revoke", {})
    assert revoked.json()["revoked_at"]
    assert lead.get(f"{place}/keys").json() == [revoked.json()]
    assert_problem(
        developer.post(f"{place}/manifests", sent | {"document": sent["document"] + " "}), 422, "bad_signature"
    )
