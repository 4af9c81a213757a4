"""The page of build servers: keys come and go here as over REST, and what was signed is listed."""

from __future__ import annotations

import html

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events.models import DomainEvent
from iep.models import SigningKey
from tests.api import call_as
from tests.iep.test_signing import HEAD, document, hand_in

pytestmark = pytest.mark.django_db
PAGE = "/iep/shop/signatures/"
KEYS = "/v1/iep/applications/shop/keys"


def public(signer: Ed25519PrivateKey) -> str:
    return signer.public_key().public_bytes_raw().hex()


@pytest.fixture
def signer() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def add(browser: Client, signer: Ed25519PrivateKey, name: str = "GitHub Actions"):
    return browser.post(PAGE, {"name": name, "public_key": public(signer)})


def test_a_key_is_added_signs_and_is_revoked(shop, signer, browse, cpi, devops):
    person = browse(cpi)
    assert "No keys yet" in person.get(PAGE).content.decode()
    answer = add(person, signer)
    assert (answer.status_code, answer["Location"]) == (303, PAGE)
    hand_in(
        shop,
        devops,
        document({"dist/a.js": b"a"}, checks={"staging tests": {"passed": False, "detail": "3 failed"}}),
        signer,
    )
    page = person.get(PAGE).content.decode()
    assert public(signer) in page
    assert HEAD[:10] in page
    assert "staging tests: failed" in page
    key = SigningKey.objects.get()
    person.post(f"{PAGE}{key.pk}/revoke/")
    page = person.get(PAGE).content.decode()
    assert "counts for nothing" in page
    assert f"{PAGE}{key.pk}/revoke/" not in page
    told = DomainEvent.objects.filter(type__startswith="application.").values_list("type", "actor_label")
    assert ("application.key_revoked", cpi.email) in set(told)


def test_the_page_refuses_what_rest_refuses_and_keeps_what_was_typed(shop, signer, browse, cpi, devops, outsider):
    person = browse(cpi)
    answer = person.post(PAGE, {"name": "Mine", "public_key": "nonsense"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="Mine"' in page
    assert "nonsense" in page
    rest = call_as(cpi).post(KEYS, {"name": "Mine", "public_key": "nonsense"}, content_type="application/json")
    (error,) = rest.json()["errors"]
    assert error["field"] == "public_key"
    assert html.escape(error["message"]) in page
    assert person.post(PAGE, {"name": "", "public_key": ""}).status_code == 422
    add(person, signer)
    again = add(person, signer)
    assert (again.status_code, "key_known" in again.content.decode()) == (409, True)
    # Who may not release sees the keys and why there is no form, and is refused all the same.
    page = browse(devops).get(PAGE).content.decode()
    assert "does not let you release to production" in page
    assert "revoke/" not in page
    assert add(browse(devops), Ed25519PrivateKey.generate()).status_code == 403
    assert browse(devops).post(f"{PAGE}{SigningKey.objects.get().pk}/revoke/").status_code == 403
    assert browse(outsider).get(PAGE).status_code == 404
    assert add(browse(outsider), signer).status_code == 404
    assert SigningKey.objects.filter(revoked_at=None).count() == 1


def test_a_key_of_another_application_is_none_here(shop, signer, browse, cpi, tenant):
    add(browse(cpi), signer)
    assert browse(cpi).post(f"{PAGE}{SigningKey.objects.get().pk + 1}/revoke/").status_code == 404
    assert browse(cpi).post(f"{PAGE}999999999999999999/revoke/").status_code == 404


def test_the_page_asks_few_questions_however_much_there_is(shop, browse, cpi, devops):
    person = browse(cpi)
    for number in range(6):
        signer = Ed25519PrivateKey.generate()
        add(person, signer, f"Server {number}")
        hand_in(shop, devops, document({f"dist/{number}.js": b"a"}), signer)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        page = person.get(PAGE).content.decode()
    assert page.count("Handed in") == 1
    assert page.count(HEAD[:10]) >= 6
    assert len(asked) <= 8, [query["sql"] for query in asked]
