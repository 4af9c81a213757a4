"""How stages, changes, verdicts and facts of stamps look: word, tone and icon."""

from __future__ import annotations

from core.looks import Look
from iep.states import Stage

STAGES: dict[str, Look] = {
    Stage.DEV: Look("Dev", "blue", "pencil"),
    Stage.QA: Look("QA", "violet", "eye"),
    Stage.PROD: Look("Production", "green", "circle-check"),
    Stage.CLOSED: Look("Closed", "grey", "ban"),
}
WAITING = Look("Waits for sign-off", "amber", "clock")
CHANGES: dict[str, Look] = {
    "modified": Look("Modified", "blue"),
    "added": Look("Added", "green"),
    "removed": Look("Removed", "red"),
}
OUTCOMES: dict[str, Look] = {
    "pass": Look("Passed", "green", "check"),
    "warn": Look("Warning", "amber", "triangle-alert"),
    "block": Look("Refuses", "red", "x"),
}
FACTS: dict[str, Look] = {
    "stamp.opened": Look("Stamped for the first time", "blue", "pencil"),
    "stamp.updated": Look("Files changed", "grey", "pencil"),
    "stamp.promoted": Look("Promoted to QA", "violet", "arrow-right"),
    "stamp.sign_off_asked": Look("Asked for production", "amber", "clock"),
    "stamp.released": Look("Released to production", "green", "circle-check"),
    "stamp.taken_back": Look("Taken out of production", "red", "rotate-cw"),
    "stamp.reverted": Look("Sent back to dev", "amber", "rotate-cw"),
    "stamp.rebased": Look("Rebased onto production", "grey", "rotate-cw"),
    "stamp.closed": Look("Closed", "grey", "ban"),
    "stamp.reopened": Look("Reopened", "blue", "rotate-cw"),
}
KINDS: dict[str, Look] = {
    "baseline": Look("Baseline", "grey"),
    "release": Look("Release", "green"),
    "revert": Look("Revert", "amber"),
}
