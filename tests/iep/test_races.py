"""Several people at once: one production, no lost release, no half state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from events.models import DomainEvent
from iep import services
from iep.models import Application, Change, Release
from iep.services import promote_stamp, release_stamp, revert_stamp, store_blob, take_back_release, ticket_for
from iep.services.change import load
from tests.events.live.conftest import database_url
from tests.iep.conftest import BASE, digest_of, production
from tests.races import at_once, winners

pytestmark = pytest.mark.django_db(transaction=True)


def in_qa(save, devops, key: str, files):
    stamp = save(key, files).stamp
    promote_stamp(stamp=stamp, by=devops)
    return load(stamp)


def replayed(application) -> dict[str, str]:
    """Production as the releases alone tell it."""
    files: dict[str, str] = {}
    for change in Change.objects.filter(application=application).order_by("revision"):
        if change.after:
            files[change.path] = change.after
        else:
            files.pop(change.path, None)
    return files


def test_eight_releases_at_once_lose_nothing(shop, save, devops, cpi):
    stamps = [in_qa(save, devops, f"TKT-{n:03}", {f"src/file{n}.js": b"%d" % n}) for n in range(1, 9)]
    done = winners(at_once(*[lambda stamp=stamp: release_stamp(stamp=stamp, by=cpi) for stamp in stamps]))
    assert len(done) == 8
    live = production(shop)
    assert all(live[f"src/file{n}.js"] == digest_of(b"%d" % n) for n in range(1, 9))
    assert sorted(Release.objects.values_list("revision", flat=True)) == list(range(1, 10))
    assert replayed(shop) == live


def test_two_releases_of_one_file_have_one_winner(shop, save, devops, cpi):
    stamps = [in_qa(save, devops, f"TKT-{n:03}", {"src/cart.js": b"%d" % n}) for n in (1, 2)]
    done = winners(at_once(*[lambda stamp=stamp: release_stamp(stamp=stamp, by=cpi) for stamp in stamps]))
    assert len(done) == 1
    assert production(shop)["src/cart.js"] == digest_of(b"%d" % int(done[0].stamp.ticket.key[-1]))


def test_a_release_against_a_revert(shop, save, release, devops, cpi):
    first = release("TKT-001", {"src/cart.js": b"one"})
    second = in_qa(save, devops, "TKT-002", {"src/cart.js": b"two", "src/nav.js": b"nav"})
    outcomes = at_once(lambda: revert_stamp(stamp=first, by=cpi), lambda: release_stamp(stamp=second, by=cpi))
    assert len(winners(outcomes)) == 1, "both build on what the other takes away"
    live = production(shop)
    assert replayed(shop) == live
    assert live["src/cart.js"] in {digest_of(b"two"), digest_of(BASE["src/cart.js"])}


def test_a_stamp_during_a_promotion(shop, save, devops):
    stamp = save("TKT-001", {"src/cart.js": b"one"}).stamp
    store_blob(application=shop, digest=digest_of(b"two"), chunks=[b"two"], by=devops)
    outcomes = at_once(
        lambda: promote_stamp(stamp=stamp, by=devops, revision=1), lambda: save("TKT-001", {"src/cart.js": b"two"})
    )
    assert len(winners(outcomes)) == 1
    now = load(stamp)
    tested = digest_of(b"one") if now.stage == "qa" else digest_of(b"two")
    assert now.delta["src/cart.js"]["digest"] == tested, "QA never has what nobody promoted"


def test_first_stamps_at_once_open_one(shop, save, devops):
    ticket_for(application=shop, key="TKT-001", by=devops)
    outcomes = at_once(*[lambda n=n: save("TKT-001", {f"src/f{n}.js": b"%d" % n}) for n in range(6)])
    assert len(winners(outcomes)) == 6
    stamp = shop.stamps.get()
    assert stamp.revision == 6
    assert {f"src/f{n}.js" for n in range(6)} == set(stamp.delta)
    assert list(stamp.revisions.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]


DIE = """
import sys
import django
django.setup()
from accounts.models import User
from iep import services
from iep.models import Stamp
stamp = Stamp.objects.select_related("application__tenant", "ticket", "author").get()
getattr(services, sys.argv[1])(stamp=stamp, by=User.objects.get(email=sys.argv[2]))
"""


@pytest.mark.parametrize("verb", ["release_stamp", "take_back_release"])
def test_a_process_killed_between_the_move_and_its_fact_leaves_neither(shop, save, release, devops, cpi, verb):
    """The process really dies by SIGKILL, with production's new revision written and its fact not yet."""
    if verb == "release_stamp":
        stamp = in_qa(save, devops, "TKT-001", {"src/cart.js": b"one", "src/new.js": b"new", "src/nav.js": None})
    else:
        stamp = release("TKT-001", {"src/cart.js": b"one", "src/new.js": b"new", "src/nav.js": None})
    before = standing(shop, stamp)
    died = subprocess.run(
        [sys.executable, "-c", DIE, verb, cpi.email], check=False, capture_output=True, cwd=Path(__file__).parents[2],
        env=os.environ | {"DATABASE_URL": database_url(), "FAILPOINT": "production_moved:kill"}, timeout=60,
    )  # fmt: skip
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    assert standing(shop, stamp) == before, "pointer, files, history, stage and facts are all as they were"
    again = getattr(services, verb)(stamp=load(stamp), by=cpi)
    after = standing(shop, stamp)
    assert (after["revision"], after["facts"]) == (before["revision"] + 1, before["facts"] + 1)
    assert again.revision == after["revision"]
    assert replayed(shop) == production(shop)


def standing(application, stamp) -> dict[str, object]:
    return {
        "revision": Application.objects.get(pk=application.pk).revision,
        "files": production(application),
        "history": list(Change.objects.order_by("pk").values_list("revision", "path", "before", "after")),
        "releases": list(Release.objects.order_by("revision").values_list("revision", "kind")),
        "stage": load(stamp).stage,
        "facts": DomainEvent.objects.count(),
    }


def test_eight_writers_who_release_and_take_back_lose_nothing(shop, save, devops, cpi):
    stamps = [in_qa(save, devops, f"TKT-{n:03}", {f"src/file{n}.js": b"%d" % n}) for n in range(1, 9)]

    def work(stamp, last: bool):
        for step in (release_stamp, take_back_release, release_stamp, *([] if last else [take_back_release])):
            step(stamp=load(stamp), by=cpi)

    done = winners(at_once(*[lambda n=n, stamp=stamp: work(stamp, n % 2 == 0) for n, stamp in enumerate(stamps)]))
    assert len(done) == 8
    steps = 4 * 3 + 4 * 4
    live = production(shop)
    stays = {f"src/file{n + 1}.js": digest_of(b"%d" % (n + 1)) for n in range(0, 8, 2)}
    assert live == {path: digest_of(content) for path, content in BASE.items()} | stays
    assert replayed(shop) == live
    assert sorted(Release.objects.values_list("revision", flat=True)) == list(range(1, steps + 2))
    told = DomainEvent.objects.filter(type__in=["stamp.released", "stamp.taken_back"]).order_by("sequence")
    assert [fact.data["release"] for fact in told] == list(range(2, steps + 2)), "each with its fact, in this order"
