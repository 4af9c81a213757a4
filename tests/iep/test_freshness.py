"""Two server processes, one production: neither answers with an older map than it may."""

from __future__ import annotations

import time
import urllib.request

import pytest

from iep.services import promote_stamp, release_stamp, revert_stamp
from iep.services.change import load
from tests.events.live.conftest import Server, run_server
from tests.iep.conftest import digest_of

BOUND = 1.0


def ask(server: Server) -> str:
    with urllib.request.urlopen(f"http://{server.host}/iep/shop/map.json", timeout=30) as answer:
        return answer.read().decode()


def stale_until(servers: list[Server], is_fresh, committed: float) -> float:
    """How long after the commit the last question was asked that got an old answer."""
    latest = 0.0
    last_asked = dict.fromkeys(range(len(servers)), 0.0)
    while min(last_asked.values()) < BOUND:
        for number, server in enumerate(servers):
            asked = last_asked[number] = time.monotonic() - committed
            if not is_fresh(ask(server)):
                latest = max(latest, asked)
    return latest


@pytest.mark.django_db(transaction=True)
def test_a_release_is_on_every_process_within_a_second(shop, save, devops, cpi):
    stamp = save("TKT-001", {"src/cart.js": b"new"}).stamp
    promote_stamp(stamp=stamp, by=devops)
    new = digest_of(b"new")
    app = "tests.iep.serving:application"
    with run_server(app) as one, run_server(app) as two:
        assert all(new not in ask(server) for server in (one, two)), "both have looked before"
        release_stamp(stamp=load(stamp), by=cpi)
        assert stale_until([one, two], lambda text: new in text, time.monotonic()) < BOUND
        revert_stamp(stamp=load(stamp), by=cpi)
        assert stale_until([one, two], lambda text: new not in text, time.monotonic()) < BOUND
