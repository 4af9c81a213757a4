"""A ticket in QA asks for production by a promotion request; its deployment releases exactly what was approved."""

from __future__ import annotations

import pytest

from core.errors import Conflict, NotAllowed
from events import outbox
from iep.models import Application, Release
from iep.services import close_stamp, promote_stamp, rebase_stamp, revert_stamp
from iep.services.change import load
from iep.types import Outcome, Verdict
from promotions.models import PromotionRequest
from promotions.services import approve_request, reject_request
from promotions.services.judgement import judge
from promotions.types import PRE_CHECKS
from tests.iep.conftest import BASE, _blobs_of_this_test, digest_of, production, release, save, shop  # noqa: F401
from tests.promotions.deploying import ended, launched, record

pytestmark = pytest.mark.django_db
NEW = b'export const cart = "new";'


@pytest.fixture
def asked(shop, save, devops):  # noqa: F811
    """A stamp in QA that waits for its request."""
    Application.objects.filter(pk=shop.pk).update(sign_off=True)
    shop.refresh_from_db()
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=stamp, by=devops)
    promoted = promote_stamp(stamp=load(stamp), by=devops, message="The new cart, as agreed with the shop team.")
    assert promoted.release is None
    return promoted.stamp


def deploy(number: str):
    promotion = PromotionRequest.objects.get(number=number)
    record(promotion)
    return ended(launched(promotion.deployments.get()))


def test_an_approved_request_releases_the_ticket(shop, asked, cpi):  # noqa: F811
    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    assert (promotion.target_name, promotion.version, promotion.tickets) == ("shop/TKT-001", "TKT-001.1", ["TKT-001"])
    assert asked.stage == "qa"
    assert production(shop)["src/cart.js"] == digest_of(BASE["src/cart.js"]), "nothing before the approval"
    approve_request(promotion=promotion, by=cpi)
    assert deploy(promotion.number).state == "succeeded"
    stamp = load(asked)
    assert (stamp.stage, stamp.sign_off) == ("prod", "")
    assert production(shop)["src/cart.js"] == digest_of(NEW)
    released = Release.objects.get(revision=2)
    assert (released.request, released.approvals[0]["by"]) == (promotion.number, cpi.email)
    assert released.by is None
    assert revert_stamp(stamp=stamp, by=cpi).stage == "qa"


class Fine:
    def __init__(self, outcome: str = "pass") -> None:
        self.outcome = outcome

    def check(self, step):
        return Verdict("", Outcome(self.outcome), "412 tests ran.")


def test_what_no_policy_checked_is_not_said_to_have_passed(asked):
    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    assert not any(getattr(promotion, field) for field in PRE_CHECKS)
    shown = {verdict.title: verdict for verdict in judge(promotion)}
    for title in ("Staging tests", "Security scan", "Performance tests"):
        assert shown[title].outcome == "warn"
        assert "counts as not passed" in shown[title].reason


def test_the_request_shows_what_the_policies_said(shop, save, devops, cpi, settings, browse):  # noqa: F811
    where = {"BACKEND": "tests.promotions.test_sign_off.Fine"}
    settings.IEP_POLICIES = {"staging tests": where, "style": where | {"OPTIONS": {"outcome": "warn"}}}
    Application.objects.filter(pk=shop.pk).update(sign_off=True, policies=["staging tests", "style"])
    stamp = load(save("TKT-001", {"src/cart.js": NEW}).stamp)
    promote_stamp(stamp=stamp, by=devops)
    number = promote_stamp(stamp=load(stamp), by=devops).asked
    promotion = PromotionRequest.objects.get(number=number)
    assert (promotion.staging_tests_passed, promotion.security_scan_passed) == (True, False)
    shown = {verdict.title: (verdict.outcome, verdict.reason) for verdict in judge(promotion)}
    assert shown["Staging tests"] == ("pass", "412 tests ran")
    assert shown["Style"] == ("warn", "412 tests ran")
    assert shown["Security scan"][0] == "warn"
    reject_request(promotion=promotion, by=cpi, reason="The cart loses items in Safari.")
    page = browse(cpi).get(f"/requests/{number}/").content.decode()
    assert "412 tests ran" in page, "also once the ticket no longer waits for it"
    assert "asked of revision 1" in page


def test_nobody_goes_round_the_request(asked, cpi):
    with pytest.raises(Conflict) as refusal:
        promote_stamp(stamp=asked, by=cpi)
    assert refusal.value.code == "waiting_for_sign_off"
    for step in (revert_stamp, close_stamp, rebase_stamp):
        with pytest.raises(Conflict) as refusal:
            step(stamp=asked, by=cpi)
        assert refusal.value.code == "waiting_for_sign_off"
    assert load(asked).stage == "qa"


def test_nobody_approves_their_own(asked, devops):
    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    with pytest.raises(NotAllowed):
        approve_request(promotion=promotion, by=devops)


def test_a_rejected_ticket_may_ask_again(asked, cpi, devops):
    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    reject_request(promotion=promotion, by=cpi, reason="The cart loses items in Safari.")
    outbox.route_facts()
    assert outbox.deliver_channel("import maps") == 1
    assert load(asked).sign_off == ""
    assert promote_stamp(stamp=load(asked), by=devops).asked != promotion.number


def test_production_that_moved_under_it_fails_the_deployment(shop, asked, save, cpi, devops):  # noqa: F811
    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    approve_request(promotion=promotion, by=cpi)
    Application.objects.filter(pk=shop.pk).update(sign_off=False)
    other = save("TKT-002", {"src/cart.js": b"other"}).stamp
    promote_stamp(stamp=other, by=devops)
    promote_stamp(stamp=load(other), by=cpi)
    record(promotion)
    attempt = promotion.deployments.get()
    from promotions.services.engine import launch

    launch(attempt)
    attempt.refresh_from_db()
    assert attempt.state == "failed"
    assert "Rebase" in attempt.error
    assert production(shop)["src/cart.js"] == digest_of(b"other")


def test_a_release_happens_once_however_often_it_is_started(shop, asked, cpi):  # noqa: F811
    from promotions.deployers.import_maps import ImportMapDeployer
    from promotions.services.engine import job_of

    promotion = PromotionRequest.objects.get(number=asked.sign_off)
    approve_request(promotion=promotion, by=cpi)
    job = job_of(promotion.deployments.get())
    assert ImportMapDeployer().start(job) == ImportMapDeployer().start(job) == "r2"
    assert Release.objects.filter(application=shop).count() == 2
