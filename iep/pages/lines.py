"""Two versions of a file side by side, only as much of them as differs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from iep.selectors.diffs import Comparison

AROUND = 3
MOST_ROWS = 600


@dataclass(frozen=True, slots=True)
class Row:
    """A line on each side; `kind` is same, changed, or gap where equal lines are left out."""

    kind: str
    old_number: int | None = None
    old: str = ""
    new_number: int | None = None
    new: str = ""


def side_by_side(comparison: Comparison) -> list[Row] | None:
    """The rows, at most MOST_ROWS; None where a side is no text or too long."""
    sides = (comparison.before, comparison.after)
    if any(side is not None and side.text is None for side in sides):
        return None
    old, new = ((side.text or "").splitlines() if side else [] for side in sides)
    rows: list[Row] = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=len(old) > 2000)
    for number, group in enumerate(matcher.get_grouped_opcodes(AROUND)):
        if number:
            rows.append(Row("gap"))
        for tag, a, b, c, d in group:
            rows += _rows(tag, list(enumerate(old[a:b], a + 1)), list(enumerate(new[c:d], c + 1)))
        if len(rows) > MOST_ROWS:
            return [*rows[:MOST_ROWS], Row("gap")]
    return rows


def _rows(tag: str, old: list[tuple[int, str]], new: list[tuple[int, str]]) -> Iterator[Row]:
    for index in range(max(len(old), len(new))):
        left = old[index] if index < len(old) else (None, "")
        right = new[index] if index < len(new) else (None, "")
        yield Row("same" if tag == "equal" else "changed", left[0], left[1], right[0], right[1])
