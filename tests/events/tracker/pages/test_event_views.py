"""One event: its page, recording, changing, ending and commenting it, and what is kept when that is refused."""

from __future__ import annotations

import datetime as dt

import pytest

from core.clock import now
from events.models import DomainEvent, Event, EventChange, Lock
from events.tracker.records import update_event
from events.tracker.vocabulary import Status
from tests.events.tracker.pages.conftest import queries_of
from tickets.services import ensure_project, open_ticket
from tickets.types import TicketContent


def typed(**changes) -> dict[str, str]:
    """What a person fills in, with changes."""
    return {
        "tenant": "tenant-finance", "type": "4", "title": "Pool exhausted", "service": "database", "environment": "7",
        "status": "9", "priority": "1", "impact": "3", "message": "Line one\r\nline two", "owner": "ops",
        "stakeholders": "backend, frontend", "started_at": "2026-11-20T10:00", "ticket": "INC-1",
    } | changes  # fmt: skip


def test_times_are_utc_whatever_the_persons_zone_is(browse, devops):
    devops.time_zone = "Asia/Tokyo"
    devops.save()
    browse(devops).post("/events/new/", typed())
    event = Event.objects.get()
    assert event.started_at == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert browse(devops).get(f"/events/{event.pk}/edit/").context["form"]["started_at"].value() == "2026-11-20T10:00"
    assert ">10:00</span>" in browse(devops).get("/events/calendar/?by=week&day=2026-11-20").content.decode()


def test_recording_keeps_what_was_typed(browse, devops, make_event, tenant):
    led_to = make_event("Deploy database")
    response = browse(devops).post("/events/new/", typed(related_id=str(led_to.pk)))
    event = Event.objects.get(title="Pool exhausted")
    assert response.url == f"/events/{event.pk}/"
    assert event.tenant == tenant
    assert (event.type, event.status, event.priority, event.impact, event.environment) == (4, 9, 1, 3, 7)
    assert event.message == "Line one\nline two"
    assert event.stakeholders == ["backend", "frontend"]
    assert event.started_at == dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
    assert (event.related, event.ticket, event.source) == (led_to, "INC-1", "console")
    assert DomainEvent.objects.latest("sequence").actor_label == devops.email


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"), ({"service": ""}, "service"), ({"type": ""}, "type"), ({"type": "77"}, "type"),
        ({"status": "99999"}, "status"), ({"environment": "x"}, "environment"), ({"impact": "9"}, "impact"),
        ({"ended_at": "2026-11-19T10:00"}, "ended_at"), ({"started_at": "yesterday"}, "started_at"),
        ({"pull_request_link": "javascript:alert(1)"}, "pull_request_link"), ({"ticket": "x" * 300}, "ticket"),
        ({"related_id": "nothing-like-it"}, "related_id"), ({"tenant": "tenant-retail"}, "tenant"),
        ({"owner": "a\x00b"}, "owner"),
    ],
)  # fmt: skip
def test_faults_stand_beside_their_fields_and_nothing_typed_is_lost(changes, field, browse, devops, outsider):
    response = browse(devops).post("/events/new/", typed(**changes))
    assert response.status_code == 422
    assert field in response.context["form"].errors
    page = response.content.decode()
    assert "line two" in page
    assert 'id="id_service_field"' in page
    assert not Event.objects.exists()


def test_a_draft_outlives_the_session(client, devops):
    response = client.post("/events/new/", typed())
    assert response.url.startswith("/accounts/login/")
    assert not Event.objects.exists()
    page = client.get("/events/new/")
    assert page.status_code == 302
    form = typed(drafted_by=str(devops.public_id))
    client.post("/events/new/", form)
    client.force_login(devops)
    page = client.get("/events/new/").content.decode()
    assert "Your draft is back" in page
    assert "Pool exhausted" in page


def test_a_link_fills_the_form(browse, devops):
    form = browse(devops).get("/events/new/?type=operation&service=vault&title=Rotate&environment=UAT").context["form"]
    assert (form["type"].value(), form["service"].value(), form["title"].value()) == ("2", "vault", "Rotate")
    assert (form["environment"].value(), form["status"].value()) == (4, int(Status.start))


def test_only_who_may_record_can_record_and_change(browse, make_event, viewer, outsider, cpi):
    event = make_event(status=12)
    for address in ("/events/new/", *(f"/events/{event.pk}/{verb}/" for verb in ("edit", "succeed"))):
        assert browse(viewer).get(address).status_code == 403
        assert browse(viewer).post(address, typed()).status_code == 403
    assert browse(viewer).post(f"/events/{event.pk}/comment/", {"say-comment": "Hello"}).status_code == 422
    for verb in ("", "edit/", "succeed/"):
        assert browse(outsider).get(f"/events/{event.pk}/{verb}").status_code == 404
    assert browse(outsider).post(f"/events/{event.pk}/comment/", {"say-comment": "Hello"}).status_code == 404
    assert browse(cpi).get(f"/events/{event.pk}/nonsense/").status_code == 404
    assert Event.objects.count() == 1
    assert not EventChange.objects.exists()


def test_changing_shows_what_it_is_and_keeps_seconds_and_machine_words(browse, make_event, devops):
    begun = dt.datetime(2026, 11, 20, 10, 0, 31, tzinfo=dt.UTC)
    event = make_event(status=6, started_at=begun, stakeholders=["a", "b"], slack_id="17.4")
    client = browse(devops)
    form = client.get(f"/events/{event.pk}/edit/").context["form"]
    sent = {name: form[name].value() or "" for name in form.fields}
    assert sent["status"] == 6
    assert client.post(f"/events/{event.pk}/edit/", sent | {"title": "Deploy ledger 2"}).status_code == 303
    event.refresh_from_db()
    assert (event.title, event.status, event.started_at, event.slack_id) == ("Deploy ledger 2", 6, begun, "17.4")
    assert [line.field for line in event.changes.all()] == ["title"]


def test_the_slower_of_two_is_told_and_keeps_what_was_typed(browse, make_event, devops, cpi):
    event = make_event()
    client = browse(devops)
    form = client.get(f"/events/{event.pk}/edit/").context["form"]
    sent = {name: form[name].value() or "" for name in form.fields} | {"title": "Mine"}
    update_event(event=event, content={"owner": "cpi-team", "priority": 2}, by=cpi)
    response = client.post(f"/events/{event.pk}/edit/", sent)
    assert response.status_code == 422
    page = response.content.decode()
    assert "in the meantime" in page
    assert "Mine" in page
    event.refresh_from_db()
    assert event.title == "Deploy ledger"
    again = sent | {"seen": response.context["form"]["seen"].value()}
    assert client.post(f"/events/{event.pk}/edit/", again).status_code == 303
    assert client.post(f"/events/{event.pk}/edit/", sent | {"seen": "nonsense"}).status_code == 422


def test_an_incident_is_closed_with_a_last_word_and_opened_again(browse, make_event, devops):
    event = make_event("Pool exhausted", type=4, status=9)
    client, address = browse(devops), f"/events/{event.pk}/"
    assert f"{address}close/" in client.get(address).content.decode()
    seen = client.get(f"{address}close/").context["form"]["seen"].value()
    assert client.post(f"{address}close/", {"seen": seen, "comment": "More **connections**"}).status_code == 303
    event.refresh_from_db()
    assert event.status == Status.close
    assert event.ended_at is not None
    assert [line.comment for line in event.changes.all()][-1] == "More **connections**"
    page = client.get(address).content.decode()
    assert "Open → Closed" in page
    assert f"{address}reopen/" in page
    assert client.post(f"{address}close/", {"seen": event.updated_at.isoformat()}).status_code == 422
    assert client.post(f"{address}reopen/", {"seen": event.updated_at.isoformat()}).status_code == 303


def test_ending_a_deployment_releases_its_lock(browse, make_event, devops):
    event = make_event(status=1, environment=7)
    assert Lock.objects.filter(event=event).exists()
    client = browse(devops)
    assert "Holds" in client.get(f"/events/{event.pk}/").content.decode()
    client.post(f"/events/{event.pk}/fail/", {"seen": event.updated_at.isoformat(), "comment": "No disk"})
    event.refresh_from_db()
    assert event.status == Status.failure
    assert not Lock.objects.exists()


def test_a_page_from_before_another_change_ends_nothing(browse, make_event, devops):
    event = make_event(status=1)
    seen = event.updated_at.isoformat()
    update_event(event=event, content={"title": "Other"}, by=devops)
    assert browse(devops).post(f"/events/{event.pk}/succeed/", {"seen": seen}).status_code == 422
    event.refresh_from_db()
    assert event.status == Status.start


def test_comments_are_lines_of_the_changelog_and_empty_ones_are_refused(browse, make_event, devops):
    event = make_event()
    client = browse(devops)
    response = client.post(f"/events/{event.pk}/comment/", {"say-comment": "Found <b>it</b>"})
    assert response.url == f"/events/{event.pk}/#changelog"
    assert "Found &lt;b&gt;it&lt;/b&gt;" in client.get(f"/events/{event.pk}/").content.decode()
    response = client.post(f"/events/{event.pk}/comment/", {"say-comment": "  "})
    assert response.status_code == 422
    assert "field__error" in response.content.decode()


def test_the_page_shows_what_hangs_together(browse, make_event, devops, viewer, tenant):
    project = ensure_project(key="finance/ledger", by=devops, tenant=tenant)
    ticket = open_ticket(project=project, by=devops, key="PAY-1", content=TicketContent("Refunds"))
    before = make_event("The cause", started_at=now() - dt.timedelta(hours=2))
    make_event("Elsewhere", service="vault")
    event = make_event(
        "The incident", type=4, related_id=before.pk, ticket=ticket.key, pull_request_link="https://example.com/pull/1"
    )
    after = make_event("The rollback", related_id=event.pk)
    response = browse(viewer).get(f"/events/{event.pk}/")
    assert [(one.how, one.event) for one in response.context["kin"]] == [("Follows from", before), ("Led to", after)]
    page = response.content.decode()
    assert "/tickets/tenant-finance/PAY-1/" in page or "PAY-1/" in page
    assert 'href="https://example.com/pull/1"' in page
    assert "Elsewhere" not in page
    response = browse(viewer).get(f"/events/{before.pk}/")
    assert ("Led to", event) in [(one.how, one.event) for one in response.context["kin"]]


def test_an_address_that_is_none_becomes_no_link(browse, make_event, devops):
    event = make_event()
    Event.objects.update(pull_request_link="javascript:alert(1)")
    assert "javascript:alert" not in browse(devops).get(f"/events/{event.pk}/").content.decode()


@pytest.mark.parametrize("person", ["devops", "cpi_admin"])
def test_the_page_of_an_event_makes_at_most_eight_queries(
    person, request, browse, make_event, make_many, devops, tenant
):
    project = ensure_project(key="finance/ledger", by=devops, tenant=tenant)
    open_ticket(project=project, by=devops, key="PAY-1", content=TicketContent("Refunds"))
    event = make_event(status=1, environment=7, ticket="PAY-1")
    client = browse(request.getfixturevalue(person))
    client.get(f"/events/{event.pk}/")
    measured = [queries_of(client, f"/events/{event.pk}/")]
    make_many(300, related=event)
    EventChange.objects.bulk_create(EventChange(event=event, comment=f"Line {number}") for number in range(300))
    measured.append(queries_of(client, f"/events/{event.pk}/"))
    assert max(measured) <= 8, measured
    assert "Only the newest 100 lines" in client.get(f"/events/{event.pk}/").content.decode()


def test_a_part_is_only_for_htmx_and_strangers_are_asked_to_sign_in(browse, client, make_event, viewer):
    event = make_event()
    part = browse(viewer).get(f"/events/{event.pk}/?part=live", headers={"HX-Request": "true"}).content.decode()
    assert "Deploy ledger" in part
    assert "<html" not in part
    for verb in ("", "edit/", "close/"):
        assert client.get(f"/events/{event.pk}/{verb}").status_code == 302
    assert client.post(f"/events/{event.pk}/comment/", {}).status_code == 302
