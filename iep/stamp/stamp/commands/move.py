"""Moving a ticket: promote, approve, revert, close, reopen, rebase."""

from __future__ import annotations

from typing import Any

from stamp import git
from stamp.client import conflict_line, verdict_line
from stamp.commands.update import differing
from stamp.errors import Refused
from stamp.session import Session

NEXT = {"dev": "qa", "qa": "prod"}


def promote(session: Session, message: str) -> None:
    """To the next stage: checked here, then by the service, which has the last word."""
    stamp = session.stamp()
    session.expect_stage(stamp)
    verdicts = check_here(session, stamp)
    origin = git.describe(session.settings.root, session.settings.remote)
    body: dict[str, Any] = {"git": origin} if origin else {}
    if session.dry_run:
        told = session.service.post(f"{session.address}/check", body).body
        verdicts += told["verdicts"]
        lines = [*map(verdict_line, verdicts), *map(conflict_line, told["conflicts"])]
        if not told["allowed"]:
            raise Refused(f"{session.ticket} would not be promoted to {told['next']}.", lines=lines, code="not_allowed")
        head = f"{session.ticket} would be promoted to {told['next']}."
        session.out.result({"dry_run": True, **told, "verdicts": verdicts}, "\n".join([head, *lines]))
        return
    if message:
        body["message"] = message
    answer = session.service.post(f"{session.address}/promote", body, revision=stamp["revision"])
    after = answer.body
    verdicts += after.get("verdicts") or []
    lines = [*map(verdict_line, verdicts), *(["→ " + after["preview_url"]] if after.get("preview_url") else [])]
    head = f"{session.ticket} is in {after['stage']}."
    if answer.status == 202 and after.get("sign_off"):
        asked = after["sign_off"]
        head = f"{session.ticket} goes to production when {asked['request']} is approved: {asked['url']}"
    elif release := after.get("release"):
        head = f"{session.ticket} is in production, revision {release['revision']}."
    session.out.result({"stamp": after, "verdicts": verdicts}, "\n".join([head, *lines]))


def check_here(session: Session, stamp: dict[str, Any]) -> list[dict[str, str]]:
    """The checks of this checkout; none when they are switched off (the service makes its own)."""
    if not session.settings.git_check:
        session.out.warn(
            "The git checks of this checkout were left out; the service makes those that the application asks for."
        )
        return []
    verdicts = git.check_promotable(session.settings.root, session.settings.remote)
    if different := differing(session, stamp):
        raise Refused(
            "What is stamped is not what is committed here.", code="not_stamped", lines=different,
            hint=f"stamp update --once {session.ticket}, look at the preview, then promote.",
        )  # fmt: skip
    return verdicts


def revert(session: Session, reason: str) -> None:
    """Back by one stage; out of production at once."""
    _post(session, "revert", {"reason": reason} if reason else {}, "would be reverted", "is back in {stage}")


def close(session: Session, reason: str) -> None:
    """Close it; everything is kept."""
    _post(session, "close", {"reason": reason} if reason else {}, "would be closed", "is closed; its modules are kept")


def reopen(session: Session) -> None:
    """Back to dev with the modules it had."""
    _post(session, "reopen", {}, "would be reopened", "is open again, in {stage}")


def approve(session: Session, comment: str) -> None:
    """Sign off what waits for approval."""
    body = {"comment": comment} if comment else {}
    _post(session, "approve", body, "would be approved", "is approved and goes to production")


def rebase(session: Session, mine: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """Take production's head for the ticket's base; what changed on both sides is decided by path."""
    body = {"mine": list(mine), "theirs": list(theirs)}
    _post(session, "rebase", body, "would be rebased", "stands on production {production_revision}")


def _post(session: Session, verb: str, body: dict[str, Any], would: str, did: str) -> None:
    stamp = session.stamp()
    session.expect_stage(stamp)
    if session.dry_run:
        text = f"{session.ticket} (in {stamp['stage']}, r{stamp['revision']}) {would}."
        session.out.result({"dry_run": True, "verb": verb, "stamp": stamp}, text)
        return
    after = session.service.post(f"{session.address}/{verb}", body, revision=stamp["revision"]).body
    lines = [f"{session.ticket} {did.format(**after)}.", *map(conflict_line, after.get("conflicts") or ())]
    if release := after.get("release"):
        lines.append(f"Production is at revision {release['revision']}.")
    session.out.result({"stamp": after}, "\n".join(lines))
