"""The admin's pages of import maps: they open, files and releases are for reading, verbs go through the services."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from accounts.models import User
from iep.models import Application, SignedManifest, SigningKey
from iep.services.change import load
from iep.services.judgements import keep_judgement
from iep.types import Outcome, Verdict

pytestmark = pytest.mark.django_db


def page(kind: str, view: str, *args: object) -> str:
    return reverse(f"admin:iep_{kind}_{view}", args=args)


def test_every_list_and_page_opens(shop, release, browse, root):
    stamp = release("TKT-001", {"src/cart.js": b"new"})
    keep_judgement(stamp, "qa", None, [Verdict("style", Outcome.WARN, "One long line.")])
    key = SigningKey.objects.create(application=shop, name="CI", public_key="ab" * 32)
    SignedManifest.objects.create(application=shop, key=key, commit="a" * 40, digest="cd" * 32, files={})
    client = browse(root)
    for model in admin.site._registry:
        if model._meta.app_label == "iep":
            kind = model._meta.model_name
            assert client.get(page(kind, "changelist") + "?q=TKT").status_code == 200, kind
            thing = model._default_manager.first()
            assert client.get(page(kind, "change", thing.pk)).status_code == 200, kind
    assert client.get(page("application", "add")).status_code == 200
    assert client.get(page("blob", "add")).status_code == 403
    assert client.get(page("release", "add")).status_code == 403


def test_applications_are_set_up_here(shop, tenant, browse, root):
    client = browse(root)
    sent = {
        "tenant": tenant.pk,
        "slug": "desk",
        "name": "Desk",
        "page": "",
        "policy_options": "{}",
        "policies": "nonsense",
    }
    answer = client.post(page("application", "add"), sent)
    assert b"Unknown: nonsense" in answer.content
    assert client.post(page("application", "add"), sent | {"policies": "freeze window"}).status_code == 302
    assert Application.objects.get(slug="desk").policies == ["freeze window"]
    assert b"taken" in client.post(page("application", "add"), sent | {"slug": "map", "policies": ""}).content or (
        not Application.objects.filter(slug="map").exists()
    )


def test_verbs_go_through_the_services(release, browse, root, shop):
    stamp = release("TKT-001", {"src/cart.js": b"new"})
    address = page("stamp", "change", stamp.pk).replace("/change/", "/revert/")
    assert browse(root).post(address, {"reason": "broken"}).status_code == 302
    assert load(stamp).stage == "qa"


def test_staff_see_their_tenants_only(shop, browse, outsider):
    User.objects.filter(pk=outsider.pk).update(is_staff=True)
    client = browse(User.objects.get(pk=outsider.pk))
    answer = client.get(page("application", "changelist"))
    assert b"shop" not in answer.content or answer.status_code in {302, 403}


def test_keys_are_added_and_revoked_by_the_services(shop, browse, root):
    client = browse(root)
    sent = {"application": shop.pk, "name": "CI", "public_key": "ab" * 32}
    assert client.post(page("signingkey", "add"), sent).status_code == 302
    key = SigningKey.objects.get()
    assert (key.created_by, key.revoked_at) == (root, None)
    assert client.post(page("signingkey", "add"), sent | {"public_key": "no key"}).status_code in {200, 302}
    assert SigningKey.objects.count() == 1
    client.post(page("signingkey", "change", key.pk).replace("/change/", "/revoke/"), {})
    key.refresh_from_db()
    assert key.revoked_at is not None
