"""Each step is told to exactly those whom the specification names, in one thread, with a link and nothing to click by."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import override_settings

from accounts.models import User
from accounts.roles import Role
from accounts.services import withdraw_role
from events import outbox
from events.models import Delivery
from promotions.models import PromotionRequest
from promotions.services import (
    approve_request,
    comment_on_request,
    deployment_failed,
    deployment_started,
    deployment_succeeded,
    edit_request,
    expire_request,
    reject_request,
    withdraw_request,
)
from promotions.services.transition import load
from promotions.states import DeploymentState
from tests.conftest import content


@pytest.fixture(autouse=True)
def _ops(settings):
    settings.OPS_EMAILS = ["ops@example.com"]
    settings.SITE_URL = "https://stagepass.example.com"


@pytest.fixture
def cast(devops, other_devops, cpi, other_cpi, cpi_admin, viewer, worker, outsider) -> None:
    """Everybody is there, so that who is not told is seen too."""


def send_all() -> list[mail.EmailMessage]:
    """The mails that the facts since the last call make."""
    mail.outbox.clear()
    outbox.route_facts()
    Delivery.objects.filter(channel="audit").update(state="done")
    outbox.deliver_channel("email", limit=1000)
    assert not Delivery.objects.filter(channel="email").exclude(state="done").exists()
    return list(mail.outbox)


def told(mails: list[mail.EmailMessage]) -> set[str]:
    addresses = [address.removesuffix("@example.com") for message in mails for address in message.recipients()]
    assert len(addresses) == len(set(addresses)), "somebody was told twice"
    return set(addresses)


def start(promotion: PromotionRequest) -> PromotionRequest:
    deployment = promotion.deployments.latest("id")
    type(deployment).objects.filter(pk=deployment.pk).update(state=DeploymentState.LAUNCHING)
    deployment.refresh_from_db()
    deployment_started(deployment=deployment, job_id="job-7")
    return load(promotion)


def finish(promotion: PromotionRequest, error: str = "") -> PromotionRequest:
    deployment = promotion.deployments.latest("id")
    if error:
        deployment_failed(deployment=deployment, error=error)
    else:
        deployment_succeeded(deployment=deployment, result={})
    return load(promotion)


EVERYONE = {"devops", "cpi", "other_cpi", "cpi_admin", "viewer"}


def test_each_step_is_told_to_exactly_whom_the_specification_names(cast, make_request, devops, cpi, target):
    promotion = make_request()
    created = send_all()
    assert told(created) == {"cpi", "other_cpi", "cpi_admin"}
    approved = approve_request(promotion=promotion, by=cpi, comment="Looks right")
    approval = send_all()
    assert told(approval) == {"devops"}
    running = start(approved)
    started = send_all()
    assert told(started) == {"devops", "cpi"}
    finish(running)
    succeeded = send_all()
    assert told(succeeded) == EVERYONE

    subjects = [mails[0].subject for mails in (created, approval, started, succeeded)]
    assert subjects == [
        f"[{promotion.number}] payment-api v2.1.0: approval needed",
        f"[{promotion.number}] payment-api v2.1.0: approved",
        f"[{promotion.number}] payment-api v2.1.0: deployment started",
        f"[{promotion.number}] payment-api v2.1.0: deployed",
    ]
    threads = {m.extra_headers["References"] for mails in (created, approval, started, succeeded) for m in mails}
    assert threads == {f"<promotion.{promotion.number}@stagepass.example.com>"}
    ids = [m.extra_headers["Message-ID"] for mails in (created, approval, started, succeeded) for m in mails]
    assert len(ids) == len(set(ids)) == 3 + 1 + 2 + 5


def test_a_failure_is_told_to_everyone_and_the_operators(cast, make_request, cpi, target):
    running = start(approve_request(promotion=make_request(), by=cpi))
    send_all()
    finish(running, error="disk full on prod-3 <script>")
    failed = send_all()
    assert told(failed) == EVERYONE | {"ops"}
    message = next(m for m in failed if m.recipients() == ["ops@example.com"])
    assert "disk full on prod-3 <script>" in message.body
    assert "disk full on prod-3 &lt;script&gt;" in str(message.alternatives[0][0])
    assert "List-Unsubscribe" not in message.extra_headers


def test_rejection_withdrawal_and_expiry(cast, make_request, cpi, devops, settings):
    rejected, withdrawn, expired = (make_request(target_name=f"api-{n}") for n in range(3))
    send_all()
    reject_request(promotion=rejected, by=cpi, reason="The evidence is of another build")
    rejection = send_all()
    assert told(rejection) == {"devops"}
    assert "The evidence is of another build" in rejection[0].body
    withdraw_request(promotion=withdrawn, by=devops)
    assert told(send_all()) == {"cpi", "other_cpi", "cpi_admin"}
    PromotionRequest.objects.filter(pk=expired.pk).update(expires_at="2020-01-01T00:00Z")
    expire_request(promotion=load(expired))
    assert told(send_all()) == {"devops"}


def test_an_approver_who_asks_is_not_told_of_the_own_request(cast, make_request, cpi):
    make_request(by=cpi)
    assert told(send_all()) == {"other_cpi", "cpi_admin"}


def test_every_mail_has_text_and_html_that_lead_to_the_page_and_can_be_read_safely(
    cast, make_request, cpi, target, settings
):
    promotion = make_request(justification='Because <b>"we"</b> & they need it so much')
    running = start(approve_request(promotion=promotion, by=cpi))
    finish(running)
    for message in send_all():
        html = str(message.alternatives[0][0])
        page = f"https://stagepass.example.com/requests/{promotion.number}/"
        assert page in message.body
        assert f'href="{page}"' in html
        assert "<b>" not in html
        assert "&lt;" not in message.body
        assert not re.search(r"\{[{%]|None|<script|<form", html + message.body)
        assert message.extra_headers["Auto-Submitted"] == "auto-generated"
        links = re.findall(r'href="([^"]+)"', html)
        assert not [link for link in links if "approve" in link or "reject" in link]


def test_who_loses_the_right_before_the_mail_is_sent_does_not_get_it(cast, make_request, other_cpi, tenant):
    make_request()
    outbox.route_facts()
    withdraw_role(user=other_cpi, tenant=tenant, role=Role.CPI)
    User.objects.filter(email="cpi_admin@example.com").update(is_active=False)
    assert told(send_all()) == {"cpi"}
    reasons = dict(Delivery.objects.filter(receipt__has_key="skipped").values_list("recipient", "receipt__skipped"))
    assert reasons == {
        "other_cpi@example.com": "may not see it any more",
        "cpi_admin@example.com": "the account is closed",
    }


def test_an_operator_with_an_account_is_told_once(cast, make_request, cpi, target):
    with override_settings(OPS_EMAILS=["Viewer@Example.com"]):
        running = start(approve_request(promotion=make_request(), by=cpi))
        send_all()
        finish(running, error="no")
        assert told(send_all()) == EVERYONE


def test_a_comment_is_told_to_whoever_takes_part_but_not_to_who_wrote_it(cast, make_request, devops, cpi, other_cpi):
    promotion = make_request()
    send_all()
    comment_on_request(promotion=promotion, by=devops, comment="Please look at the refunds")
    opening = send_all()
    assert told(opening) == {"cpi", "other_cpi", "cpi_admin"}, "nobody else spoke yet: whoever may decide is asked"
    comment_on_request(promotion=promotion, by=cpi, comment="Which refunds? <b>")
    answer = send_all()
    assert told(answer) == {"devops"}
    assert "Which refunds? <b>" in answer[0].body
    assert "Which refunds? &lt;b&gt;" in str(answer[0].alternatives[0][0])
    assert "List-Unsubscribe" in answer[0].extra_headers
    comment_on_request(promotion=promotion, by=other_cpi, comment="All of them")
    assert told(send_all()) == {"devops", "cpi"}
    reject_request(promotion=promotion, by=other_cpi, reason="Refunds are broken")
    send_all()
    comment_on_request(promotion=load(promotion), by=devops, comment="A pity")
    assert told(send_all()) == {"cpi", "other_cpi"}


def test_an_edit_is_told_to_whoever_may_decide_while_it_can_be_decided(cast, make_request, devops, cpi):
    promotion = make_request()
    send_all()
    edited = edit_request(promotion=promotion, content=content(version="2.2.0", release_notes="Other"), by=devops)
    mails = send_all()
    assert told(mails) == {"cpi", "other_cpi", "cpi_admin"}
    assert mails[0].subject == f"[{promotion.number}] payment-api v2.2.0: changed, review it again"
    assert "devops@example.com changed release notes, version." in mails[0].body
    edit_request(promotion=edited, content=content(version="2.3.0"), by=devops)
    reject_request(promotion=load(promotion), by=cpi, reason="Make up your mind first")
    assert told(send_all()) == {"devops"}, "what is decided need not be read again"
