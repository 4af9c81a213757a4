"""Muting is for one tenant's thing: another tenant's of the same key is still told of."""

from __future__ import annotations

import importlib
import re

import pytest
from django.core import mail
from django.db import connection
from django.test import Client

from accounts.roles import Role
from accounts.services import grant_role
from events import notices, outbox
from events.models import DomainEvent, MutedSubject, NoticeChannel
from events.preferences import find_readers, is_muted, unsubscribe_token
from promotions.services import withdraw_request
from tests.api import call_as
from tickets.services import ensure_project, open_ticket
from tickets.types import PlanStep, TicketContent


@pytest.fixture
def both(devops, tenant, other_tenant):
    """TICKET-1 of both tenants; devops belongs to both. The facts of their opening."""
    grant_role(user=devops, tenant=other_tenant, role=Role.DEVOPS)
    for each in (tenant, other_tenant):
        project = ensure_project(key=f"shop-{each.slug}", by=devops, tenant=each)
        content = TicketContent(title="Same key", plan=(PlanStep("sign-off", gate=True),))
        open_ticket(project=project, content=content, by=devops, key="TICKET-1")
    return {fact.tenant: fact for fact in DomainEvent.objects.filter(type="ticket.opened").select_related("tenant")}


def skips(user, facts):
    reader = find_readers([user], NoticeChannel.EMAIL, facts)[user.pk]
    return [reader.judge(fact, "ticket_attention").skip for fact in facts]


def test_muting_one_leaves_the_other(devops, both, tenant, other_tenant):
    facts = [both[tenant], both[other_tenant]]
    notices.mute(subject_type="ticket", subject_id="TICKET-1", tenant=tenant, by=devops)
    notices.mute(subject_type="ticket", subject_id="TICKET-1", tenant=tenant, by=devops)
    assert skips(devops, facts) == ["muted it", ""]
    notices.unmute(subject_type="ticket", subject_id="TICKET-1", tenant=other_tenant, by=devops)
    assert skips(devops, facts) == ["muted it", ""]
    notices.mute(subject_type="ticket", subject_id="TICKET-1", tenant=None, by=devops)
    assert skips(devops, facts) == ["muted it", "muted it"]
    notices.unmute(subject_type="ticket", subject_id="TICKET-1", tenant=tenant, by=devops)
    assert skips(devops, facts) == ["", ""]


def test_the_button_of_a_page_means_the_ticket_on_it(browse, devops, both, tenant, other_tenant):
    client = browse(devops)
    page = client.get(f"/tickets/in/{other_tenant.slug}/TICKET-1/").content.decode()
    form = re.search(r'<form[^>]*action="/notices/mute/".*?</form>', page, re.DOTALL)
    assert form is not None
    typed = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    assert typed["tenant"] == other_tenant.slug
    assert client.post("/notices/mute/", typed).status_code == 303
    assert not is_muted(devops, "ticket", "TICKET-1", tenant.pk)
    assert is_muted(devops, "ticket", "TICKET-1", other_tenant.pk)
    assert "Hear of it again" in client.get(f"/tickets/in/{other_tenant.slug}/TICKET-1/").content.decode()
    assert "Hear of it again" not in client.get(f"/tickets/in/{tenant.slug}/TICKET-1/").content.decode()


def test_by_rest_the_tenant_is_named_where_several_have_it(devops, both, tenant, cpi):
    mine = call_as(devops)
    refused = mine.call("PUT", "/v1/me/muted/ticket/TICKET-1")
    assert (refused.status_code, refused.json()["code"]) == (409, "ambiguous_key")
    assert mine.call("PUT", f"/v1/me/muted/ticket/TICKET-1?tenant={tenant.slug}").status_code == 204
    assert [each["tenant"] for each in mine.get("/v1/me/muted").json()] == [tenant.slug]
    assert mine.call("PUT", "/v1/me/muted/ticket/TICKET-1?tenant=nobody").status_code == 404
    assert mine.call("DELETE", f"/v1/me/muted/ticket/TICKET-1?tenant={tenant.slug}").status_code == 204
    assert not MutedSubject.objects.exists()
    assert call_as(cpi).call("PUT", "/v1/me/muted/ticket/TICKET-1").status_code == 204
    assert MutedSubject.objects.get().tenant == tenant, "cpi sees only this one"


def test_a_mail_mutes_the_thing_of_its_tenant(make_request, cpi, tenant):
    promotion = make_request()
    withdraw_request(promotion=promotion, by=promotion.author)
    outbox.route_facts()
    outbox.deliver_channel("email")
    [message] = [each for each in mail.outbox if each.to == [cpi.email] and "withdrawn" in each.subject]
    address = message.extra_headers["List-Unsubscribe"].strip("<>")
    assert Client().post(address, {"what": "thing"}).status_code == 200
    muted = MutedSubject.objects.get()
    assert (muted.subject_id, muted.tenant) == (promotion.number, tenant)


def test_mails_of_long_ago_did_not_say_whose(devops, both):
    from django.core import signing

    token = signing.dumps([str(devops.public_id), "ticket_gate", "ticket", "TICKET-1"], salt="events.unsubscribe")
    assert unsubscribe_token(devops, "ticket_gate") != token
    assert Client().post(f"/notices/unsubscribe/{token}/", {"what": "thing"}).status_code == 200
    assert skips(devops, list(both.values())) == ["muted it", "muted it"]


def test_what_was_muted_before_belongs_to_the_tenants_that_have_it(devops, cpi, both, tenant, other_tenant):
    for user, thing in ((devops, "TICKET-1"), (cpi, "UNKNOWN-1")):
        notices.mute(subject_type="ticket", subject_id=thing, tenant=None, by=user)
    steps = importlib.import_module("events.migrations.0006_mutes_per_tenant")
    with connection.cursor() as cursor:
        cursor.execute(steps.FILL)
        cursor.execute(steps.DROP)
    found = MutedSubject.objects.order_by("subject_id", "tenant_id").values_list("subject_id", "tenant")
    assert list(found) == [("TICKET-1", pk) for pk in sorted((tenant.pk, other_tenant.pk))] + [("UNKNOWN-1", None)]
