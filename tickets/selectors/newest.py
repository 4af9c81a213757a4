"""The newest tickets of a label, those that wait for others, and those with a word that many have, off indexes.

Each costs as much as it shows, however many tickets there are: many tenants are read one by one and merged, while there are
few enough of them, and a frequent word is looked for among the newest before its index is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core.counts import Select, run_together, select_of
from core.sql import run
from tickets.models import TicketQuerySet
from tickets.selectors.words import Words

ByState = dict[str, list[int]]

# Reading so many tenants one by one is cheaper than passing over the rows of all others.
MOST_TENANTS = 60
# Of each state so many of the newest are looked at for a frequent word: one in twenty has to have it.
LOOKED_AT = 1000
BEHIND_ALL = 2**63 - 1

_OF_LABEL = """
SELECT ticket_id FROM tickets_ticketlabel WHERE label = %(label)s::text AND state = one.state
    AND ticket_id < until.before {place} ORDER BY ticket_id DESC LIMIT %(newest)s::int
"""
_BLOCKED = """
SELECT DISTINCT ticket_id FROM tickets_dependency WHERE holds AND ticket_id < %(before)s::bigint {place}
ORDER BY ticket_id DESC LIMIT %(newest)s::int
"""
_OF_EACH_TENANT = """
SELECT first.ticket_id FROM unnest(%(tenants)s::bigint[]) AS its(tenant), LATERAL ({each}) AS first
ORDER BY ticket_id DESC LIMIT %(newest)s::int
"""


def _across(each: str, tenants: Sequence[int] | None) -> str:
    """`each` for the tenants: for all, for few of them one by one, or for many at once."""
    if tenants is None:
        return each.format(place="")
    if len(tenants) > MOST_TENANTS:
        return each.format(place="AND tenant_id = ANY (%(tenants)s::bigint[])")
    return _OF_EACH_TENANT.format(each=each.format(place="AND tenant_id = its.tenant"))


def newest_of_label(
    label: str, tenants: Sequence[int] | None, states: Sequence[str], newest: int, before: int | None = None
) -> tuple[ByState, ByState]:
    """Up to `newest` ids of each state in these tenants (None: in every one): those older than `before`, and the newest."""
    found: dict[int, ByState] = {_until(before): {}, BEHIND_ALL: {}}
    statement = (
        "SELECT until.before, one.state, found.ticket_id"  # noqa: S608 (our own text)
        " FROM unnest(%(befores)s::bigint[]) AS until(before), unnest(%(states)s::text[]) AS one(state),"
        f" LATERAL ({_across(_OF_LABEL, tenants)}) AS found"
    )
    values = {"label": label, "states": [str(state) for state in states], "befores": list(found), "newest": newest}
    for until, state, pk in run(statement, values | _places(tenants)):
        found[until].setdefault(state, []).append(pk)
    return found[_until(before)], found[BEHIND_ALL]


def newest_blocked(tenants: Sequence[int] | None, newest: int, before: int | None = None) -> list[int]:
    """Up to `newest` ids of tickets that wait for another one, older than `before`."""
    values = {"newest": newest, "before": _until(before)} | _places(tenants)
    return [pk for (pk,) in run(_across(_BLOCKED, tenants), values)]


def _until(before: int | None) -> int:
    return BEHIND_ALL if before is None else before


def _places(tenants: Sequence[int] | None) -> dict[str, Any]:
    return {} if tenants is None else {"tenants": list(tenants)}


def newest_with_words(
    those: TicketQuerySet, words: Words, states: Sequence[str], newest: int, *, befores: Sequence[int | None] = (None,)
) -> list[ByState]:
    """Up to `newest` ids of each state among `those` that have the words, older than each of `befores`: one query.

    A state "" stands for all of them together. Where too few of the newest have them, their index is asked, which costs
    the more the more tickets have them.
    """
    found: dict[int, ByState] = {_until(before): {} for before in befores}
    selects: list[Select] = []
    for until in found:
        older = those if until == BEHIND_ALL else those.filter(pk__lt=until)
        for state in states:
            rows = older.filter(state=state) if state else older
            selects += _with_words(rows.order_by("-id"), words, newest, [until, str(state)])
    for until, state, pk in run_together(selects):
        found[until].setdefault(state, []).append(pk)
    return [found[_until(before)] for before in befores]


def _with_words(those: TicketQuerySet, words: Words, newest: int, name: list[Any]) -> list[Select]:
    """The rows of `name` and an id: of the newest of `those`, or of all of them when too few of the newest have the words."""
    walk, walk_values = select_of(those.values("pk")[:LOOKED_AT])
    index, index_values = select_of(words.among(those.order_by()).values("pk"))
    if not walk or not index:
        return []
    fits, fits_values = words.condition("ticket")
    text = f"""
    SELECT one.* FROM (WITH look AS MATERIALIZED (
        SELECT walk.pk FROM ({walk}) AS walk,
        LATERAL (SELECT {fits} AS fits FROM tickets_ticket AS ticket WHERE ticket.id = walk.pk OFFSET 0) AS ticket
        WHERE ticket.fits ORDER BY walk.pk DESC LIMIT %s
    ) SELECT %s::bigint, %s, pk FROM look WHERE (SELECT count(*) FROM look) >= %s
    UNION ALL SELECT %s::bigint, %s, other.pk FROM (
        -- All of them, unordered: in order, PostgreSQL might walk every ticket there is instead of the index.
        SELECT unordered.pk FROM ({index} OFFSET 0) AS unordered ORDER BY unordered.pk DESC LIMIT %s
    ) AS other WHERE (SELECT count(*) FROM look) < %s) AS one
    """  # noqa: S608 (Django and we wrote it)
    return [(text, [*walk_values, *fits_values, newest, *name, newest, *name, *index_values, newest, newest])]
