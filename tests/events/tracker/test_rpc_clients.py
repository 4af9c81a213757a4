"""gRPC asked by grpclib, a client that shares nothing with our server: HTTP/2 and framing of its own."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest
from google.protobuf import json_format
from grpclib import GRPCError, Status
from grpclib.client import Channel, UnaryStreamMethod, UnaryUnaryMethod

from accounts.services import issue_token
from events.tracker import records
from events.tracker.pb.tracker.event.v1alpha1 import event_pb2 as pb
from tests.events.tracker.conftest import columns
from tests.events.tracker.rpc import start_server

pytestmark = pytest.mark.django_db(transaction=True)

SERVICE = "/tracker.event.v1alpha1.EventService/"
DEPLOYMENT = {"title": "Deploy ledger", "attributes": {"type": "deployment", "service": "ledger", "status": "success"}}


@pytest.fixture(scope="module")
def port(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        process, port = start_server()
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.fixture
def bearer(devops) -> dict[str, str]:
    return {"authorization": "Bearer " + issue_token(user=devops, name="x", scopes=["events:read", "events:write"])[1]}


async def ask(channel: Channel, method: str, request: dict[str, Any], metadata: dict[str, str]) -> Any:
    asked, answered = getattr(pb, f"{method}Request"), getattr(pb, f"{method}Response")
    call = UnaryUnaryMethod(channel, SERVICE + method, asked, answered)
    return json_format.MessageToDict(await call(json_format.ParseDict(request, asked()), metadata=metadata, timeout=20))


async def hear(channel: Channel, request: dict[str, Any], metadata: dict[str, str], count: int) -> list[Any]:
    """The first answers of a watch."""
    asked = json_format.ParseDict(request, pb.WatchEventsRequest())
    watch = UnaryStreamMethod(channel, SERVICE + "WatchEvents", pb.WatchEventsRequest, pb.WatchEventsResponse)
    heard = []
    async with watch.open(metadata=metadata, timeout=30) as stream:
        await stream.send_message(asked, end=True)
        while len(heard) < count:
            message = await stream.recv_message()
            assert message is not None
            heard.append(json_format.MessageToDict(message))
        await stream.cancel()
    return heard


def test_grpclib_records_reads_and_is_refused_with_the_right_codes(port, bearer, tenant):
    async def talk() -> None:
        async with Channel("127.0.0.1", port) as channel:
            made = await ask(channel, "CreateEvent", DEPLOYMENT, bearer)
            key = made["event"]["metadata"]["id"]
            read = await ask(channel, "GetEvent", {"id": key}, bearer)
            assert read["event"] == made["event"]
            found = await ask(channel, "SearchEvents", {"service": "ledger"}, bearer)
            assert found["totalCount"] == 1
            for request, metadata, status in (
                ({"id": "nothing"}, bearer, Status.NOT_FOUND),
                ({"id": key}, {"authorization": "Bearer sp_nonsense"}, Status.UNAUTHENTICATED),
            ):
                with pytest.raises(GRPCError) as refused:
                    await ask(channel, "GetEvent", request, metadata)
                assert refused.value.status == status

    asyncio.run(talk())


def test_grpclib_watches_what_happens(port, bearer, tenant, devops):
    first = records.record_event(tenant=tenant, content=columns(), by=devops)
    records.update_event(event=first, content={"status": 3}, by=devops)

    async def talk() -> list[Any]:
        async with Channel("127.0.0.1", port) as channel:
            from_the_start = {"afterSequence": "0", "filter": {"service": "ledger"}}
            heard = await hear(channel, from_the_start, bearer, 2)
            later = asyncio.create_task(hear(channel, {"afterSequence": heard[-1]["sequence"]}, bearer, 1))
            await ask(channel, "CreateEvent", {**DEPLOYMENT, "title": "Another"}, bearer)
            return [*heard, *await later]

    heard = asyncio.run(talk())
    assert [one["kind"] for one in heard] == ["recorded", "changed", "recorded"]
    assert heard[0]["id"] == str(first.pk)
    assert heard[2]["event"]["title"] == "Another"
