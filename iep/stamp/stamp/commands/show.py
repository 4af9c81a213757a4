"""Looking: list, status, diff, open."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import click

from stamp.client import conflict_line, verdict_line
from stamp.errors import Failed, Stop
from stamp.out import modules, size, table
from stamp.session import Session

SIGNS = {"added": "+", "modified": "~", "removed": "-"}


def list_stamps(session: Session, *, every: bool) -> None:
    """The tickets of an application; those in qa and prod unless stages are named."""
    chosen = session.stages() or ([] if every or session.settings.ticket else ["qa", "prod"])
    found = session.service.get(f"/applications/{session.application}/stamps", stage="all").body
    shown = [each for each in found if not chosen or each["stage"] in chosen]
    if session.settings.ticket:
        shown = [each for each in shown if each["ticket"] == session.ticket]
    rows = [
        (
            each["ticket"],
            each["stage"],
            f"r{each['revision']}",
            modules(len(each["changes"])),
            _state(each),
            each["title"],
        )
        for each in shown
    ]
    where = " or ".join(chosen) or "any stage"
    head = ("TICKET", "STAGE", "REV", "CHANGES", "STATE", "TITLE")
    text = table(rows, head) if rows else f"No ticket of {session.application} is in {where}."
    session.out.result({"application": session.application, "stages": chosen, "stamps": shown}, text)


def _state(stamp: dict[str, Any]) -> str:
    if stamp.get("conflicts"):
        return f"{len(stamp['conflicts'])} conflicts" if len(stamp["conflicts"]) > 1 else "1 conflict"
    if sign_off := stamp.get("sign_off"):
        return f"{sign_off['request']} {sign_off['state']}"
    return "-"


def status(session: Session) -> None:
    """One ticket: its stage, its modules, what stands in its way, and where to look at it."""
    stamp = session.stamp()
    session.expect_stage(stamp)
    lines = [
        click.style(f"{stamp['ticket']}  {stamp['stage']}  r{stamp['revision']}", bold=True) + f"  {stamp['title']}"
    ]
    lines.append(f"Over production {stamp['production_revision']}, last changed {stamp['updated_at']}")
    lines += [f"  {SIGNS.get(each['change'], '?')} {each['path']}{_size(each)}" for each in stamp["changes"]]
    lines += [conflict_line(conflict) for conflict in stamp["conflicts"]]
    lines += list(_judged(stamp.get("judgement")))
    if sign_off := stamp.get("sign_off"):
        lines.append(f"Sign-off: {sign_off['request']} is {sign_off['state']}  {sign_off['url']}")
    lines += [f"→ {stamp[name]}" for name in ("preview_url", "panel_url") if stamp.get(name)]
    session.out.result({"stamp": stamp}, "\n".join(lines))


def _judged(judgement: dict[str, Any] | None) -> Iterator[str]:
    """What policies said when it last was to go on."""
    if not judgement or not judgement["verdicts"]:
        return
    yield f"Policies, asked of r{judgement['revision']} for {judgement['target']} at {judgement['at']}:"
    yield from (f"  {verdict_line(verdict)}" for verdict in judgement["verdicts"])


def _size(change: dict[str, Any]) -> str:
    return f"  {size(change['size'])}" if change.get("size") else ""


def diff(session: Session, paths: tuple[str, ...]) -> None:
    """The ticket's modules beside production's, as a patch."""
    stamp = session.stamp()
    chosen = [each["path"] for each in stamp["changes"] if not paths or each["path"] in paths]
    sides = [session.service.get(f"{session.address}/diff", path=path).body for path in chosen]
    text = "\n".join(line for side in sides for line in _patch(side))
    session.out.result({"ticket": session.ticket, "diffs": sides}, text or f"{session.ticket} changes nothing there.")


def _patch(side: dict[str, Any]) -> Iterator[str]:
    before, after = ((side.get(name) or {}) for name in ("before", "after"))
    if before.get("text", "") is None or after.get("text", "") is None:
        yield f"Binary or large: {side['path']}"
        return
    lines = difflib.unified_diff(
        (before.get("text") or "").splitlines(), (after.get("text") or "").splitlines(),
        f"production/{side['path']}" if before else "/dev/null",
        f"ticket/{side['path']}" if after else "/dev/null", lineterm="",
    )  # fmt: skip
    colours = {"+": "green", "-": "red", "@": "cyan"}
    for line in lines:
        yield click.style(line, fg=colours.get(line[:1]))


def open_page(session: Session, *, panel: bool, only_print: bool, share: int) -> None:
    """Open the preview (or the panel) of the ticket in the browser; `share` makes it a link for people without an account."""
    stamp = session.stamp()
    session.expect_stage(stamp)
    if share:
        link = session.service.post(f"{session.address}/link", {"hours": share}).body
        session.out.result(link, link["url"])
        return
    application = session.service.application(session.application)
    address = stamp["panel_url"] if panel else stamp.get("preview_url") or application["url"]
    if not (only_print or session.out.json) and click.launch(address) != 0:
        raise Failed("No browser could be opened.", hint=address)
    session.out.result({"url": address}, address)


def known_tickets(options: dict[str, Any], beginning: str) -> list[str]:
    """Tickets for the shell's completion; nothing when the server cannot say at once."""
    session = Session("list", {**options, "retries": 0, "timeout": 1.0})
    try:
        found = session.service.get(f"/applications/{session.application}/stamps", stage="all").body
    except (Stop, OSError):
        return []
    return [each["ticket"] for each in found if each["ticket"].lower().startswith(beginning.lower())]
