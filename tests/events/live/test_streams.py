"""One stream's queue: filtered, bounded, and honest about what it dropped."""

from __future__ import annotations

import asyncio

from accounts.roles import Capability
from accounts.selectors import Grants
from events.live.routes import Live
from events.live.streams import HEARTBEAT, QUEUED, Line, Stream, make_frame
from events.live.visitors import Credential, Visitor

NOBODY = Visitor(7, False, Grants(frozenset(), {}))
CPI = Visitor(8, False, Grants(frozenset(), {1: frozenset({Capability.VIEW_PROMOTIONS.value})}))
CHIEF = Visitor(9, False, Grants(frozenset({Capability.VIEW_PROMOTIONS.value}), {}))
ROOT = Visitor(10, True, Grants(frozenset(), {}))


def line(sequence: int, capability: str = "view_promotions", tenant: int | None = 1, *users: int) -> Line:
    return Line(sequence, capability, tenant, frozenset(users), make_frame("fact", {"sequence": sequence}, sequence))


def test_the_audience_of_a_fact():
    cases = [
        (line(1), {8, 9, 10}),
        (line(1, "view_promotions", 2), {9, 10}),
        (line(1, "view_promotions", None), {9, 10}),
        (line(1, "view_events"), {10}),
        (line(1, ""), {10}),
        (line(1, "", None, 7), {7, 10}),
    ]
    for fact, expected in cases:
        assert {visitor.user_id for visitor in (NOBODY, CPI, CHIEF, ROOT) if fact.is_for(visitor)} == expected


def test_nothing_is_told_twice_and_what_waits_leaves_as_one_piece():
    stream = Stream(Credential(), CPI, after=2)
    stream.offer([line(2), line(3), line(4, "view_events"), line(5)])
    assert stream.take() == (
        b'id: 3\nevent: fact\ndata: {"sequence":3}\n\n'
        b'id: 5\nevent: fact\ndata: {"sequence":5}\n\n'
    )  # fmt: skip
    assert stream.take() == b""


def test_who_does_not_keep_up_is_told_to_reload_and_let_go():
    stream = Stream(Credential(), CPI, after=0)
    for sequence in range(1, QUEUED + 2):
        stream.offer([line(sequence)])
    assert stream.closing
    assert stream.take() == f'id: {QUEUED + 1}\nevent: reload\ndata: {{"reason":"too_slow"}}\n\n'.encode()
    stream.offer([line(QUEUED + 2)])
    assert stream.take() == b""


def test_secrets_do_not_get_into_logs():
    assert "hush" not in repr(Credential(session="hush", token="hush"))


def serve(stream: Stream, send, then) -> None:
    """Run the route's loop for a stream that is open already, and `then` beside it."""

    class Door:
        stopping = False

        async def open(self, credential, after):
            return stream

        def leave(self, left):
            assert left is stream

    async def receive():
        await asyncio.sleep(60)

    async def both():
        live = Live()
        live._hub = Door()  # type: ignore[assignment]
        scope = {"type": "http", "method": "GET", "headers": [(b"cookie", b"sessionid=x")], "query_string": b""}
        await asyncio.wait_for(asyncio.gather(live(scope, receive, send), then()), 5)

    asyncio.run(both())


def test_silence_gets_a_sign_of_life_and_goodbye_ends_the_answer():
    sent: list[dict] = []
    stream = Stream(Credential(), CPI, after=0)

    async def send(message):
        sent.append(message)

    async def then():
        await asyncio.sleep(0.05)
        stream.beat(idle=0, stuck=60)
        await asyncio.sleep(0.05)
        stream.say_goodbye("restart")

    serve(stream, send, then)
    assert [message.get("body") for message in sent[2:]] == [HEARTBEAT, make_frame("bye", {"reason": "restart"}), b""]
    assert sent[-1]["more_body"] is False


def test_who_reads_nothing_is_cut_off():
    stream = Stream(Credential(), CPI, after=0)

    async def send(message):
        if message.get("body"):
            await asyncio.sleep(60)

    async def then():
        await asyncio.sleep(0.05)
        stream.beat(idle=15, stuck=60)
        assert not stream.stuck
        stream.beat(idle=15, stuck=0.01)

    serve(stream, send, then)
    assert stream.stuck
