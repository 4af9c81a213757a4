"""The admin's pages of people: rights follow memberships, secrets never show, nobody promotes themselves."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import ApiToken, Membership, User
from accounts.roles import Capability, Role
from accounts.selectors import find_token, has_capability
from accounts.services import issue_token


@pytest.fixture
def root_client(root) -> Client:
    client = Client()
    client.force_login(root)
    return client


def staff(user: User, *codenames: str) -> Client:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


def may_decide(user: User, tenant) -> bool:
    return has_capability(User.objects.get(pk=user.pk), Capability.DECIDE_PROMOTION, tenant.pk)


def test_rights_follow_a_membership_made_and_taken_in_the_admin(root_client, make_user, tenant):
    person = make_user("person")
    fields = {"user": person.pk, "tenant": tenant.pk, "role": "cpi"}
    assert root_client.post("/admin/accounts/membership/add/", fields).status_code == 302
    assert may_decide(person, tenant)
    membership = Membership.objects.get(user=person)
    root_client.post(f"/admin/accounts/membership/{membership.pk}/delete/", {"post": "yes"})
    assert not may_decide(person, tenant)
    assert not Membership.objects.filter(user=person).exists()


def test_rights_end_with_a_withdrawal_of_many(root_client, cpi, other_cpi, tenant):
    chosen = [str(pk) for pk in Membership.objects.values_list("pk", flat=True)]
    root_client.post("/admin/accounts/membership/", {"action": "withdraw", "_selected_action": chosen})
    assert not may_decide(cpi, tenant)
    assert not may_decide(other_cpi, tenant)


def test_a_membership_cannot_be_edited_past_the_services(root_client, devops, tenant):
    membership = Membership.objects.get(user=devops)
    fields = {"user": devops.pk, "tenant": tenant.pk, "role": "cpi"}
    assert root_client.post(f"/admin/accounts/membership/{membership.pk}/change/", fields).status_code == 403
    assert not may_decide(devops, tenant)


@pytest.mark.parametrize(("whose", "role"), [("themselves", "cpi"), ("another", "cpi_admin")])
def test_staff_do_not_raise_themselves_or_anyone_to_every_tenant(make_user, tenant, whose, role):
    clerk, other = make_user("clerk"), make_user("other")
    client = staff(clerk, "add_membership", "view_membership", "view_user", "view_tenant")
    person = clerk if whose == "themselves" else other
    answer = client.post(
        "/admin/accounts/membership/add/", {"user": person.pk, "tenant": tenant.pk, "role": role}, follow=True
    )
    assert answer.status_code == 200
    assert not Membership.objects.exists()
    assert (
        client.post(
            "/admin/accounts/membership/add/", {"user": other.pk, "tenant": tenant.pk, "role": Role.VIEWER.value}
        ).status_code
        == 302
    )
    assert Membership.objects.get().user == other


def test_staff_who_edit_people_cannot_make_superusers_or_touch_them(make_user, root):
    clerk, other = make_user("clerk"), make_user("other")
    client = staff(clerk, "change_user", "view_user")
    fields = {"email": other.email, "name": "Other", "time_zone": "UTC", "is_active": "on", "is_superuser": "on"}
    assert client.post(f"/admin/accounts/user/{other.pk}/change/", fields).status_code == 302
    other.refresh_from_db()
    assert (other.name, other.is_superuser) == ("Other", False)
    assert client.post(f"/admin/accounts/user/{root.pk}/change/", fields).status_code == 403
    assert (
        client.post(
            f"/admin/accounts/user/{root.pk}/password/", {"password1": "new-Secret-9", "password2": "new-Secret-9"}
        ).status_code
        == 403
    )
    root.refresh_from_db()
    assert root.check_password("correct horse battery staple")


def test_a_person_is_made_by_e_mail(root_client):
    fields = {
        "email": "New.Person@example.com", "name": "New", "password1": "a-long-pass-9", "password2": "a-long-pass-9",
        "usable_password": "true",
    }  # fmt: skip
    answer = root_client.post("/admin/accounts/user/add/", fields)
    assert answer.status_code == 302, answer.context["errors"]
    assert User.objects.get(email__iexact="new.person@example.com").check_password("a-long-pass-9")


def test_a_token_is_revoked_and_its_secret_shows_nowhere(root_client, devops):
    token, secret = issue_token(user=devops, name="pipeline", scopes=["requests:read"])
    for address in ("/admin/accounts/apitoken/", f"/admin/accounts/apitoken/{token.pk}/change/"):
        text = root_client.get(address).content.decode()
        assert token.hint in text
        assert token.digest not in text
        assert secret not in text
    assert root_client.get(f"/admin/accounts/apitoken/{token.pk}/revoke/").status_code == 200
    assert find_token(secret)
    root_client.post(f"/admin/accounts/apitoken/{token.pk}/revoke/")
    assert find_token(secret) is None
    _, second = issue_token(user=devops, name="other", scopes=["requests:read"])
    chosen = {"action": "revoke_selected", "_selected_action": [ApiToken.objects.latest("id").pk]}
    staff(devops, "view_apitoken").post("/admin/accounts/apitoken/", chosen)
    assert find_token(second)
    root_client.post("/admin/accounts/apitoken/", chosen)
    assert find_token(second) is None


def test_a_second_factor_shows_no_secret_and_can_be_removed(root_client, devops):
    factor = Authenticator.objects.create(user=devops, type="totp", data={"secret": "JBSWY3DPEHPK3PXP"})
    text = root_client.get(f"/admin/mfa/authenticator/{factor.pk}/change/").content.decode()
    assert "JBSWY3DPEHPK3PXP" not in text
    root_client.post(f"/admin/mfa/authenticator/{factor.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()
