"""Several people at once: one production, no lost release, no half state."""

from __future__ import annotations

import pytest

from iep.models import Change, Release
from iep.services import promote_stamp, release_stamp, revert_stamp, store_blob
from iep.services.change import load
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
    save("TKT-001", {"src/nav.js": b"opens the ticket"})
    outcomes = at_once(*[lambda n=n: save("TKT-001", {f"src/f{n}.js": b"%d" % n}) for n in range(6)])
    assert len(winners(outcomes)) == 6
    stamp = shop.stamps.get()
    assert stamp.revision == 7
    assert {f"src/f{n}.js" for n in range(6)} < set(stamp.delta)
