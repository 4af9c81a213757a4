"""subscriptions/listen: who hears of changed tickets, and for how long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated

from accounts.models import ApiToken
from accounts.roles import Role
from accounts.services import revoke_token, withdraw_role
from tests.events.live.conftest import run_server
from tests.tickets.mcp.conftest import OPEN, Mcp, secret

pytestmark = pytest.mark.slow

ONE, TWO = "ticket://TICKET-001", "ticket://TICKET-002"


async def hear(subscription: Any, seconds: float = 10) -> Any:
    """The next event; None when nothing is told in time."""
    try:
        return await asyncio.wait_for(anext(aiter(subscription)), seconds)
    except TimeoutError:
        return None


def test_a_listener_hears_of_the_tickets_it_asked_for_and_of_no_others(mcp, devops, ticket, make_ticket):
    make_ticket("TICKET-002")

    async def story(mine):
        async with mine.client.listen(resource_subscriptions=[ONE], resources_list_changed=True) as ears:
            await mine("add_ticket_comment", ticket_id="TICKET-002", content="Not for these ears")
            await mine("add_ticket_comment", ticket_id="TICKET-001", content="Hello")
            assert await hear(ears) == ResourceUpdated(uri=ONE)
            await mine("create_ticket", **{**OPEN, "ticket_id": "TICKET-003"})
            assert await hear(ears) == ResourcesListChanged()

    mcp.drive(story, secret(devops))


def test_what_one_may_not_read_one_does_not_hear_of(mcp, devops, outsider, ticket):
    async def story(mine, theirs):
        async with theirs.client.listen(
            resource_subscriptions=[ONE, "ticket://NOPE-1"], resources_list_changed=True
        ) as ears:
            assert ears.honored.resource_subscriptions is None
            await mine("add_ticket_comment", ticket_id="TICKET-001", content="Hello")
            await mine("create_ticket", **{**OPEN, "ticket_id": "TICKET-003"})
            await theirs("create_ticket", **{**OPEN, "ticket_id": "OURS-1"})
            assert await hear(ears) == ResourcesListChanged(), "of their own ticket, and only of that"
            assert await hear(ears, 0.5) is None

    mcp.drive(story, secret(devops), secret(outsider))


def test_a_token_that_may_not_read_may_not_listen(mcp, devops, ticket):
    async def story(mine):
        with pytest.raises(MCPError) as refused:
            async with mine.client.listen(resource_subscriptions=[ONE]):
                pass
        assert refused.value.error.data["code"] == "insufficient_scope"

    mcp.drive(story, secret(devops, "tickets:write"))


def test_who_loses_the_right_hears_no_more(mcp, devops, other_devops, tenant, ticket):
    async def story(mine, theirs):
        async with theirs.client.listen(resource_subscriptions=[ONE]) as ears:
            await mine("add_ticket_comment", ticket_id="TICKET-001", content="Hello")
            assert await hear(ears) == ResourceUpdated(uri=ONE)
            await asyncio.to_thread(withdraw_role, user=other_devops, tenant=tenant, role=Role.DEVOPS)
            await mine("add_ticket_comment", ticket_id="TICKET-001", content="Secret")
            assert await hear(ears, 0.7) is None

    mcp.drive(story, secret(devops), secret(other_devops))


@pytest.mark.parametrize("how", ["revoked", "restart"])
def test_a_stream_ends_in_peace(how, transactional_db, devops, ticket):
    with run_server() as server:

        async def story(mine):
            async with mine.client.listen(resource_subscriptions=[ONE]) as ears:
                if how == "revoked":
                    await asyncio.to_thread(lambda: revoke_token(token=ApiToken.objects.get()))
                else:
                    server.process.terminate()
                assert [event async for event in ears] == []

        Mcp(server).drive(story, secret(devops))
