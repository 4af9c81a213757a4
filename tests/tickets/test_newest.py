"""Lists that are read off indexes of their own: each finds what looking at every ticket finds, in the same order."""

from __future__ import annotations

import importlib

from django.db import connection

from tickets.models import Dependency, Ticket, TicketLabel
from tickets.selectors import TicketFilter, board, list_by_state, page_tickets
from tickets.selectors.newest import LOOKED_AT, MOST_TENANTS, newest_blocked, newest_of_label
from tickets.services import (
    add_dependency,
    close_ticket,
    edit_ticket,
    ensure_project,
    move_ticket,
    remove_dependency,
)
from tickets.states import State


def blocked(user, **narrowed) -> list[str]:
    found, _ = page_tickets(user=user, narrowed=TicketFilter(blocked=True, **narrowed))
    return [ticket.key for ticket in found]


def labelled(user, label, **narrowed) -> list[str]:
    found, _ = page_tickets(user=user, narrowed=TicketFilter(label=label, **narrowed), rare=0)
    return [ticket.key for ticket in found]


def test_what_is_blocked_follows_the_life_of_what_blocks_it(make_ticket, devops, cpi):
    first, second, waiting = make_ticket("A-1"), make_ticket("A-2"), make_ticket("A-3", labels=("x",))
    add_dependency(ticket=waiting, blocker=first, by=devops)
    add_dependency(ticket=waiting, blocker=second, by=devops)
    add_dependency(ticket=second, blocker=first, by=devops)
    assert blocked(devops) == ["A-3", "A-2"]
    assert blocked(devops, label="x") == blocked(devops, status="open", project="test/project", label="x") == ["A-3"]
    assert blocked(devops, status="closed") == []
    move_ticket(ticket=first, verb="resolve", by=devops)
    assert blocked(devops) == ["A-3"]
    assert [ticket.is_blocked for ticket in page_tickets(user=devops)[0]] == [True, False, False]
    move_ticket(ticket=first, verb="reopen", by=devops)
    assert blocked(devops) == ["A-3", "A-2"]
    close_ticket(ticket=first, by=devops, resolution="stopped")
    assert blocked(devops) == ["A-3", "A-2"]
    remove_dependency(ticket=second, blocker=first, by=devops)
    close_ticket(ticket=second, by=devops)
    assert blocked(devops) == ["A-3"]
    done = make_ticket("A-4")
    close_ticket(ticket=done, by=devops)
    add_dependency(ticket=first, blocker=done, by=devops)
    assert blocked(devops) == ["A-3"]
    free, _ = page_tickets(user=devops, narrowed=TicketFilter(blocked=False))
    assert [ticket.key for ticket in free] == ["A-4", "A-2", "A-1"]


def test_lists_end_at_the_tenant_and_go_on_page_by_page(make_ticket, devops, outsider, cpi_admin, tenant, other_tenant):
    foreign = ensure_project(key="shop", by=outsider, tenant=other_tenant)
    for number in range(5):
        for by, project in ((devops, None), (outsider, foreign)):
            blocker = make_ticket(f"B-{number}", by=by, in_project=project)
            ticket = make_ticket(f"T-{number}", by=by, in_project=project, labels=("x",))
            add_dependency(ticket=ticket, blocker=blocker, by=by)
    for user, number in ((devops, 5), (outsider, 5), (cpi_admin, 10)):
        for narrowed in (TicketFilter(blocked=True), TicketFilter(label="x")):
            seen, before = [], None
            while True:
                page, before = page_tickets(user=user, narrowed=narrowed, before=before, limit=2, rare=0)
                seen += [ticket.pk for ticket in page]
                if before is None:
                    break
            assert seen == sorted(set(seen), reverse=True)
            assert len(seen) == number
    everyone = newest_blocked(None, 10)
    assert len(everyone) == 10
    for more in (0, MOST_TENANTS):
        places = [tenant.pk, other_tenant.pk, *range(10**9, 10**9 + more)]
        assert newest_blocked(places, 10) == everyone
        assert newest_blocked(places[:1] + places[2:], 10) == newest_blocked([tenant.pk], 10) == everyone[1::2]
        older, newest = newest_of_label("x", places, ["open"], 10, before=everyone[3])
        assert (older["open"], newest["open"]) == (everyone[4:], everyone)
        assert newest_of_label("x", places[1:], ["open", "testing"], 10)[0] == {"open": everyone[::2]}


def test_labels_are_found_in_every_state_as_they_change(make_ticket, devops):
    one, two = make_ticket("A-1", labels=("x", "y")), make_ticket("A-2", labels=("x",))
    make_ticket("A-3")
    assert labelled(devops, "x") == ["A-2", "A-1"]
    assert labelled(devops, "x\x00") == []
    close_ticket(ticket=one, by=devops)
    assert labelled(devops, "x", status="open") == ["A-2"]
    assert labelled(devops, "x", status="closed") == labelled(devops, "y") == ["A-1"]
    assert labelled(devops, "x", states=("open", "completed")) == ["A-2", "A-1"]
    edit_ticket(ticket=two, by=devops, labels=("z",))
    assert (labelled(devops, "x"), labelled(devops, "z")) == (["A-1"], ["A-2"])
    edit_ticket(ticket=two, by=devops, labels=())
    assert labelled(devops, "z") == []
    columns = {column.state: column for column in board(user=devops, narrowed=TicketFilter(label="y"), rare=0)}
    assert columns["open"].count == 0
    listing = list_by_state(user=devops, narrowed=TicketFilter(label="y"), rare=0)
    assert listing.counts == {"completed": 1}
    Ticket.objects.all().delete()
    assert not TicketLabel.objects.exists()


def test_a_frequent_word_is_found_whether_the_newest_have_it_or_only_old_ones(project, devops):
    def make(prefix: str, count: int, word: str, state: str = State.OPEN) -> None:
        Ticket.objects.bulk_create(
            Ticket(tenant=project.tenant, project=project, author=devops, key=f"{prefix}-{n}", title=word, state=state)
            for n in range(count)
        )

    make("OLD", 30, "ledger")
    make("BUSY", 5, "ledger", State.TESTING)
    make("NEW", LOOKED_AT + 5, "refund")
    for typed, open_ones, testing in (("ledger", 30, 5), ("old-", 30, 0), ("refund", 1005, 0), ("new-1", 117, 0)):
        narrowed = TicketFilter(q=typed)
        for before in (None, Ticket.objects.get(key="NEW-3").pk, Ticket.objects.get(key="OLD-20").pk):
            want = list_by_state(user=devops, narrowed=narrowed, before=before, limit=20)
            got = list_by_state(user=devops, narrowed=narrowed, before=before, limit=20, rare=0)
            assert [ticket.key for ticket in got.tickets] == [ticket.key for ticket in want.tickets]
            assert got.following == want.following
            assert got.counts.get("open", 0) == min(open_ones, 21)
            assert got.counts.get("testing", 0) == testing
        shown = {c.state: [t.key for t in c.tickets] for c in board(user=devops, narrowed=narrowed, rare=0)}
        assert shown == {c.state: [t.key for t in c.tickets] for c in board(user=devops, narrowed=narrowed)}


def test_an_upgrade_fills_in_what_is_kept_from_then_on(make_ticket, devops):
    one, two = make_ticket("A-1", labels=("x", "y")), make_ticket("A-2", labels=("x",))
    add_dependency(ticket=two, blocker=one, by=devops)
    other = make_ticket("A-3")
    add_dependency(ticket=other, blocker=two, by=devops)
    close_ticket(ticket=two, by=devops)
    kept = (_labels(), _holding())
    TicketLabel.objects.filter(label="x").delete()
    Dependency.objects.filter(ticket=two).update(holds=False)
    Dependency.objects.filter(ticket=other).update(holds=True)
    assert (_labels(), _holding()) != kept
    fill = importlib.import_module("tickets.migrations.0007_lists_filled").fill
    for _ in range(2):
        with connection.schema_editor() as editor:
            fill(None, editor)
        assert (_labels(), _holding()) == kept


def _labels() -> list[tuple[str, str, str]]:
    return sorted(TicketLabel.objects.values_list("ticket__key", "label", "state"))


def _holding() -> list[tuple[str, bool]]:
    return sorted(Dependency.objects.values_list("ticket__key", "holds"))
