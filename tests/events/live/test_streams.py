"""One stream's queue: filtered, bounded, and honest about what it dropped."""

from __future__ import annotations

from accounts.roles import Capability
from accounts.selectors import Grants
from events.live.streams import QUEUED, Line, Stream, make_frame
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
