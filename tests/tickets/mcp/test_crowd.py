"""Two hundred clients at once: every call is answered, and the server neither freezes nor takes all connections."""

from __future__ import annotations

import asyncio

import pytest

from accounts.roles import Role
from benchmarks.mcp_tool import CROWD, crowd
from config.asgi import DJANGO_THREADS
from tests.events.live.conftest import database_url
from tests.tickets.mcp.conftest import secret
from tickets.mcp.calls import THREADS
from tickets.models import Ticket
from tickets.services import ensure_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
LIVE = 5  # one that listens, and the threads that look at log-ins
OURS = 1


def test_two_hundred_clients_are_all_served(mcp, make_user, tenant):
    people = [make_user(f"devops{number}", tenant, Role.DEVOPS) for number in range(10)]
    ensure_project(key="p", by=people[0], tenant=tenant)
    port = int(mcp.site.rpartition(":")[2])
    taken, failed, alive, most = asyncio.run(crowd(port, [secret(user) for user in people], 3, database_url()))
    assert failed == []
    assert len(taken) >= CROWD, "each client was served at least once"
    assert len(taken) == Ticket.objects.count()
    assert alive, "and so was whoever asked whether the server lives"
    assert most <= THREADS + DJANGO_THREADS + LIVE + OURS
