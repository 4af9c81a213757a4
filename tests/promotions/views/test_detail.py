"""One request on its page: reading, deciding, and every way to come too late."""

from __future__ import annotations

import pytest

from events.models import DomainEvent
from promotions.models import PromotionRequest, RunningVersion
from promotions.services import approve_request, break_glass, edit_request
from promotions.services.transition import load
from promotions.states import State
from tests.conftest import content


def page(client, promotion) -> str:
    return client.get(f"/requests/{promotion.number}/").content.decode()


def follow(response):
    assert response.status_code == 303
    return response.client.get(response.headers["Location"])


def test_what_one_may_not_see_does_not_exist(browse, pending, outsider, other_devops, worker):
    for user in (outsider, other_devops, worker):
        for path in ("", "approve/", "edit/", "comment/"):
            method = "post" if path == "comment/" else "get"
            assert getattr(browse(user), method)(f"/requests/{pending.number}/{path}").status_code == 404


def test_get_changes_nothing(browse, pending, cpi):
    facts = DomainEvent.objects.count()
    client = browse(cpi)
    for path in ("", "approve/", "reject/", "withdraw/", "cancel/", "retry/", "roll-back/", "break-glass/", "object/"):
        assert client.get(f"/requests/{pending.number}/{path}").status_code == 200
    assert client.get(f"/requests/{pending.number}/nonsense/").status_code == 404
    assert (load(pending).state, DomainEvent.objects.count()) == (State.PENDING, facts)


def test_approve_by_the_page_carries_the_digest_and_says_so(browse, pending, cpi, target):
    asked = browse(cpi).get(f"/requests/{pending.number}/approve/").content.decode()
    assert pending.digest in asked
    response = browse(cpi).post(
        f"/requests/{pending.number}/approve/", {"approve-digest": pending.digest, "approve-comment": "Fine"}
    )
    assert f"You approved {pending.number}" in follow(response).content.decode()
    approved = load(pending)
    assert (approved.state, approved.approval_comment) == (State.APPROVED, "Fine")
    assert DomainEvent.objects.get(type="promotion.approved").surface == "page"


def test_my_own_request_shows_why_not_and_a_forced_post_is_refused(browse, make_request, cpi):
    own = make_request(by=cpi)
    text = page(browse(cpi), own)
    assert "Cannot approve your own request" in text
    assert f"/requests/{own.number}/approve/" not in text
    response = browse(cpi).post(f"/requests/{own.number}/approve/", {"approve-digest": own.digest})
    assert "Cannot approve your own request" in follow(response).content.decode()
    assert load(own).state == State.PENDING


def test_a_viewer_reads_why_the_buttons_are_off(browse, pending, viewer):
    text = page(browse(viewer), pending)
    assert "that takes the CPI role" in text
    assert "Your role may read requests but not comment" in text


def test_the_second_decision_is_told_who_was_first_and_sees_the_state(browse, pending, cpi, other_cpi, target):
    approve_request(promotion=pending, by=cpi)
    for verb, typed in (("approve", {"approve-digest": pending.digest}), ("reject", {"reject-reason": "Too late now"})):
        text = follow(browse(other_cpi).post(f"/requests/{pending.number}/{verb}/", typed)).content.decode()
        assert cpi.email in text
        assert "Approved" in text


def test_content_that_changed_since_the_page_was_read_is_not_approved(browse, pending, devops, cpi):
    edit_request(promotion=pending, content=content(version="2.2.0"), by=devops)
    response = browse(cpi).post(f"/requests/{pending.number}/approve/", {"approve-digest": pending.digest})
    assert "changed since you reviewed it (version)" in follow(response).content.decode()
    response = browse(cpi).post(f"/requests/{pending.number}/approve/", {})
    assert "changed since you reviewed it" in follow(response).content.decode()
    assert load(pending).state == State.PENDING


@pytest.mark.parametrize("htmx", [False, True])
def test_a_short_reason_comes_back_beside_its_field_with_what_was_typed(htmx, browse, pending, cpi):
    headers = {"HX-Request": "true"} if htmx else {}
    response = browse(cpi).post(f"/requests/{pending.number}/reject/", {"reject-reason": "too short"}, headers=headers)
    text = response.content.decode()
    assert response.status_code == 422
    assert "at least 10 characters; this has 9" in text
    assert ">\ntoo short</textarea>" in text
    assert ("<html" in text) is not htmx
    assert load(pending).state == State.PENDING


def test_htmx_is_led_on_by_header(browse, pending, cpi):
    response = browse(cpi).post(
        f"/requests/{pending.number}/reject/",
        {"reject-reason": "Wrong evidence linked"},
        headers={"HX-Request": "true"},
    )
    assert (response.status_code, response.headers["HX-Redirect"]) == (204, f"/requests/{pending.number}/")
    assert load(pending).rejection_reason == "Wrong evidence linked"


def test_comment_withdraw_and_roll_back(browse, pending, devops, cpi, tenant, target):
    client = browse(devops)
    client.post(f"/requests/{pending.number}/comment/", {"say-comment": "Any news? <b>bold</b>"})
    assert "Any news? &lt;b&gt;bold&lt;/b&gt;" in page(client, pending)
    assert client.post(f"/requests/{pending.number}/comment/", {"say-comment": " "}).status_code == 422
    client.post(f"/requests/{pending.number}/withdraw/", {})
    assert load(pending).state == State.WITHDRAWN


def test_what_changes_is_a_diff_against_the_last_deployed_request(browse, make_request, tenant, devops, cpi, viewer):
    before = make_request(version="2.0.0", release_notes="- One\n- Two\n", tickets=("TICKET-001",))
    PromotionRequest.objects.filter(pk=before.pk).update(
        state="deployed", approved_by=cpi, approved_at=before.created_at, approved_digest=before.digest,
        deployed_at=before.created_at,
    )  # fmt: skip
    RunningVersion.objects.create(
        tenant=tenant,
        environment="prod",
        target_type="api",
        target_name="payment-api",
        version="2.0.0",
        promotion=before,
    )
    candidate = make_request(version="2.1.0", release_notes="- One\n- Three\n", tickets=("TICKET-002",))
    comparison = browse(cpi).get(f"/requests/{candidate.number}/").context["comparison"]
    assert comparison.against == before
    changes = {change.label: change for change in comparison.changes}
    assert (changes["Version"].before, changes["Version"].after) == (["2.0.0"], ["2.1.0"])
    assert (changes["Tickets"].before, changes["Tickets"].after) == (["TICKET-001"], ["TICKET-002"])
    assert [(line["sign"], line["text"]) for line in changes["Release notes"].lines] == [
        ("", "- One"), ("−", "- Two"), ("+", "- Three"),
    ]  # fmt: skip


def test_the_content_of_a_request_one_may_not_see_stays_out_of_the_diff(
    browse, make_request, tenant, other_devops, devops, cpi
):
    hidden = make_request(by=other_devops, version="2.0.0", release_notes="Secret of another team")
    PromotionRequest.objects.filter(pk=hidden.pk).update(
        state="deployed", approved_by=cpi, approved_at=hidden.created_at, approved_digest=hidden.digest,
        deployed_at=hidden.created_at,
    )  # fmt: skip
    RunningVersion.objects.create(
        tenant=tenant,
        environment="prod",
        target_type="api",
        target_name="payment-api",
        version="2.0.0",
        promotion=hidden,
    )
    mine = make_request(by=devops, version="2.1.0")
    text = page(browse(devops), mine)
    assert "Secret of another team" not in text
    assert hidden.number not in text
    assert "2.0.0" in text


def test_the_page_makes_at_most_eight_queries(browse, pending, cpi, django_assert_max_num_queries, devops):
    client = browse(cpi)
    for number in range(40):
        browse(devops).post(f"/requests/{pending.number}/comment/", {"say-comment": f"Comment {number}"})
    with django_assert_max_num_queries(8):
        client.get(f"/requests/{pending.number}/")


def test_several_low_impact_requests_are_approved_together_each_by_its_digest(
    browse, make_request, cpi, devops, target
):
    first, second = make_request(), make_request(target_name="ledger")
    high, own = make_request(target_name="vault", impact="high"), make_request(by=cpi, target_name="rates")
    ticked = "&".join(f"number={one.number}" for one in (first, second, high, own))
    asked = browse(cpi).get(f"/requests/approve/?{ticked}")
    assert asked.context["left_out"] == [high.number, own.number]
    assert all(one.digest[:16] in asked.content.decode() for one in (first, second))
    edit_request(promotion=second, content=content(target_name="ledger", version="9.9.9"), by=devops)
    pairs = [f"{one.number}@{one.digest}" for one in (first, second, high, own)]
    outcomes = browse(cpi).post("/requests/approve/", {"approve": pairs}).context["outcomes"]
    assert [bool(outcome.refused) for outcome in outcomes] == [False, True, True, True]
    assert [load(one).state for one in (first, second, high, own)] == ["approved", "pending", "pending", "pending"]


WHY = "Payments are down and nobody answers"


def test_breaking_the_glass_is_offered_to_those_who_may_and_seen_by_all(
    browse, pending, devops, cpi, cpi_admin, target
):
    for user in (devops, cpi):
        assert "Break the glass" not in page(browse(user), pending)
    address = f"/requests/{pending.number}/break-glass/"
    assert address in page(browse(cpi_admin), pending)
    asked = browse(cpi_admin).get(address).content.decode()
    assert "within 24 hours" in asked
    assert pending.digest in asked
    short = browse(cpi_admin).post(address, {"break_glass-reason": "Now", "break_glass-digest": pending.digest})
    assert (short.status_code, load(pending).review) == (422, "none")
    assert "at least 20 characters" in short.content.decode()
    typed = {"break_glass-reason": WHY, "break_glass-digest": pending.digest}
    assert browse(cpi).post(address, typed).status_code == 303
    assert load(pending).review == "none"
    done = follow(browse(cpi_admin).post(address, typed)).content.decode()
    assert "You broke the glass, so someone else has to review it." in done
    for user in (devops, cpi, cpi_admin):
        shown = page(browse(user), pending)
        assert "Glass broken, review owed" in shown
        assert "Glass broken: deploys before any approval" in shown
        assert WHY in shown
        assert "Awaiting a review by someone else" in shown
        assert "Glass broken, review owed" in browse(user).get("/requests/").content.decode()
        assert "Glass broken, review owed" in browse(user).get("/requests/?view=table").content.decode()
    assert "Cannot review your own request" in page(browse(devops), pending)
    assert DomainEvent.objects.get(type="promotion.glass_broken").surface == "page"


def test_the_review_waits_on_the_overview_until_it_is_done(browse, pending, devops, cpi, cpi_admin, target):
    break_glass(promotion=pending, by=cpi_admin, reason=WHY)
    assert f"/requests/{pending.number}/approve-afterwards/" in browse(cpi).get("/").content.decode()
    for user in (devops, cpi_admin):
        assert f"/requests/{pending.number}/approve-afterwards/" not in browse(user).get("/").content.decode()
    done = follow(browse(cpi).post(f"/requests/{pending.number}/object/", {"object-reason": "It should have waited"}))
    assert "ask for a rollback" in done.content.decode()
    assert "It should have waited" in page(browse(devops), pending)
    assert f"/requests/{pending.number}/object/" not in browse(cpi).get("/").content.decode()
    late = follow(browse(cpi).post(f"/requests/{pending.number}/approve-afterwards/", {}))
    assert "has objected to it already" in late.content.decode()


def test_a_thing_can_be_muted_on_its_page(browse, pending, cpi):
    client = browse(cpi)
    assert "Mute" in page(client, pending)
    wish = {
        "subject_type": "promotion",
        "subject_id": pending.number,
        "next": f"/requests/{pending.number}/",
        "muted": "yes",
    }
    assert "Hear of it again" in follow(client.post("/notices/mute/", wish)).content.decode()
