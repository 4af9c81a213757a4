"""Many at once: batches all or none, exports that are safe to open, imports that may run again, forgetting."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import override_settings

from core.clock import now
from events.models import DomainEvent, Event, EventChange, Lock
from events.tracker.export import safe_cell
from events.tracker.records import add_change, record_event
from events.tracker.retention import forget_old_events
from events.tracker.search import Criteria, walk
from tests.events.tracker.conftest import columns, deployment

pytestmark = pytest.mark.django_db


def test_a_batch_is_recorded_whole_with_one_fact(rest, tenant):
    batch = [deployment(message=f"number {number}", stakeHolders=["a", 'b "c"']) for number in range(150)]
    status, answer = rest.post("events/batch", {"events": batch})
    assert (status, answer["count"], len(set(answer["ids"]))) == (200, 150, 150)
    fact = DomainEvent.objects.get()
    assert (fact.type, fact.data["ids"]) == ("event.recorded", answer["ids"])
    event = Event.objects.get(pk=answer["ids"][7])
    assert (event.message, event.stakeholders, event.tenant) == ("number 7", ["a", 'b "c"'], tenant)
    assert rest.get(f"event/{event.pk}")[1]["event"]["changelog"][0]["changeType"] == "created"


def test_one_bad_event_stops_its_whole_batch_and_is_named(rest):
    status, answer = rest.post("events/batch", {"events": [deployment(), deployment(type=0), {"title": "x"}]})
    assert status == 400
    fields = [fault["field"] for fault in answer["details"][1]["fieldViolations"]]
    assert fields == ["events[1].attributes.type", "events[2].attributes.service", "events[2].attributes.type"]
    status, answer = rest.post("events/batch", {"events": [deployment(), deployment(type="nope")]})
    assert "events[1].attributes.type" in answer["message"]
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", [{}, {"events": []}, {"events": {}}, [], "x", {"events": [deployment()] * 1001}])
def test_a_batch_has_its_bounds(rest, body):
    assert rest.post("events/batch", body)[0] == 400
    assert rest.get("events/batch")[0] == 405


@override_settings(TRACKER_AUTO_LOCK="enforce")
def test_a_batch_is_no_way_around_a_lock(rest):
    starting = deployment(status="start", environment="production")
    status, answer = rest.post("events/batch", {"events": [starting, starting]})
    assert (status, "already locked" in answer["message"]) == (409, True)
    assert not Event.objects.exists()
    assert not Lock.objects.exists()


def test_an_export_has_every_event_that_matches(rest, tenant):
    for number in range(5):
        record_event(tenant=tenant, content=columns(title=f"=cmd{number}", environment=7 if number else 1), by=None)
    _, text = rest.get("events/export?environment=production")
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["title"] for line in lines] == ["=cmd4", "=cmd3", "=cmd2", "=cmd1"]
    assert lines[0]["metadata"]["tenant"] == tenant.slug
    _, text = rest.get("events/export?format=csv&order=asc")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["title"] for row in rows] == [f"'=cmd{number}" for number in range(5)]
    assert rest.answer["Content-Disposition"] == 'attachment; filename="events.csv"'
    assert rest.get("events/export?format=xls")[0] == 400


@pytest.mark.parametrize("ascending", [False, True])
def test_a_walk_comes_past_every_event_once(tenant, ascending):
    criteria = Criteria(tenants=[tenant.pk], ascending=ascending)
    wanted: list[Event] = []
    for count in range(5):
        assert [event.pk for page in walk(criteria, size=2) for event in page] == [event.pk for event in wanted]
        assert len(list(walk(criteria, size=2))) == -(-count // 2)
        wanted.insert(len(wanted) if ascending else 0, record_event(tenant=tenant, content=columns(), by=None))


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "  =1", "\n=1"])
def test_no_cell_begins_a_formula(cell):
    assert safe_cell(cell).startswith("'")


def test_other_cells_are_as_they_are():
    assert [safe_cell(cell) for cell in ("plain", 3, True, None, "a=b")] == ["plain", 3, True, "", "a=b"]


def test_an_export_can_be_imported_elsewhere_and_again(rest, tenant, other_tenant, tmp_path, capsys):
    first = record_event(tenant=tenant, content=columns(slack_id="17.1", impact=3), by=None)
    record_event(tenant=tenant, content=columns(related_id=str(first.pk)), by=None)
    add_change(event=first, entry={"comment": "looks good", "change_type": 4}, by=None)
    before = list(Event.objects.order_by("pk").values())
    changes = list(EventChange.objects.values("event_id", "at", "type", "comment"))
    file = tmp_path / "events.ndjson"
    file.write_text(rest.get("events/export")[1])
    EventChange.objects.all().delete()
    Event.objects.all()._raw_delete("default")
    call_command("import_events", str(file), tenant=tenant.slug)
    call_command("import_events", str(file), tenant=tenant.slug)
    assert "2 of 2 events were new" in (told := capsys.readouterr().out)
    assert "0 of 2 events were new" in told
    assert list(Event.objects.order_by("pk").values()) == before
    assert list(EventChange.objects.values("event_id", "at", "type", "comment")) == changes
    assert DomainEvent.objects.filter(type="event.imported").count() == 1


def test_a_list_as_tracker_answers_it_can_be_imported(tenant, tmp_path):
    document = tmp_path / "list.json"
    document.write_text(
        json.dumps({"events": [deployment(status="done") | {"links": None, "metadata": None}]}, indent=2)
    )
    call_command("import_events", str(document), tenant=tenant.slug)
    assert Event.objects.get().status == 11


def test_an_import_ties_events_of_its_own_tenant_only(tenant, other_tenant, tmp_path):
    ours, theirs = [record_event(tenant=one, content=columns(), by=None) for one in (tenant, other_tenant)]
    document = tmp_path / "list.json"
    document.write_text(
        json.dumps(
            {"events": [deployment(relatedId=str(event.pk), owner=event.tenant.slug) for event in (ours, theirs)]}
        )
    )
    call_command("import_events", str(document), tenant=tenant.slug)
    imported = Event.objects.filter(tenant=tenant).exclude(pk=ours.pk)
    assert dict(imported.values_list("owner", "related_id")) == {tenant.slug: ours.pk, other_tenant.slug: None}


@pytest.mark.parametrize("text", ["{", '{"title": "x"}', '{"events": [5]}', "[1]", '{"metadata": {"id": "x"}}'])
def test_a_bad_file_is_refused_with_the_place(tenant, tmp_path, text):
    file = tmp_path / "bad.json"
    file.write_text(text)
    with pytest.raises(CommandError):
        call_command("import_events", str(file), tenant=tenant.slug)
    assert not Event.objects.exists()


def test_old_events_are_forgotten_by_setting(tenant, other_tenant):
    with time_machine.travel(now() - dt.timedelta(days=100)):
        old = record_event(tenant=tenant, content=columns(environment=7, status=1), by=None)
        add_change(event=old, entry={"comment": "x"}, by=None)
        record_event(tenant=other_tenant, content=columns(), by=None)
    young = record_event(tenant=tenant, content=columns(related_id=str(old.pk)), by=None)
    assert forget_old_events() == 0, "nothing is forgotten unless that is set"
    with override_settings(TRACKER_RETENTION=dt.timedelta(days=90)):
        assert forget_old_events() == 2
    assert list(Event.objects.values_list("pk", "related_id")) == [(young.pk, None)]
    assert not EventChange.objects.exists()
    assert DomainEvent.objects.filter(type="event.forgotten").count() == 2
