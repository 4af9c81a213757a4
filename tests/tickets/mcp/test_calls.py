"""How a call is run: counted, checked, answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine

from accounts.services import issue_token
from accounts.throttling import TooManyChanges
from tests.tickets.mcp.conftest import OPEN, SCOPES
from tickets.mcp import calls
from tickets.mcp.callers import Caller, identify
from tickets.mcp.registry import TOOLS
from tickets.mcp.server import make_server
from tickets.models import Ticket

make_server()


def call(caller: Caller, tool: str, **arguments):
    """The document, or the refusal, in this thread and without a server around it."""
    return calls._check_and_run(TOOLS[tool], caller, arguments, "test")[1]


@pytest.fixture
def as_devops(devops):
    return identify(issue_token(user=devops, name="mcp", scopes=list(SCOPES))[1])


@pytest.fixture
def early_in_a_minute() -> Iterator[None]:
    with time_machine.travel(dt.datetime(2030, 1, 1, 12, 0, 5, tzinfo=dt.UTC), tick=True):
        yield


@pytest.mark.usefixtures("early_in_a_minute")
def test_a_runaway_client_is_slowed_down_and_readers_are_not(as_devops, devops, settings, client):
    settings.API_CHANGES_PER_MINUTE = 2
    for number in (1, 2):
        call(as_devops, "create_ticket", **{**OPEN, "ticket_id": f"T-{number}"})
    with pytest.raises(TooManyChanges) as refused:
        call(as_devops, "create_ticket", **{**OPEN, "ticket_id": "T-3"})
    assert refused.value.code == "throttled"
    assert 1 <= refused.value.details["retry_after"] <= 60
    assert Ticket.objects.count() == 2
    assert call(as_devops, "get_ticket", ticket_id="T-1")["ticket_id"] == "T-1"
    secret = issue_token(user=devops, name="rest", scopes=list(SCOPES))[1]
    over_rest = client.post(
        "/v1/tickets", OPEN, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )
    assert (over_rest.status_code, over_rest.json()["code"]) == (429, "throttled"), "one count for both faces"
