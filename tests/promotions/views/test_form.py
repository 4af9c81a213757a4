"""The form of a request: rules beside the fields, nothing typed is lost, twice sent is once made."""

from __future__ import annotations

import pytest

from promotions.models import PromotionRequest, RunningVersion
from promotions.services import approve_request
from promotions.services.transition import load

TYPED = {
    "tenant": "tenant-finance",
    "target_type": "api",
    "target_name": "payment-api",
    "version": "2.1.0",
    "justification": "New PCI-DSS compliant payment flow",
    "release_notes": "- Added **3DS2**\r\n- Fixed timeouts",
    "tickets": "TICKET-001, TICKET-002",
    "impact": "medium",
    "rollback_plan": "Revert to v2.0.0",
    "scheduled_at": "",
    "staging_tests_passed": "on",
    "security_scan_passed": "on",
    "test_evidence_url": "https://ci.example.com/1",
}


def test_a_filled_form_makes_a_request(browse, devops):
    response = browse(devops).post("/requests/new/", TYPED)
    made = PromotionRequest.objects.get()
    assert (response.status_code, response.headers["Location"]) == (303, f"/requests/{made.number}/")
    assert (made.target_name, made.impact, made.tickets) == ("payment-api", "medium", ["TICKET-001", "TICKET-002"])
    assert made.release_notes == "- Added **3DS2**\n- Fixed timeouts"
    assert made.performance_tests_passed is False


def test_every_fault_is_beside_its_field_and_everything_typed_is_still_there(browse, devops):
    wrong = {**TYPED, "justification": "Too short <x>", "version": "2,1", "test_evidence_url": "no address"}
    del wrong["staging_tests_passed"]
    response = browse(devops).post("/requests/new/", wrong)
    text = response.content.decode()
    assert response.status_code == 422
    faults = response.context["form"].errors
    assert set(faults) == {"justification", "version", "test_evidence_url", "staging_tests_passed"}
    assert faults["justification"] == ["Say why in at least 20 characters; this has 13."]
    assert 'id="id_justification_error"' in text
    assert 'aria-describedby="id_justification_helptext id_justification_error"' in text
    assert "Too short &lt;x&gt;</textarea>" in text
    assert "- Added **3DS2**\r\n- Fixed timeouts</textarea>" in text
    assert 'value="2,1"' in text
    assert not PromotionRequest.objects.exists()


def test_a_date_that_cannot_be_read_is_a_fault_not_as_soon_as_possible(browse, devops):
    response = browse(devops).post("/requests/new/", {**TYPED, "scheduled_at": "next tuesday"})
    assert response.status_code == 422
    assert "scheduled_at" in response.context["form"].errors
    assert not PromotionRequest.objects.exists()


def test_dates_are_in_the_zone_of_the_person(browse, devops):
    devops.time_zone = "Europe/Paris"
    devops.save()
    browse(devops).post("/requests/new/", {**TYPED, "scheduled_at": "2031-07-01T09:30"})
    assert PromotionRequest.objects.get().scheduled_at.isoformat() == "2031-07-01T07:30:00+00:00"


def test_sent_twice_is_made_once_and_leads_to_the_same_page(browse, devops):
    client = browse(devops)
    first, second = client.post("/requests/new/", TYPED), client.post("/requests/new/", TYPED)
    assert (second.status_code, second.headers["Location"]) == (303, first.headers["Location"])
    assert PromotionRequest.objects.count() == 1


def test_another_active_request_of_the_target_is_named(browse, devops, other_devops):
    browse(other_devops).post("/requests/new/", TYPED)
    response = browse(devops).post("/requests/new/", {**TYPED, "version": "2.2.0"})
    assert response.status_code == 422
    assert "already has PR-" in response.context["form"].errors["target_name"][0]


def test_an_ended_session_gives_the_draft_back_after_signing_in(client, devops):
    typed = {**TYPED, "justification": "Half a thought", "drafted_by": str(devops.public_id)}
    response = client.post("/requests/new/", typed)
    assert response.status_code == 302
    assert response.headers["Location"] == "/accounts/login/?next=/requests/new/"
    client.force_login(devops)
    text = client.get("/requests/new/").content.decode()
    assert "Half a thought</textarea>" in text
    assert 'value="TICKET-001, TICKET-002"' in text
    assert "Your draft is back" in text
    client.post("/requests/new/", {**TYPED, "drafted_by": str(devops.public_id)})
    assert "Half a thought" not in client.get("/requests/new/").content.decode()


def test_the_draft_of_someone_else_is_not_shown(client, devops, other_devops):
    client.post("/requests/new/", {**TYPED, "justification": "My own words", "drafted_by": str(devops.public_id)})
    client.force_login(other_devops)
    assert "My own words" not in client.get("/requests/new/").content.decode()


def test_preview_without_javascript_keeps_the_form(browse, devops):
    text = browse(devops).post("/requests/new/", {**TYPED, "justification": "", "preview": "1"}).content.decode()
    assert "<strong>3DS2</strong>" in text
    assert "field--bad" not in text
    assert not PromotionRequest.objects.exists()


def test_the_preview_is_safe(browse, devops):
    notes = "<script>alert(1)</script> [x](javascript:alert(1)) <img src=x onerror=y> **b**"
    text = browse(devops).post("/requests/preview/", {"release_notes": notes}).content.decode()
    assert "<script" not in text
    assert "<img" not in text
    assert 'href="javascript' not in text
    assert "<strong>b</strong>" in text


def test_versions_come_from_what_staging_runs(browse, devops, tenant):
    RunningVersion.objects.create(
        tenant=tenant, environment="staging", target_type="api", target_name="payment-api", version="2.1.0"
    )
    client = browse(devops)
    assert [service.target_name for service in client.get("/requests/new/").context["candidates"]] == ["payment-api"]
    address = "/requests/new/version/?tenant=tenant-finance&target_type=api&target_name=payment-api&version="
    text = client.get(address + "2.2.0").content.decode()
    assert '<option value="2.1.0">in staging</option>' in text
    assert "Staging runs 2.1.0, not 2.2.0" in text
    assert "You may go on" not in client.get(address + "2.1.0").content.decode()
    response = client.post("/requests/new/", {**TYPED, "version": "2.2.0"})
    assert response.status_code == 303


def test_what_runs_in_other_tenants_is_not_told(browse, outsider, tenant):
    RunningVersion.objects.create(
        tenant=tenant, environment="staging", target_type="api", target_name="payment-api", version="2.1.0"
    )
    client = browse(outsider)
    address = "/requests/new/version/?tenant=tenant-finance&target_type=api&target_name=payment-api&version="
    assert "2.1.0" not in client.get(address).content.decode()
    assert client.get("/requests/new/").context["candidates"] == []


@pytest.mark.parametrize("person", ["viewer", "worker"])
def test_those_who_may_not_ask_are_told_why(person, request, browse):
    response = browse(request.getfixturevalue(person)).get("/requests/new/")
    assert response.status_code == 403
    assert "Ask a tenant admin for the DevOps role" in response.content.decode()


def test_a_tenant_of_others_cannot_be_named(browse, outsider, tenant):
    browse(outsider).post("/requests/new/", TYPED)
    assert not PromotionRequest.objects.filter(tenant=tenant).exists()


def test_edit_changes_a_pending_request_of_my_own_only(browse, pending, devops, cpi, target):
    client = browse(devops)
    assert "3DS2" in client.get(f"/requests/{pending.number}/edit/").content.decode()
    assert browse(cpi).get(f"/requests/{pending.number}/edit/").status_code == 403
    response = client.post(
        f"/requests/{pending.number}/edit/", {**TYPED, "target_name": "something-else", "version": "2.1.1"}
    )
    assert response.status_code == 303
    changed = load(pending)
    assert (changed.target_name, changed.version) == ("payment-api", "2.1.1")
    approve_request(promotion=changed, by=cpi)
    response = client.post(f"/requests/{pending.number}/edit/", {**TYPED, "version": "3"}, follow=True)
    assert "Request not pending" in response.content.decode()
    assert load(pending).version == "2.1.1"


def test_two_tabs_of_the_same_edit_do_not_overwrite_each_other_unseen(browse, pending, devops):
    client, address = browse(devops), f"/requests/{pending.number}/edit/"
    opened = client.get(address)
    assert f'name="digest" value="{pending.digest}"' in opened.content.decode()
    first = {**TYPED, "digest": pending.digest, "version": "2.2.0"}
    assert client.post(address, first).status_code == 303
    second = client.post(address, {**TYPED, "digest": pending.digest, "version": "2.3.0"})
    text = second.content.decode()
    assert second.status_code == 422
    assert "changed since you opened it" in text
    assert "2.3.0" in text
    assert load(pending).version == "2.2.0"
    again = {**TYPED, "digest": load(pending).digest, "version": "2.3.0"}
    assert f'name="digest" value="{load(pending).digest}"' in text
    assert client.post(address, again).status_code == 303
    assert load(pending).version == "2.3.0"
