"""The life of a stamp: every permitted step and the fact it leaves."""

from __future__ import annotations

from django.db import models

from core.transitions import Edge, TransitionTable


class Stage(models.TextChoices):
    """Where a ticket's modules are; production itself is the application's."""

    DEV = "dev"
    QA = "qa"
    PROD = "prod"
    CLOSED = "closed"


S = Stage
OPEN = (S.DEV, S.QA)

STAMP = TransitionTable(
    "stamp",
    [
        Edge(S.DEV, "update", S.DEV, "stamp.updated"),
        Edge(S.DEV, "promote", S.QA, "stamp.promoted"),
        Edge(S.QA, "ask", S.QA, "stamp.sign_off_asked"),
        Edge(S.QA, "release", S.PROD, "stamp.released"),
        Edge(S.PROD, "take_back", S.QA, "stamp.taken_back"),
        Edge(S.QA, "revert", S.DEV, "stamp.reverted"),
        Edge(S.DEV, "rebase", S.DEV, "stamp.rebased"),
        Edge(S.QA, "rebase", S.QA, "stamp.rebased"),
        Edge(S.DEV, "close", S.CLOSED, "stamp.closed"),
        Edge(S.QA, "close", S.CLOSED, "stamp.closed"),
        Edge(S.PROD, "close", S.CLOSED, "stamp.closed"),
        Edge(S.CLOSED, "reopen", S.DEV, "stamp.reopened"),
        Edge(S.PROD, "reopen", S.DEV, "stamp.reopened"),
    ],
)
# Facts of applications and stamps that no edge leaves.
OTHER_FACTS = (
    "stamp.opened",
    "stamp.stale",
    "application.opened",
    "application.published",
    "application.key_added",
    "application.key_revoked",
    "application.manifest_signed",
)
