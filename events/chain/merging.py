"""What is known of a thing from all that was claimed: per field the latest claim holds, so no order is the wrong one."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from events.chain.statements import Statement, Thing

TIMES = ("at", "ended_at")
LENGTHS = {"label": 300, "state": 40, "service": 300, "environment": 100, "version": 200, "url": 2000}
FLAGS = ("rollback", "gone")
COLUMNS = (*LENGTHS, *FLAGS, *TIMES, "known", "audiences", "chains")
MOST_CHAINS = 50

Said = dict[str, Any]


def moment_text(moment: dt.datetime) -> str:
    """In UTC and always as long, so that texts sort as the moments do."""
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def stamp_of(statement: Statement) -> str:
    """Orders claims by the time they speak of, then by who speaks: a total order that everyone agrees on."""
    return f"{moment_text(statement.at)}|{statement.ref}|{statement.version:020d}"


def merge(said: Said, statement: Statement, thing: Thing) -> Said:
    """`said` with the claims of one thing in a statement; commutative, and the same twice is the same once."""
    stamp, merged = stamp_of(statement), dict(said)
    for name, value in thing.claims.items():
        claim = [stamp, _plain(name, value)]
        if name not in merged or _rank(claim) > _rank(merged[name]):
            merged[name] = claim
    seen = moment_text(statement.at)
    merged["_seen"] = min(seen, merged.get("_seen", seen))
    merged["_audiences"] = sorted({*merged.get("_audiences", ()), *statement.audiences})
    merged["_chains"] = sorted({*merged.get("_chains", ()), *(chain[:200] for chain in thing.chains)})[:MOST_CHAINS]
    return merged


def _rank(claim: list[Any]) -> tuple[str, str]:
    return claim[0], json.dumps(claim[1])


def _plain(name: str, value: Any) -> Any:
    if name in TIMES:
        return moment_text(value) if isinstance(value, dt.datetime) else ""
    return str(value).replace("\x00", "")[: LENGTHS[name]] if name in LENGTHS else bool(value)


def columns_of(said: Said) -> dict[str, Any]:
    """The columns of the thing, as JSON has them; when it happened is when it was first spoken of, if nobody says."""
    told = {name: claim[1] for name, claim in said.items() if not name.startswith("_")}
    return {
        **{name: told.get(name, "") for name in LENGTHS},
        **{name: told.get(name, False) for name in FLAGS},
        "at": told.get("at") or told.get("ended_at") or said.get("_seen"),
        "ended_at": told.get("ended_at") or None,
        "known": bool(told),
        "audiences": said.get("_audiences", []),
        "chains": said.get("_chains", []),
    }
