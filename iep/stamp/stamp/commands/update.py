"""`stamp update`: a first full stamp, then whatever is saved, added or deleted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stamp import git
from stamp.client import conflict_line
from stamp.errors import Unknown, Usage
from stamp.out import is_terminal, modules, size
from stamp.session import Session
from stamp.stamping import Stamper, check_sizes
from stamp.tree import File
from stamp.watching import Watch


def run(session: Session, paths: tuple[str, ...], *, once: bool) -> None:
    """Stamp the folder, or only `paths`; then watch unless `once`."""
    if session.dry_run:
        preview(session, paths)
        return
    stamper = make_stamper(session)
    if paths:
        stamp = stamper.save([path_below(session, path) for path in paths])
        session.out.result({"stamp": stamp}, told(session, stamp))
        return
    watch = Watch(stamper, session.out, session.settings.debounce, session.settings.polling)
    watch.begin()
    stamp = stamper.whole(removed=session.tree.deleted(session.settings.remote))
    if once:
        session.out.result({"stamp": stamp}, told(session, stamp))
        return
    with ended_by_ctrl_c(watch.stop):
        session.out.event("begun", {"stamp": stamp}, told(session, stamp))
        session.out.talk(
            f"Watching {', '.join(session.settings.folder)}. Ctrl-C ends it; the ticket keeps what it has."
        )
        watch.run()


@contextmanager
def ended_by_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C also sets `stop`: its exception alone is lost where Python ignores exceptions, as in an import's callbacks."""

    def interrupt(*_: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if stop.is_set():
        raise KeyboardInterrupt


def make_stamper(session: Session) -> Stamper:
    """What stamps this session's ticket, with what git and the build tool say of the sources."""
    from stamp.graph import Graph, read_graph

    graph, root = Graph(), session.settings.root
    if session.settings.manifest:
        graph = read_graph(root / session.settings.manifest, root)
    return Stamper(
        session.service, session.tree, session.application, session.ticket,
        git=git.describe(session.settings.root, session.settings.remote), imports=graph.imports, lazy=graph.lazy,
        show_progress=is_terminal() and not session.out.quiet and not session.out.json,
    )  # fmt: skip


def path_below(session: Session, typed: str) -> str:
    """A path as typed, as a path of the application."""
    root = session.settings.root
    place = Path(typed)
    for candidate in (Path.cwd() / place, root / place):
        resolved = candidate.parent.resolve() / candidate.name
        if resolved.is_relative_to(root) and session.tree.counts(path := resolved.relative_to(root).as_posix()):
            return path
    raise Usage(
        f"{typed} is no module of this application.",
        hint=f"Modules are below {', '.join(session.settings.folder)} in {root}.",
    )


def preview(session: Session, paths: tuple[str, ...]) -> None:
    """What a stamp would change, without changing it."""
    chosen = {path_below(session, path) for path in paths}
    files = [file for file in session.tree.files() if not chosen or file.path in chosen]
    check_sizes(files)
    there = effective(session)
    different = [file for file in files if there.get(file.path) != file.digest]
    gone = [] if chosen else [path for path in session.tree.deleted(session.settings.remote) if path in there]
    gone += [path for path in chosen if path in there and not (session.settings.root / path).exists()]
    rows = [f"  {'~' if file.path in there else '+'} {file.path}  {size(file.size)}" for file in different]
    rows += [f"  - {path}" for path in gone]
    data = {
        "dry_run": True, "ticket": session.ticket, "files": len(files),
        "added": [file.path for file in different if file.path not in there],
        "modified": [file.path for file in different if file.path in there], "removed": gone,
        "bytes": sum(file.size for file in different),
    }  # fmt: skip
    head = f"{session.ticket} would change {modules(len(rows))}, {size(data['bytes'])} to send at most:"
    session.out.result(data, "\n".join([head, *rows]) if rows else f"{session.ticket} has all of this already.")


def effective(session: Session) -> dict[str, str]:
    """What the ticket serves now, by path: production with the ticket's changes over it."""
    production = session.service.get(f"/applications/{session.application}/modules").body["modules"]
    there = {each["path"]: each["digest"] for each in production}
    try:
        changes = session.stamp()["changes"]
    except Unknown:
        changes = []
    for change in changes:
        if change["digest"]:
            there[change["path"]] = change["digest"]
        else:
            there.pop(change["path"], None)
    return there


def differing(session: Session, stamp: dict[str, Any]) -> list[str]:
    """Modules of the ticket whose file here is not what was stamped; empty when this is no checkout of them."""
    here: dict[str, File | None] = {each["path"]: session.tree.file(each["path"]) for each in stamp["changes"]}
    if not any(here.values()):
        return []
    return sorted(
        change["path"]
        for change in stamp["changes"]
        if (file.digest if (file := here[change["path"]]) else None) != change["digest"]
    )


def told(session: Session, stamp: dict[str, Any]) -> str:
    """A stamp in words, with where to look at it."""
    changed = stamp.get("changed") or []
    lines = [
        f"{session.ticket} changes {modules(len(stamp.get('changes', ())))} of {session.application}"
        + (f"; {len(changed)} now" if changed else "; nothing new")
    ]
    if stale := stamp.get("stale"):
        shown = ", ".join(stale[:4]) + (" …" if len(stale) > 4 else "")
        lines.append(f"Left out, older than production: {shown}. Bring your checkout up to date.")
    lines += [conflict_line(conflict) for conflict in stamp.get("conflicts") or ()]
    if stamp.get("preview_url"):
        lines.append(f"→ {stamp['preview_url']}")
    return "\n".join(lines)
