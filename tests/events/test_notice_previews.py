"""Staff look at every mail, about an invented fact or a real one; the frame neither runs nor loads anything."""

from __future__ import annotations

import re

import pytest

from accounts.models import User
from accounts.roles import Role
from events.models import DomainEvent
from events.notifiers.base import notice_kinds


@pytest.fixture
def staff(browse, cpi):
    User.objects.filter(pk=cpi.pk).update(is_staff=True)
    cpi.refresh_from_db()
    return browse(cpi)


@pytest.mark.parametrize("kind", sorted(notice_kinds()))
def test_every_kind_can_be_looked_at_before_it_happens(staff, kind):
    page = staff.get(f"/deliveries/mails/?kind={kind}")
    assert page.status_code == 200
    html = staff.get(f"/deliveries/mails/{kind}/").content.decode()
    assert not re.search(r"<(img|script|link|iframe)\b|src=|url\(", html), "nothing remote"
    assert "<h1" in html
    text = page.content.decode().partition("As text")[2]
    assert "{{" not in html + text
    assert "None" not in text.partition("<pre")[2].partition("</pre>")[0]


def test_the_mail_is_framed_by_ourselves_alone_and_runs_nothing(staff, pending):
    answer = staff.get("/deliveries/mails/request_created/")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "sandbox" in policy
    assert "script-src 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-src 'self'" in staff.get("/deliveries/mails/").headers["Content-Security-Policy"]


def test_a_fact_that_happened_and_the_dark_look(staff, pending, cpi):
    fact = DomainEvent.objects.get(type="promotion.created")
    assert pending.number in staff.get(f"/deliveries/mails/?kind=request_created&fact={fact.sequence}").content.decode()
    light = staff.get(f"/deliveries/mails/request_created/?fact={fact.sequence}").content.decode()
    dark = staff.get(f"/deliveries/mails/request_created/?fact={fact.sequence}&look=dark").content.decode()
    assert pending.number in light
    assert ("@media all" in dark, "@media all" in light) == (True, False)
    assert "SAMPLE" not in light


def test_it_is_for_staff_and_for_what_they_may_see(browse, devops, staff, make_user, other_tenant, make_request):
    assert browse(devops).get("/deliveries/mails/").status_code == 404
    assert browse(devops).get("/deliveries/mails/request_created/").status_code == 404
    assert staff.get("/deliveries/mails/nonsense/").status_code == 404
    stranger = make_user("stranger", other_tenant, Role.DEVOPS)
    hidden = make_request(by=stranger, in_tenant=other_tenant)
    fact = DomainEvent.objects.get(type="promotion.created")
    assert (
        hidden.number not in staff.get(f"/deliveries/mails/?kind=request_created&fact={fact.sequence}").content.decode()
    )
