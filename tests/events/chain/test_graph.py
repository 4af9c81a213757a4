"""The graph itself: any order of arrival, circles, bounds, tenants, and messages that stand for things."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.chain.kinds import EdgeKind, NodeKind
from events.chain.merging import columns_of, merge
from events.chain.statements import Statement, Thing
from events.chain.walking import Direction, walk
from events.chain.writing import forget_everything, write_statements
from events.models import ChainEdge, ChainNode, ChainStatement
from tests.events.chain.conftest import EVERYONE, MOMENT, line, names, said, shape

KEYS = ["a", "b", "c"]
REFS = ["x", "y"]
claims = st.fixed_dictionaries(
    {}, optional={"label": st.sampled_from(["", "one", "two"]), "state": st.sampled_from(["open", "failed"]),
                  "ended_at": st.sampled_from([MOMENT, ""]), "rollback": st.booleans()},
)  # fmt: skip
things = st.builds(Thing, st.just(NodeKind.BUILD), st.sampled_from(KEYS), claims, st.sampled_from([(), ("c1",)]))


@st.composite
def statements(draw) -> Statement:
    """A statement as a source would make it: the same reference, version and time always say the same."""
    ref, version = draw(st.sampled_from(REFS)), draw(st.integers(1, 3))
    at = MOMENT + dt.timedelta(seconds=draw(st.integers(0, 2)))
    told = Statement(0, ref, version, at, draw(st.sampled_from([EVERYONE, ("view_tickets",)])))
    told.things = draw(st.lists(things, min_size=2, max_size=4))
    refs = [thing.ref for thing in told.things]
    for cause, effect in itertools.pairwise(refs):
        told.lead(cause, draw(st.sampled_from([EdgeKind.LINKED, EdgeKind.BUILT])), effect)
    return told


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(statements(), max_size=5), st.randoms(use_true_random=False))
def test_what_is_known_of_a_thing_depends_on_no_order(told, random):
    def known(order) -> dict:
        claim: dict = {}
        for statement in order:
            for thing in statement.things:
                claim = merge(claim, statement, thing)
        return claim

    shuffled = list(told) * 2
    random.shuffle(shuffled)
    assert known(shuffled) == known(told)
    assert columns_of(known(shuffled)) == columns_of(known(told))


def everything() -> list[list[tuple]]:
    return [
        sorted(ChainEdge.objects.values_list("from_node__key", "kind", "to_node__key", "statement__ref")),
        sorted(map(str, ChainNode.objects.values_list("key", "label", "state", "ended_at", "said"))),
        sorted(ChainStatement.objects.values_list("ref", "version")),
    ]


@pytest.fixture
def in_tenant(tenant):
    return tenant


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(statements(), max_size=6, unique_by=lambda each: (each.ref, each.version)), st.data())
def test_the_graph_depends_on_no_order_and_no_repetition(in_tenant, told, data):
    for each in told:
        each.tenant_id = in_tenant.pk
    order = data.draw(st.permutations(told))
    forget_everything()
    write_statements(told)
    before = everything()
    forget_everything()
    for each in order:
        write_statements([each])
        write_statements([each])
    assert everything() == before


def go(tenant, key: str, *, kind=NodeKind.BUILD, audiences=EVERYONE, **options):
    return walk(tenant_id=tenant.pk, starts=(kind.value, key), audiences=audiences, **options)


def test_both_ways_and_each_way(tenant):
    write_statements([line(tenant, "a", "b", "c", "d")])
    assert set(names(go(tenant, "b"))) == {"a", "b", "c", "d"}
    assert set(names(go(tenant, "b", direction=Direction.DESCENDANTS))) == {"b", "c", "d"}
    assert set(names(go(tenant, "b", direction=Direction.ANCESTORS))) == {"a", "b"}
    depths = {node.name: node.depth for node in go(tenant, "b").nodes}
    assert depths == {"a": -1, "b": 0, "c": 1, "d": 2}


def test_a_circle_ends(tenant):
    write_statements([line(tenant, "a", "b", "c", "a"), line(tenant, "c", "b", ref="back")])
    found = go(tenant, "a")
    assert set(names(found)) == {"a", "b", "c"}
    assert len(shape(found)) == 4
    assert not found.truncated


def test_a_thing_does_not_lead_to_itself(tenant):
    write_statements([line(tenant, "a", "a", "b")])
    assert shape(go(tenant, "a")) == {("a", "linked", "b")}


def test_depth_is_bounded_and_said_to_be(tenant):
    keys = [f"n{number:03}" for number in range(120)]
    write_statements([line(tenant, *keys)])
    found = go(tenant, "n000", depth=10)
    assert (len(found.nodes), found.truncated) == (11, True)
    assert len(go(tenant, "n000").nodes) == 51


def test_breadth_is_bounded_and_said_to_be(tenant):
    told = said(tenant)
    hub = told.name(NodeKind.BUILD, "hub")
    for number in range(300):
        told.lead(hub, EdgeKind.LINKED, told.name(NodeKind.BUILD, f"leaf{number}"))
    write_statements([told])
    found = go(tenant, "hub", most=100)
    assert found.truncated
    assert 100 <= len(found.nodes) <= 101
    whole = go(tenant, "hub")
    assert (len(whole.nodes), whole.truncated) == (301, False)


def test_everything_joined_with_everything_is_walked_once(tenant):
    """Sixty things, each leading to every other: a walk that counts ways instead of things would not end."""
    told = said(tenant)
    refs = [told.name(NodeKind.BUILD, f"n{number}") for number in range(60)]
    for cause, effect in itertools.permutations(refs, 2):
        told.lead(cause, EdgeKind.LINKED, effect)
    write_statements([told])
    with CaptureQueriesContext(connection) as queries:
        found = go(tenant, "n0")
    assert len(queries) == 1
    assert (len(found.nodes), len(found.ways)) == (60, 60 * 59)


def test_tenants_with_the_same_keys_share_nothing(tenant, other_tenant):
    write_statements([line(tenant, "a", "b"), line(other_tenant, "b", "c")])
    assert set(names(go(tenant, "b"))) == {"a", "b"}
    assert set(names(go(other_tenant, "b"))) == {"b", "c"}


def test_what_one_may_not_see_is_passed_by_and_nothing_beyond_it_found(tenant):
    open_part, hidden = line(tenant, "a", "b"), said(tenant, "hidden", audiences=("view_promotions",))
    b, secret, beyond = (hidden.name(NodeKind.BUILD, key) for key in ("b", "secret", "c"))
    hidden.lead(b, EdgeKind.LINKED, secret)
    hidden.lead(secret, EdgeKind.LINKED, beyond)
    write_statements([open_part, hidden, line(tenant, "c", ref="open")])
    assert set(names(go(tenant, "a"))) == {"a", "b"}
    assert set(names(go(tenant, "a", audiences=(*EVERYONE, "view_promotions")))) == {"a", "b", "secret", "c"}
    assert go(tenant, "secret").nodes == []


def test_a_commit_that_was_not_built_goes_out_with_the_next(tenant):
    told = said(tenant)
    first, second, third = (told.name(NodeKind.COMMIT, key, label=key) for key in ("first", "second", "third"))
    build = told.name(NodeKind.BUILD, "build", label="build")
    told.lead(first, EdgeKind.PRECEDES, second)
    told.lead(second, EdgeKind.PRECEDES, third)
    told.lead(second, EdgeKind.BUILT, build)
    write_statements([told])
    assert set(names(go(tenant, "first", kind=NodeKind.COMMIT))) == {"first", "second", "build"}


def test_a_message_is_what_it_is_about(tenant):
    early = said(tenant, "early")
    effect = early.name(NodeKind.BUILD, "b", label="b")
    early.lead(early.name(NodeKind.MESSAGE, "m-1"), EdgeKind.LINKED, effect)
    write_statements([early])
    waiting = go(tenant, "b")
    assert [node.kind for node in waiting.nodes if not node.known] == ["message"]
    late = said(tenant, "late")
    cause, message = late.name(NodeKind.BUILD, "a", label="a"), late.name(NodeKind.MESSAGE, "m-1")
    late.lead(cause, EdgeKind.SAME, message)
    late.lead(message, EdgeKind.SAME, cause)
    write_statements([late])
    assert shape(go(tenant, "b")) == {("a", "linked", "b")}
    assert shape(go(tenant, "a")) == {("a", "linked", "b")}


def test_a_newer_version_replaces_and_an_older_changes_nothing(tenant):
    new, old = line(tenant, "a", "c"), line(tenant, "a", "b")
    new.version = 2
    write_statements([new])
    write_statements([old])
    assert shape(go(tenant, "a")) == {("a", "linked", "c")}
