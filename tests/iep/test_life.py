"""A ticket's modules from a saved file to production and back; nobody's release is lost."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.errors import Conflict, NotAllowed, StaleState, WrongState
from events.models import DomainEvent
from iep.errors import ChangedSince, KeyConflict, MissingBlobs, NotInDev, RevisionConflict, Twins
from iep.models import Blob, Release, StampRevision
from iep.selectors.conflicts import conflicts_of
from iep.services import (
    close_stamp,
    promote_stamp,
    rebase_stamp,
    release_stamp,
    reopen_stamp,
    revert_stamp,
    stamp_ticket,
    take_back_release,
    ticket_for,
)
from iep.services.change import load, take
from iep.types import File, Manifest
from tests.iep.conftest import BASE, digest_of, production
from tickets.models import Ticket
from tickets.services import close_ticket

pytestmark = pytest.mark.django_db

NEW, NEWER = b'export const cart = "new";', b'export const cart = "newer";'


def facts(*types: str) -> list[str]:
    found = DomainEvent.objects.filter(subject_type="stamp").order_by("sequence").values_list("type", flat=True)
    return [fact for fact in found if not types or fact in types]


def test_a_saved_file_goes_through_qa_to_production_and_back(shop, save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    assert (stamp.stage, stamp.revision) == ("dev", 1)
    assert stamp.delta == {
        "src/cart.js": {"digest": digest_of(NEW), "size": len(NEW), "base": digest_of(BASE["src/cart.js"])}
    }
    assert Ticket.objects.get(key="TKT-001").project.key == "team/shop", "opened by its first stamp"

    assert promote_stamp(stamp=stamp, by=devops).stamp.stage == "qa"
    before = production(shop)
    promoted = promote_stamp(stamp=load(stamp), by=cpi)
    assert promoted.release is not None
    assert (promoted.stamp.stage, promoted.release.revision) == ("prod", 2)
    assert production(shop) == before | {"src/cart.js": digest_of(NEW)}

    back = revert_stamp(stamp=promoted.stamp, by=cpi, reason="customers complain")
    assert (back.stage, production(shop)) == ("qa", before)
    assert Release.objects.get(revision=3).undoes == promoted.release
    assert revert_stamp(stamp=back, by=devops).stage == "dev"
    assert facts() == ["stamp.opened", "stamp.promoted", "stamp.released", "stamp.taken_back", "stamp.reverted"]


def test_a_reverted_ticket_can_be_released_again(shop, release, cpi):
    stamp = release("TKT-001", {"src/cart.js": NEW})
    back = revert_stamp(stamp=stamp, by=cpi)
    release_stamp(stamp=back, by=cpi)
    assert production(shop)["src/cart.js"] == digest_of(NEW)


def test_a_release_in_between_survives_a_revert(shop, release, save, cpi, devops):
    """Faults 3 and 4 of the original: a ticket carried a copy of the whole map."""
    cart = save("TKT-001", {"src/cart.js": NEW}).stamp  # begun before the other is released
    release("TKT-002", {"src/nav.js": b"nav 2"})
    promote_stamp(stamp=cart, by=devops)
    release_stamp(stamp=load(cart), by=cpi)
    assert production(shop)["src/nav.js"] == digest_of(b"nav 2"), "the later release has not lost the earlier one"
    release("TKT-003", {"src/new.js": b"brand new"})
    revert_stamp(stamp=load(cart), by=cpi)
    live = production(shop)
    assert live["src/cart.js"] == digest_of(BASE["src/cart.js"])
    assert (live["src/nav.js"], live["src/new.js"]) == (digest_of(b"nav 2"), digest_of(b"brand new"))


def test_a_revert_does_not_undo_a_later_change_of_the_same_file(shop, release, cpi):
    first = release("TKT-001", {"src/cart.js": NEW})
    release("TKT-002", {"src/cart.js": NEWER})
    with pytest.raises(ChangedSince) as refusal:
        revert_stamp(stamp=first, by=cpi)
    assert refusal.value.details["releases"] == [{"revision": 3, "ticket": "TKT-002"}]
    assert production(shop)["src/cart.js"] == digest_of(NEWER)


def test_stamping_a_second_time_adds_to_the_ticket(shop, save):
    """Fault 1 of the original: a second registration erased the work."""
    save("TKT-001", {"src/cart.js": NEW})
    stamped = save("TKT-001", {"src/nav.js": b"nav 2"})
    assert not stamped.created
    assert set(stamped.stamp.delta) == {"src/cart.js", "src/nav.js"}
    assert StampRevision.objects.get(stamp=stamped.stamp, number=1).delta.keys() == {"src/cart.js"}


def test_the_same_again_is_no_change(save):
    save("TKT-001", {"src/cart.js": NEW})
    again = save("TKT-001", {"src/cart.js": NEW, "src/nav.js": BASE["src/nav.js"]})
    assert (again.stamp.revision, again.unchanged, again.changed) == (1, 2, [])
    assert facts() == ["stamp.opened"]


def test_a_file_back_as_production_has_it_leaves_the_delta(save):
    save("TKT-001", {"src/cart.js": NEW})
    assert save("TKT-001", {"src/cart.js": BASE["src/cart.js"]}).stamp.delta == {}


def test_folders_tell_files_apart(shop, release):
    """Fault 6 of the original: names lost their folder."""
    release("TKT-001", {"src/x/util.js": b"x", "src/y/util.js": b"y", "src/cart.test.js": b"t"})
    live = production(shop)
    assert (live["src/x/util.js"], live["src/y/util.js"]) == (digest_of(b"x"), digest_of(b"y"))
    assert live["src/cart.js"] == digest_of(BASE["src/cart.js"])


def test_removed_files_go_and_come_back(shop, release, cpi):
    stamp = release("TKT-001", {"vendor/dep.js": None})
    assert "vendor/dep.js" not in production(shop)
    revert_stamp(stamp=stamp, by=cpi)
    assert production(shop)["vendor/dep.js"] == digest_of(BASE["vendor/dep.js"])


def test_an_old_checkout_does_not_undo_what_others_released(shop, release, save):
    release("TKT-002", {"src/nav.js": b"nav 2"})
    stamped = save("TKT-001", BASE | {"src/cart.js": NEW}, tree=True)
    assert stamped.stale == ["src/nav.js"]
    assert set(stamped.stamp.delta) == {"src/cart.js"}
    explicit = save("TKT-001", {"src/nav.js": BASE["src/nav.js"]})
    assert set(explicit.stamp.delta) == {"src/cart.js", "src/nav.js"}, "a save says that it is meant"


def test_a_full_tree_lets_go_of_what_the_ticket_added_and_the_developer_deleted(save):
    save("TKT-001", {"src/new.js": b"new", "src/cart.js": NEW})
    stamped = save("TKT-001", {"src/cart.js": NEW}, tree=True, complete_under=("src/",))
    assert set(stamped.stamp.delta) == {"src/cart.js"}
    assert "src/nav.js" in stamped.stale, "production's files go only when they are named"


def test_files_change_in_dev_only(save, devops):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=stamp, by=devops)
    with pytest.raises(NotInDev):
        save("TKT-001", {"src/cart.js": NEWER})
    assert load(stamp).revision == 1


def test_whoever_read_an_older_revision_is_told(save):
    save("TKT-001", {"src/cart.js": NEW}, revision=0)
    with pytest.raises(RevisionConflict) as refusal:
        save("TKT-001", {"src/cart.js": NEWER}, revision=0)
    assert refusal.value.details == {"revision": 1}


def test_bytes_that_are_not_there_are_asked_for(shop, devops):
    manifest = Manifest(files=(File("src/cart.js", "ab" * 32, 3), File("src/nav.js", "cd" * 32, 3)))
    ticket = ticket_for(application=shop, key="TKT-001", by=devops)
    with pytest.raises(MissingBlobs) as refusal:
        stamp_ticket(application=shop, ticket=ticket, manifest=manifest, by=devops)
    assert refusal.value.details == {"missing": ["ab" * 32, "cd" * 32]}
    assert not shop.stamps.exists()


def test_production_changed_under_the_ticket(shop, release, save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": NEW, "src/nav.js": b"nav 1"}).stamp
    release("TKT-002", {"src/cart.js": NEWER})
    with pytest.raises(KeyConflict):
        promote_stamp(stamp=load(stamp), by=devops)
    assert [(c.kind, c.path) for c in conflicts_of(load(stamp))] == [("changed_in_production", "src/cart.js")]
    with pytest.raises(KeyConflict):
        rebase_stamp(stamp=load(stamp), by=devops)
    rebased = rebase_stamp(stamp=load(stamp), by=devops, mine=["src/cart.js"])
    assert rebased.base_revision == 2
    promote_stamp(stamp=rebased, by=devops)
    release_stamp(stamp=load(stamp), by=cpi)
    assert production(shop)["src/cart.js"] == digest_of(NEW)


def test_a_rebase_lets_go_of_what_is_theirs(release, save, devops):
    stamp = save("TKT-001", {"src/cart.js": NEW, "src/nav.js": b"nav 1"}).stamp
    release("TKT-002", {"src/cart.js": NEWER})
    assert set(rebase_stamp(stamp=load(stamp), by=devops, theirs=["src/cart.js"]).delta) == {"src/nav.js"}


def test_two_tickets_on_one_file_are_told_of_each_other(save):
    one = save("TKT-001", {"src/cart.js": NEW}).stamp
    save("TKT-002", {"src/cart.js": NEWER})
    assert [(c.kind, c.path, c.ticket) for c in conflicts_of(load(one))] == [("same_key", "src/cart.js", "TKT-002")]


def test_closing_keeps_everything_and_reopening_has_it_again(shop, save, devops):
    """Fault 14 of the original: deletion removed the history."""
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    closed = close_stamp(stamp=stamp, by=devops, reason="not now")
    assert (closed.stage, set(closed.delta)) == ("closed", {"src/cart.js"})
    with pytest.raises(WrongState):
        promote_stamp(stamp=closed, by=devops)
    again = reopen_stamp(stamp=closed, by=devops)
    assert (again.stage, set(again.delta)) == ("dev", {"src/cart.js"})
    assert facts() == ["stamp.opened", "stamp.closed", "stamp.reopened"]


def test_a_released_ticket_reopens_empty(release, devops):
    stamp = release("TKT-001", {"src/cart.js": NEW})
    again = reopen_stamp(stamp=stamp, by=devops)
    assert (again.stage, again.delta, again.base_revision) == ("dev", {}, 2)


def test_a_closed_ticket_is_not_worked_on(shop, save, devops):
    ticket = ticket_for(application=shop, key="TKT-009", by=devops)
    close_ticket(ticket=ticket, by=devops)
    with pytest.raises(WrongState):
        save("TKT-009", {"src/cart.js": NEW})


def test_production_takes_the_right_to_release(save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=stamp, by=devops)
    with pytest.raises(NotAllowed):
        promote_stamp(stamp=load(stamp), by=devops)
    promote_stamp(stamp=load(stamp), by=cpi)
    with pytest.raises(NotAllowed):
        revert_stamp(stamp=load(stamp), by=devops)


def test_nothing_is_promoted_that_changes_nothing(save, devops):
    stamp = save("TKT-001", {"src/cart.js": BASE["src/cart.js"]}).stamp
    with pytest.raises(WrongState) as refusal:
        promote_stamp(stamp=stamp, by=devops)
    assert refusal.value.code == "nothing_to_promote"


def test_a_release_on_another_production_than_was_seen_is_refused(shop, release, save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=stamp, by=devops)
    release("TKT-002", {"src/nav.js": b"nav 2"})
    with pytest.raises(Conflict) as refusal:
        release_stamp(stamp=load(stamp), by=cpi, expected=1)
    assert refusal.value.details == {"production_revision": 2}


def test_files_that_differ_by_case_only_never_meet_in_production(shop, save, release, devops, cpi):
    first, second = save("TKT-001", {"src/Straße.js": b"1"}).stamp, save("TKT-002", {"src/STRASSE.js": b"2"}).stamp
    for stamp in (first, second):
        promote_stamp(stamp=stamp, by=devops)
    release_stamp(stamp=load(first), by=cpi)
    with pytest.raises(Twins):
        release_stamp(stamp=load(second), by=cpi)
    without = release("TKT-003", {"src/nav.js": None})
    release("TKT-004", {"src/Nav.js": b"another"})
    with pytest.raises(Twins):
        revert_stamp(stamp=without, by=cpi)
    assert {"src/Straße.js", "src/Nav.js"} < production(shop).keys()


def test_a_file_can_be_renamed_by_case_and_back(shop, save, release, cpi):
    stamp = release("TKT-001", {"src/nav.js": None, "src/Nav.js": b"nav"})
    assert "src/Nav.js" in production(shop)
    assert "src/nav.js" not in production(shop)
    revert_stamp(stamp=stamp, by=cpi)
    assert production(shop)["src/nav.js"] == digest_of(BASE["src/nav.js"])
    save("TKT-002", {"src/nav.js": None})
    assert set(save("TKT-002", {"src/NAV.js": b"later"}).stamp.delta) == {"src/nav.js", "src/NAV.js"}


def test_each_step_takes_as_many_queries_as_its_change_needs(shop, save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=save("TKT-002", {"src/nav.js": b"nav 2"}).stamp, by=devops)
    manifest = Manifest(files=(File("src/cart.js", digest_of(NEW), len(NEW)), File("src/more.js", digest_of(NEW), 26)))
    steps = {
        "stamp": (9, lambda: stamp_ticket(application=shop, ticket=stamp.ticket, manifest=manifest, by=devops)),
        "promote": (8, lambda: promote_stamp(stamp=stamp, by=devops, revision=2)),
        "release": (12, lambda: release_stamp(stamp=stamp, by=cpi)),
        "take back": (15, lambda: take_back_release(stamp=stamp, by=cpi)),
        "close": (7, lambda: close_stamp(stamp=stamp, by=devops)),
    }
    for name, (most, step) in steps.items():
        with CaptureQueriesContext(connection) as queries:
            step()
        told = [query["sql"] for query in queries]
        assert len(told) <= most, (name, told)
        whole = [sql for sql in told if 'FROM "iep_module"' in sql and "path" not in sql.partition("WHERE")[2]]
        assert not whole, f"{name} reads the whole application"


def test_small_files_come_with_their_stamp_or_not_at_all(shop, save, devops):
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    promote_stamp(stamp=stamp, by=devops)
    manifest = Manifest(files=(File("src/cart.js", digest_of(NEWER), len(NEWER)),))
    given = {"application": shop, "ticket": stamp.ticket, "manifest": manifest, "by": devops}
    with pytest.raises(NotInDev):
        stamp_ticket(**given, brought={digest_of(NEWER): NEWER})
    assert not Blob.objects.filter(digest=digest_of(NEWER)).exists()

    revert_stamp(stamp=load(stamp), by=devops)
    assert stamp_ticket(**given, brought={digest_of(NEWER): NEWER}).changed == ["src/cart.js"]
    assert Blob.objects.get(application=shop, digest=digest_of(NEWER)).size == len(NEWER)
    kept = StampRevision.objects.get(stamp=stamp, number=2)
    assert (kept.delta, kept.production_revision, kept.by) == (load(stamp).delta, 1, devops)


def test_the_same_tree_again_is_one_question_that_writes_nothing(shop, devops):
    files = tuple(File(f"src/many/file{n}.js", digest_of(b"%d" % n), len(b"%d" % n)) for n in range(500))
    Blob.objects.bulk_create(Blob(application=shop, digest=file.digest, size=file.size) for file in files)
    ticket = ticket_for(application=shop, key="TKT-001", by=devops)
    manifest = Manifest(files=files, tree=True)
    first = stamp_ticket(application=shop, ticket=ticket, manifest=manifest, by=devops)
    with CaptureQueriesContext(connection) as queries:
        again = stamp_ticket(application=shop, ticket=ticket, manifest=manifest, by=devops)
    assert (first.created, again.changed, again.unchanged, again.stamp.revision) == (True, [], 500, 1)
    assert not [q["sql"] for q in queries if q["sql"].startswith(("INSERT", "UPDATE"))]
    assert len(queries) <= 7


def test_what_was_given_up_goes_even_when_production_moved_on(save, release):
    """The developer takes a change back: the file is again what the ticket began from, and production's is newer."""
    save("TKT-001", {"src/nav.js": b"mine", "src/cart.js": NEW})
    release("TKT-002", {"src/nav.js": b"nav 2"})
    stamped = save("TKT-001", {"src/nav.js": BASE["src/nav.js"], "src/cart.js": NEW}, tree=True)
    assert (stamped.changed, stamped.stale) == (["src/nav.js"], [])
    assert set(stamped.stamp.delta) == {"src/cart.js"}
    assert conflicts_of(load(stamped.stamp)) == []


def test_every_verb_asks_for_the_right_itself(shop, save, viewer, devops):
    """Whatever face it is called from."""
    stamp = save("TKT-001", {"src/cart.js": NEW}).stamp
    manifest = Manifest(removed=("src/nav.js",))
    verbs = [
        lambda: stamp_ticket(application=shop, ticket=stamp.ticket, manifest=manifest, by=viewer),
        *[
            lambda verb=verb: verb(stamp=load(stamp), by=viewer)
            for verb in (promote_stamp, release_stamp, take_back_release, revert_stamp, rebase_stamp, close_stamp)
        ],
    ]
    before = len(facts())
    for verb in verbs:
        with pytest.raises(NotAllowed):
            verb()
    close_stamp(stamp=stamp, by=devops)
    with pytest.raises(NotAllowed):
        reopen_stamp(stamp=load(stamp), by=viewer)
    assert len(facts()) == before + 1


def test_the_facts_of_a_stamp_name_what_changed(save):
    save("TKT-001", {"src/cart.js": NEW, "src/new.js": b"new"})
    save("TKT-001", {"src/cart.js": NEWER, "src/new.js": b"new"})
    told = DomainEvent.objects.filter(subject_type="stamp").order_by("sequence").values_list("type", "data")
    assert [(type, data["changed"], data["changed_count"], data["paths"], data["revision"]) for type, data in told] == [
        ("stamp.opened", ["src/cart.js", "src/new.js"], 2, 2, 1),
        ("stamp.updated", ["src/cart.js"], 1, 2, 2),
    ]


def test_a_step_on_what_moved_meanwhile_changes_nothing(save, devops):
    """Also when it holds no lock: the database itself refuses, and the fact goes with the change."""
    old = load(save("TKT-001", {"src/cart.js": NEW}).stamp)
    save("TKT-001", {"src/cart.js": NEWER})
    before = facts()
    with pytest.raises(StaleState), transaction.atomic():
        take(old, "promote", by=devops)
    assert facts() == before
    assert (load(old).stage, load(old).revision) == ("dev", 2)
