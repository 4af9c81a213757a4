"""What coordinators read: in order, without gaps, each consumer for itself, with a resolution."""

from __future__ import annotations

import pytest

from core.errors import InvalidInput, NotAllowed, NotFound
from tickets.models import ConsumerPosition, EventMark
from tickets.selectors import get_events
from tickets.selectors.events import COORDINATOR_FACTS, EVENT_NAMES
from tickets.services import complete_stage, mark_events_processed, stop_worker


def names(user, **narrowed) -> list[str]:
    return [EVENT_NAMES[event.type] for event in get_events(user=user, **narrowed).events]


def test_the_events_of_the_seed(claimed, worker, devops):
    complete_stage(task=claimed, fence=claimed.fence, by=worker)
    stop_worker(worker=claimed.claimed_by, by=worker, reason="done for today")
    assert names(devops, processed=False) == ["ticket_created", "ticket_stage_completed", "worker_stopped"]
    event = get_events(user=devops, types=["worker_stopped"]).events[0]
    assert (event.data["worker_id"], event.data["reason"]) == ("architect-1", "done for today")


def test_marks_are_per_consumer_and_keep_the_first_resolution(claimed, worker, devops, other_devops):
    first, *_ = get_events(user=devops, processed=False).events
    assert mark_events_processed(event_ids=[first.sequence], by=devops, resolution="assigned") == 1
    assert mark_events_processed(event_ids=[first.sequence] * 2, by=other_devops, resolution="again") == 0
    assert first.sequence not in [event.sequence for event in get_events(user=devops, processed=False).events]
    (done,) = get_events(user=other_devops, processed=True).events
    assert (done.sequence, done.processed, done.resolution) == (first.sequence, True, "assigned")
    assert names(devops, processed=False, consumer="chat-bot") == ["ticket_created"]


def test_the_position_follows_what_was_dealt_with(claimed, worker, devops, tenant):
    complete_stage(task=claimed, fence=claimed.fence, by=worker)
    first, second = get_events(user=devops, processed=False).events
    mark_events_processed(event_ids=[second.sequence], by=devops)
    assert ConsumerPosition.objects.get().position == first.sequence - 1
    mark_events_processed(event_ids=[first.sequence], by=devops)
    assert ConsumerPosition.objects.get().position == second.sequence
    assert get_events(user=devops, processed=False).events == []
    stop_worker(worker=claimed.claimed_by, by=worker)
    assert names(devops, processed=False) == ["worker_stopped"]


def test_a_reader_goes_on_from_its_cursor(make_ticket, devops):
    for number in range(5):
        make_ticket(f"T-{number}")
    seen, cursor, more = [], 0, True
    while more:
        page = get_events(user=devops, after=cursor, limit=2)
        seen += [event.subject_id for event in page.events]
        cursor, more = page.cursor, page.more
    assert seen == [f"T-{number}" for number in range(5)]
    assert get_events(user=devops, after=cursor).cursor == cursor


def test_others_neither_see_nor_mark(claimed, outsider, viewer, devops):
    event = get_events(user=devops).events[0]
    assert get_events(user=outsider, types=["all"]).events == []
    with pytest.raises(NotFound):
        mark_events_processed(event_ids=[event.sequence], by=outsider)
    with pytest.raises(NotAllowed):
        mark_events_processed(event_ids=[event.sequence], by=viewer)
    with pytest.raises(NotFound):
        mark_events_processed(event_ids=[event.sequence, 10**9], by=devops)
    assert not EventMark.objects.exists()


def test_event_types_go_by_either_name(ticket, devops):
    assert names(devops, types=["ticket_created"]) == names(devops, types=["ticket.opened"]) == ["ticket_created"]
    with pytest.raises(InvalidInput):
        get_events(user=devops, types=["nonsense"])


def test_every_coordinator_fact_has_a_name():
    assert set(COORDINATOR_FACTS) <= set(EVENT_NAMES)
    assert len(set(EVENT_NAMES.values())) == len(EVENT_NAMES)
