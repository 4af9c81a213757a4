"""Writing statements into the graph: a few statements of SQL for hundreds of them, the same result in any order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, transaction

from events.chain.merging import COLUMNS, Said, columns_of, merge
from events.chain.statements import Ref, Statement

Node = tuple[int, str, str]  # tenant, kind, key

_NAME = """
INSERT INTO events_chainnode (tenant_id, kind, key, label, state, service, environment, version, url, rollback, gone,
    known, at, audiences, chains, said)
SELECT tenant, kind, key, '', '', '', '', '', '', false, false, false, now(), '{}', '{}', '{}'
FROM unnest(%(tenants)s::bigint[], %(kinds)s::text[], %(keys)s::text[]) AS new(tenant, kind, key)
ORDER BY tenant, kind, key
ON CONFLICT (tenant_id, kind, key) DO NOTHING
"""
_HOLD = """
SELECT node.id, node.tenant_id, node.kind, node.key, node.said::text FROM events_chainnode AS node
JOIN unnest(%(tenants)s::bigint[], %(kinds)s::text[], %(keys)s::text[]) AS named(tenant, kind, key)
    ON node.tenant_id = named.tenant AND node.kind = named.kind AND node.key = named.key
ORDER BY node.id FOR UPDATE OF node
"""
_TYPES = {
    "rollback": "boolean", "gone": "boolean", "known": "boolean", "at": "timestamptz", "ended_at": "timestamptz",
    "audiences": "text[]", "chains": "text[]",
}  # fmt: skip
_SAY = f"""
UPDATE events_chainnode AS node SET said = told.said, {", ".join(f"{name} = told.{name}" for name in COLUMNS)}
FROM jsonb_to_recordset(%s::jsonb) AS told(
    id bigint, said jsonb, {", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in COLUMNS)}
) WHERE node.id = told.id
"""  # noqa: S608 (our own columns)
_STATE = """
INSERT INTO events_chainstatement AS kept (tenant_id, ref, version)
SELECT tenant, ref, version FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS new(tenant, ref, version)
ORDER BY tenant, ref
ON CONFLICT (tenant_id, ref) DO UPDATE SET version = excluded.version WHERE kept.version < excluded.version
RETURNING id, tenant_id, ref
"""
_LEAD = """
INSERT INTO events_chainedge (statement_id, from_node_id, to_node_id, kind)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
ON CONFLICT DO NOTHING
"""


@transaction.atomic
def write_statements(statements: Sequence[Statement]) -> None:
    """Take in what is said; twice changes nothing, and an older version changes no newer one."""
    if not statements:
        return
    ids = _name_things(statements)
    _write_ways(statements, ids)


def _name_things(statements: Iterable[Statement]) -> dict[Node, int]:
    """Each thing that is named, with what is claimed of it; their ids."""
    claims: dict[Node, list[tuple[Statement, Any]]] = {}
    for statement in statements:
        for thing in statement.things:
            claims.setdefault((statement.tenant_id, *thing.ref), []).append((statement, thing))
    names = sorted(claims)
    columns: dict[str, Any] = {
        "tenants": [name[0] for name in names], "kinds": [name[1] for name in names], "keys": [name[2] for name in names],
    }  # fmt: skip
    ids: dict[Node, int] = {}
    changed: list[dict[str, Any]] = []
    with connection.cursor() as cursor:
        cursor.execute(_NAME, columns)
        cursor.execute(_HOLD, columns)
        for pk, tenant_id, kind, key, text in cursor.fetchall():
            ids[tenant_id, kind, key] = pk
            before: Said = json.loads(text)
            said = before
            for statement, thing in claims[tenant_id, kind, key]:
                said = merge(said, statement, thing)
            if said != before:
                changed.append({"id": pk, "said": said, **columns_of(said)})
        if changed:
            cursor.execute(_SAY, [json.dumps(changed)])
    return ids


def _write_ways(statements: Iterable[Statement], ids: dict[Node, int]) -> None:
    """The ways of the statements that are newer than what is kept, in place of the earlier ones."""
    newest: dict[tuple[int, str], Statement] = {}
    for statement in statements:
        ref = (statement.tenant_id, statement.ref)
        if ref not in newest or newest[ref].version < statement.version:
            newest[ref] = statement
    names = sorted(newest)
    with connection.cursor() as cursor:
        versions = [newest[name].version for name in names]
        cursor.execute(_STATE, [[name[0] for name in names], [name[1] for name in names], versions])
        kept = {(tenant_id, ref): pk for pk, tenant_id, ref in cursor.fetchall()}
        if not kept:
            return
        cursor.execute("DELETE FROM events_chainedge WHERE statement_id = ANY(%s)", [list(kept.values())])
        rows = [
            (pk, _id(ids, name[0], way.cause), _id(ids, name[0], way.effect), way.kind.value)
            for name, pk in kept.items()
            for way in newest[name].ways
        ]
        if rows:
            cursor.execute(_LEAD, [list(column) for column in zip(*rows, strict=True)])


def _id(ids: dict[Node, int], tenant_id: int, ref: Ref) -> int:
    return ids[tenant_id, ref[0], ref[1]]


def forget_everything() -> None:
    """Empty the graph, to be told anew from the log."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what the transaction wrote before is checked now
        cursor.execute("TRUNCATE events_chainedge, events_chainstatement, events_chainnode")
