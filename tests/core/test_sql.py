"""Lists on their way into statements: whatever they hold arrives as it was."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.sql import array_of, run, run_all, transact

pytestmark = pytest.mark.django_db

TEXTS = some.lists(
    some.text(some.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12), max_size=5
)
NUMBERS = some.lists(some.integers(-(2**63), 2**63 - 1), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=TEXTS, numbers=NUMBERS)
def test_texts_and_numbers_arrive_as_they_were(db, texts, numbers):
    assert run("SELECT %s::text[], %s::bigint[]", [texts, numbers]) == [(texts, numbers)]
    named = run("SELECT %(texts)s::text[], cardinality(%(texts)s::text[])", {"texts": texts})
    assert named == [(texts, len(texts))]


@pytest.mark.parametrize("texts", [["NULL"], ["null", ""], ['"', "\\", '\\"', "{", "}", ",", " a "], ["'); DROP"]])
def test_nothing_in_a_text_is_read_as_part_of_the_array(texts):
    assert run_all(("SELECT %s::text[]", [texts]), ("SELECT 'NULL' = ANY(%s)", [texts])) == [
        [(texts,)],
        [("NULL" in texts,)],
    ]


def test_the_driver_writes_what_is_neither_text_nor_number():
    moments = [dt.datetime(2024, 1, 31, tzinfo=dt.UTC)]
    assert array_of(moments) is moments
    assert run("SELECT %s::timestamptz[], %s::text[], %s::bool[]", [moments, ["a", None], [True]]) == [
        (moments, ["a", None], [True])
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("watched", [False, True])
def test_statements_of_one_transaction_take_effect_together_or_not_at_all(
    watched, django_assert_max_num_queries, settings
):
    insert = "INSERT INTO accounts_tenant (slug, name, created_at) VALUES (%s, %s, now()) RETURNING slug"
    one, two = (insert, ["one", "One"]), (insert, ["two", "Two"])
    count = "SELECT count(*) FROM accounts_tenant"

    def carry_out() -> None:
        with pytest.raises(IntegrityError):
            transact(one, two, one, two)
        assert run(count, ()) == [(0,)]
        assert transact(one, (count, ()), two) == [[("one",)], [(1,)], [("two",)]]
        assert run(count, ()) == [(2,)]

    if watched:
        with django_assert_max_num_queries(20):
            carry_out()
    else:
        carry_out()
    with transaction.atomic(), pytest.raises(transaction.TransactionManagementError):
        transact(one)
