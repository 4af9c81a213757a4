"""Lists on their way into statements: whatever they hold arrives as it was."""

from __future__ import annotations

import datetime as dt
import time

import psycopg
import pytest
from django.db import DataError, IntegrityError, ProgrammingError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from core.pipeline import at_once
from core.sql import array_of, is_missing, required, run, run_all, run_last, transact

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


@pytest.mark.django_db(transaction=True)
def test_statements_leave_together(connection_beside):
    """While the later ones are still being written, nothing of the first has happened."""
    connection.ensure_connection()
    with at_once(connection.connection) as cursor_class:
        cursor_class(connection.connection).execute("SELECT pg_advisory_lock(4711)")
        time.sleep(0.05)
        assert connection_beside.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (True,)
        connection_beside.execute("SELECT pg_advisory_unlock(4711)")
        cursor_class(connection.connection).execute("SELECT pg_advisory_lock(4712)")
    assert connection_beside.execute("SELECT pg_try_advisory_lock(4711)").fetchone() == (False,)
    assert connection_beside.execute("SELECT pg_try_advisory_lock(4712)").fetchone() == (False,)
    run("SELECT pg_advisory_unlock_all()", ())


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_takes_those_before_it_along():
    insert = ("INSERT INTO accounts_tenant (slug, name, created_at) VALUES (%s, 'x', now())", ["one"])
    count = ("SELECT count(*) FROM accounts_tenant", ())
    for _ in range(10):  # before and after they are prepared
        with pytest.raises(ProgrammingError):
            transact(insert, ("SELECT %s", [object()]))
        assert run_all(count, count) == [[(0,)], [(0,)]]


@pytest.mark.django_db(transaction=True)
def test_the_last_statements_commit(connection_beside):
    count = "SELECT count(*) FROM accounts_tenant"
    insert = "INSERT INTO accounts_tenant (slug, name, created_at) VALUES (%s, 'x', now()) RETURNING slug"
    heard = []
    with transaction.atomic():
        transaction.on_commit(lambda: heard.append("done"))
        assert run_last((insert, ["one"]), (count, ())) == [[("one",)], [(1,)]]
        assert connection_beside.execute(count).fetchone() == (1,)
        assert not heard
    assert heard == ["done"]
    with pytest.raises(IntegrityError), transaction.atomic():
        run_last((insert, ["two"]), (insert, ["one"]))
    with pytest.raises(RuntimeError), transaction.atomic():
        with transaction.atomic():
            run_last((insert, ["three"]))
        raise RuntimeError("whoever is around it has the last word")
    assert run(count, ()) == [(1,)]


@pytest.mark.django_db(transaction=True)
def test_what_stood_behind_a_statement_that_failed_works_the_next_time():
    count, fail = ("SELECT count(*) FROM accounts_tenant", ()), ("SELECT 1 / %s::int", [0])
    for times in range(12):  # one of them is when it would be prepared
        for _ in range(times):
            run_all(count, count)
        with pytest.raises(DataError):
            transact(fail, count)
        assert run_all(count, count) == [[(0,)], [(0,)]]
        with pytest.raises(DataError), transaction.atomic():
            run_all(fail, count)
        assert run(*count) == [(0,)]


@pytest.mark.django_db(transaction=True)
def test_what_is_required_and_not_there_undoes_the_rest():
    insert = ("INSERT INTO accounts_tenant (slug, name, created_at) VALUES ('one', 'x', now())", ())
    rename = "UPDATE accounts_tenant SET name = 'y' WHERE slug = %s RETURNING id"
    with pytest.raises(DataError) as missing:
        transact(insert, required((rename, ["two"])))
    with pytest.raises(DataError) as other:
        transact(insert, required((rename, ["one"])), ("SELECT repeat('x', 10)::varchar(3)::int", ()))
    assert (is_missing(missing.value), is_missing(other.value)) == (True, False)
    assert run("SELECT count(*) FROM accounts_tenant", ()) == [(0,)]
    transact(insert, required((rename, ["one"])))
    assert run("SELECT name FROM accounts_tenant", ()) == [("y",)]


@pytest.fixture
def connection_beside():
    connection.ensure_connection()
    with psycopg.connect(connection.connection.info.dsn, password=connection.connection.info.password) as beside:
        beside.autocommit = True
        yield beside
