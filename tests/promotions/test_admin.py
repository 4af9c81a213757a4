"""The admin: everything staff need through the same services, nothing past them, fast on long lists."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Role
from accounts.services import grant_role, issue_token
from core.admin import Admin, BoundedPaginator
from events.models import Delivery, DomainEvent
from events.outbox import route_facts
from promotions.models import Deployment, DeploymentTarget, PromotionRequest, RunningVersion
from promotions.services import approve_request


@pytest.fixture
def root_client(root) -> Client:
    return signed_in(root)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def staff(user: User, *codenames: str) -> Client:
    User.objects.filter(pk=user.pk).update(is_staff=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=codenames))
    return signed_in(User.objects.get(pk=user.pk))


def page(kind: str, view: str, *args) -> str:
    return reverse(f"admin:{kind}_{view}", args=args)


def verb(promotion: PromotionRequest, name: str) -> str:
    return page("promotions_promotionrequest", "change", promotion.pk).replace("/change/", f"/{name}/")


def state_of(promotion: PromotionRequest) -> str:
    return PromotionRequest.objects.get(pk=promotion.pk).state


@pytest.fixture
def things(pending, cpi, target, tenant, db):
    """One of everything."""
    approve_request(promotion=pending, by=cpi)
    route_facts()
    RunningVersion.objects.create(tenant=tenant, environment="prod", target_type="api", target_name="x", version="1")
    return pending


def test_every_list_and_every_page_opens(root_client, things, root):
    for model, model_admin in admin.site._registry.items():
        kind = f"{model._meta.app_label}_{model._meta.model_name}"
        for address in (page(kind, "changelist"), page(kind, "changelist") + "?q=payment-api"):
            assert root_client.get(address).status_code == 200, address
        if thing := model._default_manager.first():
            assert root_client.get(page(kind, "change", thing.pk)).status_code == 200, kind
        if model_admin.has_add_permission(_as(root)):
            assert root_client.get(page(kind, "add")).status_code == 200, kind
    assert root_client.get(reverse("admin:index")).status_code == 200


def _as(user):
    class Request:
        pass

    request = Request()
    request.user = user
    return request


def test_only_our_own_pages_are_there():
    names = {model._meta.label for model in admin.site._registry}
    assert all(isinstance(model_admin, Admin) for model_admin in admin.site._registry.values())
    assert not names & {"auth.Group", "socialaccount.SocialToken", "socialaccount.SocialApp"}
    assert {"accounts.User", "promotions.PromotionRequest", "events.DomainEvent", "events.Delivery"} <= names


def test_the_log_in_is_the_one_of_all_pages(db, cpi):
    answer = Client().get("/admin/", follow=True)
    assert answer.redirect_chain[-1][0].startswith("/accounts/login/")
    assert signed_in(cpi).get("/admin/", follow=True).status_code == 403


def test_approving_in_the_admin_is_the_service_with_the_acting_person(pending, cpi, target):
    client = staff(cpi)
    answer = client.get(verb(pending, "approve"))
    assert answer.status_code == 200
    assert state_of(pending) == "pending"
    answer = client.post(verb(pending, "approve"), {"comment": "fine", "digest": pending.digest})
    assert answer.status_code == 302
    fact = DomainEvent.objects.latest("sequence")
    assert (fact.type, fact.actor_id, fact.surface) == ("promotion.approved", cpi.public_id, "admin")


def test_not_even_a_superuser_approves_their_own_request(make_request, root, root_client, target):
    own = make_request(by=root)
    answer = root_client.post(verb(own, "approve"), {"digest": own.digest})
    assert "Cannot approve your own request" in answer.content.decode()
    assert state_of(own) == "pending"


def test_a_refusal_is_told_and_what_was_typed_is_kept(pending, cpi, viewer, target):
    client = staff(viewer)
    answer = client.post(verb(pending, "reject"), {"reason": "This must not go out"})
    assert answer.status_code == 200
    assert "Not authorized to reject" in answer.content.decode()
    assert "This must not go out" in answer.content.decode()


def test_content_that_changed_since_the_page_was_opened_is_not_approved(pending, cpi, target):
    answer = staff(cpi).post(verb(pending, "approve"), {"digest": "0" * 64})
    assert "changed since you reviewed it" in answer.content.decode()
    assert state_of(pending) == "pending"


def test_staff_see_what_their_roles_show_them(things, make_request, outsider, other_tenant, devops, other_devops):
    foreign = make_request(by=outsider, in_tenant=other_tenant)
    client = staff(devops)
    listed = client.get(page("promotions_promotionrequest", "changelist")).content.decode()
    assert things.number in listed
    assert foreign.number not in listed
    other = staff(other_devops).get(page("promotions_promotionrequest", "changelist")).content.decode()
    assert things.number not in other
    assert client.get(page("promotions_promotionrequest", "change", foreign.pk)).status_code == 302
    assert client.post(verb(foreign, "approve"), {"digest": foreign.digest}).status_code == 302
    assert state_of(foreign) == "pending"
    facts = client.get(page("events_domainevent", "changelist")).content.decode()
    assert foreign.number not in facts
    assert staff(other_devops).get(page("promotions_deployment", "changelist")).content.decode().count("deploy-") == 0


def test_staff_without_permission_see_no_people_tokens_targets_or_deliveries(things, devops):
    client = staff(devops)
    for kind in (
        "accounts_user", "accounts_apitoken", "accounts_membership", "promotions_deploymenttarget", "events_delivery",
    ):  # fmt: skip
        assert client.get(page(kind, "changelist")).status_code == 403, kind


@pytest.mark.parametrize("kind", ["promotions_promotionrequest", "promotions_deployment", "events_domainevent"])
def test_nothing_of_history_can_be_added_edited_or_deleted(root_client, things, kind):
    model = next(model for model in admin.site._registry if f"{model._meta.app_label}_{model._meta.model_name}" == kind)
    thing = model._default_manager.first()
    before = model._default_manager.values().get(pk=thing.pk)
    assert root_client.get(page(kind, "add")).status_code == 403
    assert root_client.post(page(kind, "change", thing.pk), {"state": "deployed"}).status_code == 403
    assert root_client.post(page(kind, "delete", thing.pk), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in root_client.get(page(kind, "changelist")).content.decode()
    assert model._default_manager.values().get(pk=thing.pk) == before


def test_force_state_is_offered_to_operators_and_asks_for_a_reason(pending, root_client, cpi, target):
    approve_request(promotion=pending, by=cpi)
    assert (
        "Force the state"
        not in staff(cpi).get(page("promotions_promotionrequest", "change", pending.pk)).content.decode()
    )
    assert root_client.post(verb(pending, "force_state"), {"state": "failed", "reason": "short"}).status_code == 200
    assert state_of(pending) == "approved"
    root_client.post(verb(pending, "force_state"), {"state": "failed", "reason": "The host burned down"})
    assert state_of(pending) == "failed"


def test_a_dead_delivery_is_tried_again(root_client, things, devops):
    Delivery.objects.update(state="dead", last_error="no such host")
    delivery = Delivery.objects.first()
    listed = root_client.get(page("events_delivery", "changelist") + "?state__exact=dead").content.decode()
    assert "no such host" in listed
    address = page("events_delivery", "change", delivery.pk).replace("/change/", "/retry/")
    assert root_client.get(address).status_code == 200
    assert Delivery.objects.get(pk=delivery.pk).state == "dead"
    root_client.post(address)
    assert Delivery.objects.get(pk=delivery.pk).state == "queued"
    action = {
        "action": "retry_selected",
        "_selected_action": [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)],
    }
    root_client.post(page("events_delivery", "changelist"), action)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}
    client = staff(devops, "view_delivery")
    Delivery.objects.update(state="dead")
    client.post(page("events_delivery", "changelist"), action)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}


def test_a_correction_of_what_runs_no_longer_names_the_request(root_client, things, tenant):
    running = RunningVersion.objects.get()
    RunningVersion.objects.update(promotion=things)
    fields = {
        "tenant": tenant.pk, "environment": "prod", "target_type": "api", "target_name": "x", "version": "2",
        "since_0": "2026-01-01", "since_1": "00:00:00",
    }  # fmt: skip
    answer = root_client.post(page("promotions_runningversion", "change", running.pk), fields)
    assert answer.status_code == 302, answer.context["errors"]
    running.refresh_from_db()
    assert (running.version, running.promotion) == ("2", None)


def test_a_target_names_a_deployer_that_exists(root_client, tenant):
    fields = {"tenant": tenant.pk, "target_type": "", "target_name": "", "options": "{}", "time_limit": "60"}
    root_client.post(page("promotions_deploymenttarget", "add"), fields | {"deployer": "typo"})
    assert not DeploymentTarget.objects.exists()
    root_client.post(page("promotions_deploymenttarget", "add"), fields | {"deployer": "none"})
    assert DeploymentTarget.objects.get().deployer == "none"


def test_a_long_list_is_counted_to_a_bound(pending):
    assert BoundedPaginator(PromotionRequest.objects.all(), 50).count == 1
    sql = str(PromotionRequest.objects.all().order_by()[:10_001].query)
    assert "LIMIT 10001" in sql
    assert PromotionRequest.objects.filter(number=pending.number).exists()


def test_a_list_makes_the_same_queries_however_many_rows_it_has(
    root_client, make_request, django_assert_max_num_queries, devops, cpi, target
):
    def queries() -> int:
        with django_assert_max_num_queries(20) as seen:
            assert root_client.get(page("promotions_promotionrequest", "changelist")).status_code == 200
        return len(seen)

    approve_request(promotion=make_request(target_name="first"), by=cpi)
    queries()
    one = queries()
    for number in range(10):
        make_request(target_name=f"thing-{number}")
    assert queries() == one <= 8
    assert Deployment.objects.count() == 1


def test_a_cpi_of_the_tenant_in_the_staff_decides_in_the_admin(pending, make_user, tenant, target):
    both = make_user("both")
    grant_role(user=both, tenant=tenant, role=Role.CPI)
    assert staff(both).post(verb(pending, "reject"), {"reason": "Not in this week, please"}).status_code == 302
    assert state_of(pending) == "rejected"


def test_breaking_the_glass_and_its_review_in_the_admin(pending, cpi, cpi_admin, target, root_client):
    chief, reviewer = staff(cpi_admin), staff(cpi)
    typed = {"reason": "Payments are down and nobody answers", "digest": pending.digest}
    assert (
        "Break the glass"
        not in reviewer.get(page("promotions_promotionrequest", "change", pending.pk)).content.decode()
    )
    assert chief.post(verb(pending, "break_glass"), {**typed, "reason": "Now"}).status_code == 200
    assert state_of(pending) == "pending"
    assert chief.post(verb(pending, "break_glass"), typed).status_code == 302
    fact = DomainEvent.objects.latest("sequence")
    assert (fact.type, fact.actor_id, fact.surface) == ("promotion.glass_broken", cpi_admin.public_id, "admin")
    owed = page("promotions_promotionrequest", "changelist") + "?glass=owed"
    assert "review owed" in reviewer.get(owed).content.decode()
    assert "so someone else has to review it" in chief.post(verb(pending, "approve_afterwards"), {}).content.decode()
    assert reviewer.post(verb(pending, "approve_afterwards"), {"comment": "Right so"}).status_code == 302
    assert DomainEvent.objects.latest("sequence").type == "promotion.approved_afterwards"
    reviewer.get(owed)  # which tells that it was done
    assert pending.number not in reviewer.get(owed).content.decode()
    assert pending.number in root_client.get(owed.replace("owed", "broken")).content.decode()


def test_a_verb_past_its_hidden_button_is_refused_too(things, devops):
    """Staff who may look at deliveries and tokens, and no more, can neither repeat nor revoke them by address."""
    Delivery.objects.update(state="dead")
    token, _ = issue_token(user=devops, name="pipeline", scopes=["requests:read"])
    client = staff(devops, "view_delivery", "view_apitoken")
    for address in (
        page("events_delivery", "change", Delivery.objects.first().pk).replace("/change/", "/retry/"),
        page("accounts_apitoken", "change", token.pk).replace("/change/", "/revoke/"),
    ):
        assert client.get(address).status_code == client.post(address).status_code == 403, address
    token.refresh_from_db()
    assert token.revoked_at is None
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead"}
