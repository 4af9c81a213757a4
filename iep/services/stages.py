"""A stamp goes on, back, away, and up again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from accounts.models import User
from core.errors import Conflict, WrongState
from core.plugins import load_plugin
from iep import permissions
from iep.errors import KeyConflict, PolicyRefused
from iep.models import Release, Stamp
from iep.policies import is_refused, judge
from iep.policies.base import Step
from iep.selectors.conflicts import changed_in_production, digests_of
from iep.services.change import load, lock, take, wrong_stage
from iep.services.judgements import keep_judgement
from iep.services.releases import release_stamp, take_back_release
from iep.sign_offs import SignOff
from iep.states import STAMP, Stage
from iep.types import Verdict


@dataclass(slots=True)
class Promoted:
    """Where a promotion led: the stamp after it, what the policies said, the release if production moved."""

    stamp: Stamp
    verdicts: list[Verdict] = field(default_factory=list)
    release: Release | None = None
    asked: str = ""


def promote_stamp(
    *,
    stamp: Stamp,
    by: User,
    revision: int | None = None,
    expected: int | None = None,
    git: dict[str, Any] | None = None,
    message: str = "",
) -> Promoted:
    """One stage on: dev to QA; QA to production, at once or, where the application wants a sign-off, by asking for it.

    Leaves `stamp.promoted`, `stamp.released` or `stamp.sign_off_asked`. PolicyRefused with every verdict, KeyConflict,
    WrongState, Conflict (waiting_for_sign_off) when it was asked for before.
    """
    permissions.check_can_stamp(by, stamp.application)
    if stamp.stage not in {Stage.DEV, Stage.QA}:
        raise wrong_stage(stamp, "promote")
    target = Stage.QA if stamp.stage == Stage.DEV else Stage.PROD
    # Outside any lock: policies may take a while, and what they saw is checked by the stamp's revision afterwards.
    verdicts = judge(Step(stamp=stamp, target=target, by=by, git=git or stamp.git))
    if is_refused(verdicts):
        refusal = PolicyRefused(verdicts)
        refusal.judgement = keep_judgement(stamp, target, by, verdicts)
        raise refusal
    seen = stamp.revision if revision is None else revision
    if target == Stage.QA:
        return Promoted(_to_qa(stamp, by, seen, git, verdicts), verdicts)
    if stamp.application.sign_off:
        return _ask(stamp, by, seen, message, verdicts)
    return _release(stamp, by, seen, expected, message, verdicts)


@transaction.atomic
def _release(  # noqa: PLR0917
    stamp: Stamp, by: User, revision: int, expected: int | None, message: str, verdicts: list[Verdict]
) -> Promoted:
    keep_judgement(stamp, Stage.PROD, by, verdicts)
    release = release_stamp(stamp=stamp, by=by, revision=revision, expected=expected, reason=message)
    return Promoted(release.stamp or stamp, verdicts, release)


@transaction.atomic
def _to_qa(stamp: Stamp, by: User, revision: int, git: dict[str, Any] | None, verdicts: list[Verdict]) -> Stamp:
    current = lock(stamp, revision)
    if STAMP.find(current.stage, "promote") is None:
        raise wrong_stage(current, "promote")
    if not current.delta:
        raise WrongState(f"{current.ticket.key} changes nothing. Stamp a file first.", code="nothing_to_promote")
    if conflicts := changed_in_production(current):
        raise KeyConflict(conflicts)
    keep_judgement(current, Stage.QA, by, verdicts)
    return take(current, "promote", by=by, git=git or current.git)


@transaction.atomic
def _ask(stamp: Stamp, by: User, revision: int, message: str, verdicts: list[Verdict]) -> Promoted:
    current = lock(stamp, revision)
    if current.stage != Stage.QA:
        raise wrong_stage(current, "release")
    if current.sign_off:
        raise Conflict(
            f"{current.ticket.key} waits for {current.sign_off}. Decide on that request, or withdraw it.",
            code="waiting_for_sign_off",
            details={"request": current.sign_off},
        )
    if conflicts := changed_in_production(current):
        raise KeyConflict(conflicts)
    number = sign_off().ask(current, by, message, verdicts)
    keep_judgement(current, Stage.PROD, by, verdicts, number)
    moved = take(current, "ask", by=by, data={"request": number}, sign_off=number)
    return Promoted(moved, verdicts, asked=number)


def sign_off() -> SignOff:
    """Who is asked before production changes."""
    plugin: SignOff = load_plugin("IEP_SIGN_OFFS", "promotion request")
    return plugin


@transaction.atomic
def approve_stamp(*, stamp: Stamp, by: User, comment: str = "") -> Stamp:
    """Say yes to the request that the stamp waits for, with all its rules: four eyes, and exactly what was tested.

    WrongState when it waits for none. What follows is the request's: it deploys, and that releases.
    """
    if not stamp.sign_off:
        raise WrongState(f"{stamp.ticket.key} waits for no sign-off. Promote it first.", code="nothing_to_approve")
    sign_off().approve(stamp.sign_off, by, comment)
    return load(stamp)


@transaction.atomic
def forget_sign_off(*, stamp: Stamp, request: str) -> None:
    """The request was rejected, withdrawn or lapsed: the ticket may ask again. Nothing when it waits for another one."""
    Stamp.objects.filter(pk=stamp.pk, sign_off=request).update(sign_off="")


def revert_stamp(*, stamp: Stamp, by: User, reason: str = "", expected: int | None = None) -> Stamp:
    """One stage back: production to QA by a new production revision that undoes this ticket, QA to dev.

    Leaves `stamp.taken_back` or `stamp.reverted`. WrongState, ChangedSince.
    """
    if stamp.stage == Stage.PROD:
        return take_back_release(stamp=stamp, by=by, reason=reason, expected=expected).stamp or stamp
    permissions.check_can_stamp(by, stamp.application)
    return _to_dev(stamp, by, reason)


@transaction.atomic
def _to_dev(stamp: Stamp, by: User, reason: str) -> Stamp:
    current = lock(stamp)
    _refuse_while_asked(current)
    return take(current, "revert", by=by, data={"reason": reason})


def _refuse_while_asked(stamp: Stamp) -> None:
    if stamp.sign_off:
        raise Conflict(
            f"{stamp.sign_off} asks to bring {stamp.ticket.key} to production. Withdraw or reject that request first.",
            code="waiting_for_sign_off",
            details={"request": stamp.sign_off},
        )


@transaction.atomic
def close_stamp(*, stamp: Stamp, by: User, reason: str = "") -> Stamp:
    """End the work; files, history and production stay. Leaves `stamp.closed`. WrongState when it is closed."""
    permissions.check_can_stamp(by, stamp.application)
    current = lock(stamp)
    _refuse_while_asked(current)
    return take(current, "close", by=by, data={"reason": reason, "was": current.stage})


@transaction.atomic
def reopen_stamp(*, stamp: Stamp, by: User) -> Stamp:
    """Begin the workflow anew in dev; leaves `stamp.reopened`.

    What never reached production is there again; what did is production's, so the delta is empty. WrongState unless it is
    closed or in production, or while the ticket itself is closed.
    """
    permissions.check_can_stamp(by, stamp.application)
    current = lock(stamp)
    if STAMP.find(current.stage, "reopen") is None:
        raise wrong_stage(current, "reopen")
    current.ticket.refresh_from_db(fields=["state"])
    if current.ticket.is_closed:
        raise WrongState(
            f"{current.ticket.key} is closed. Reopen the ticket first.", details={"state": current.ticket.state}
        )
    updates: dict[str, Any] = {"released_revision": None}
    if current.released_revision is not None:
        head = current.application.revision
        updates |= {"delta": {}, "base_revision": head, "revision": current.revision + 1}
    return take(current, "reopen", by=by, **updates)


@transaction.atomic
def rebase_stamp(
    *, stamp: Stamp, by: User, mine: Iterable[str] = (), theirs: Iterable[str] = (), revision: int | None = None
) -> Stamp:
    """Put the ticket's changes onto production as it is now; leaves `stamp.rebased`.

    Where both sides changed a path, it must be in `mine` (the ticket's file is meant) or in `theirs` (the ticket lets go
    of it): KeyConflict names those in neither. What production has by now all the same drops out.
    """
    permissions.check_can_stamp(by, stamp.application)
    current = lock(stamp, revision)
    if STAMP.find(current.stage, "rebase") is None:
        raise wrong_stage(current, "rebase")
    _refuse_while_asked(current)
    kept, dropped = set(mine), set(theirs)
    open_questions = [conflict for conflict in changed_in_production(current) if conflict.path not in kept ^ dropped]
    if open_questions:
        raise KeyConflict(open_questions)
    there = digests_of(current.application_id, current.delta)
    delta = {
        path: entry | {"base": there.get(path)}
        for path, entry in current.delta.items()
        if path not in dropped and there.get(path) != entry["digest"]
    }
    head = current.application.revision
    data = {"mine": sorted(kept), "theirs": sorted(dropped)}
    updates = {"base_revision": head, "delta": delta, "revision": current.revision + 1}
    return take(current, "rebase", by=by, data=data, **updates)
