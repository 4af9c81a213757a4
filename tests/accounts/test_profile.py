"""The profile: name and zone, roles, and tokens that are shown once and closed at once."""

from __future__ import annotations

import datetime as dt

from accounts.models import ApiToken
from accounts.selectors import find_token
from core.clock import now


def test_name_and_zone_are_saved(browse, devops):
    response = browse(devops).post("/profile/", {"name": "Pierre", "time_zone": "Europe/Paris"})
    assert response.status_code == 303
    devops.refresh_from_db()
    assert (devops.name, devops.time_zone) == ("Pierre", "Europe/Paris")
    response = browse(devops).post("/profile/", {"name": "Pierre", "time_zone": "Mars/Olympus"})
    assert response.status_code == 422


def test_a_token_is_shown_once_and_kept_hashed(browse, devops):
    client = browse(devops)
    typed = {"name": "release pipeline", "lifetime": "30", "scopes": ["requests:read", "requests:write"]}
    response = client.post("/profile/tokens/", typed)
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert find_token(secret).user == devops
    token = ApiToken.objects.get()
    assert dt.timedelta(days=29) < token.expires_at - now() <= dt.timedelta(days=30)
    page = client.get("/profile/").content.decode()
    assert secret not in page
    assert token.hint in page


def test_faults_of_a_token_are_beside_its_fields(browse, devops):
    response = browse(devops).post("/profile/tokens/", {"name": " ", "lifetime": "30"})
    assert response.status_code == 422
    assert set(response.context["token_form"].errors) == {"name", "scopes"}
    assert not ApiToken.objects.exists()


def test_only_my_own_tokens_can_be_revoked(browse, devops, cpi):
    browse(devops).post("/profile/tokens/", {"name": "mine", "lifetime": "", "scopes": ["requests:read"]})
    token = ApiToken.objects.get()
    assert browse(cpi).post(f"/profile/tokens/{token.pk}/revoke/").status_code == 404
    assert ApiToken.objects.usable().exists()
    assert browse(devops).get(f"/profile/tokens/{token.pk}/revoke/").status_code == 405
    assert browse(devops).post(f"/profile/tokens/{token.pk}/revoke/").status_code == 303
    assert not ApiToken.objects.usable().exists()
