"""One open stream: a bounded queue of frames between the hub and a browser."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from events.live.visitors import Credential, Visitor

QUEUED = 256
HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Line:
    """One fact on the wire, made once for everybody, and who may know of it."""

    sequence: int
    capability: str
    tenant_id: int | None
    users: frozenset[int]
    frame: bytes
    type: str = ""
    subject_type: str = ""
    subject_id: str = ""

    def is_for(self, visitor: Visitor) -> bool:
        return visitor.may_know(self.capability, self.tenant_id, self.users)


def make_frame(event: str, data: dict[str, Any], sequence: int | None = None) -> bytes:
    """A server-sent event; with `sequence` the browser will resume behind it."""
    head = f"id: {sequence}\n" if sequence is not None else ""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}event: {event}\ndata: {body}\n\n".encode()


class Stream:
    """What one browser tab still has to be sent; a reader that falls too far behind is told to reload and let go."""

    __slots__ = ("after", "closing", "credential", "frames", "moved_at", "sending", "stuck", "task", "visitor", "wake")

    def __init__(self, credential: Credential, visitor: Visitor, after: int) -> None:
        self.credential = credential
        self.visitor = visitor
        self.after = after
        self.frames: deque[bytes] = deque()
        self.wake = asyncio.Event()
        self.closing = False
        self.sending = False
        self.stuck = False
        self.moved_at = time.monotonic()
        self.task: asyncio.Task[Any] | None = None

    def offer(self, lines: Sequence[Line]) -> None:
        """Queue the lines that this visitor may know of and has not seen."""
        if self.closing:
            return
        for line in lines:
            if line.sequence > self.after and line.is_for(self.visitor):
                self.keep(line)
        if len(self.frames) > QUEUED:
            self.reload("too_slow", lines[-1].sequence)
            self.close()
        elif self.frames:
            self.wake.set()

    def keep(self, line: Line) -> None:
        """The line is to be sent."""
        self.frames.append(line.frame)

    def reload(self, reason: str, sequence: int) -> None:
        """Tell the page that facts were skipped, so that it fetches itself again and goes on from `sequence`."""
        self.frames.clear()
        self.frames.append(make_frame("reload", {"reason": reason}, sequence))
        self.after = max(self.after, sequence)
        self.wake.set()

    def say_goodbye(self, reason: str) -> None:
        """Let it go: `signed_out` and `forbidden` are final, after `restart` the browser should come back."""
        self.frames.append(make_frame("bye", {"reason": reason}))
        self.close()

    def close(self) -> None:
        self.closing = True
        self.wake.set()

    def beat(self, idle: float, stuck: float) -> None:
        """Called now and then: a sign of life after `idle` seconds of silence, the end after `stuck` without reading."""
        silent = time.monotonic() - self.moved_at
        if self.sending and silent > stuck and self.task is not None:
            self.stuck = self.closing = True
            self.task.cancel()
        elif not self.sending and silent >= idle and not self.frames:
            self.frames.append(HEARTBEAT)
            self.wake.set()

    def take(self) -> bytes:
        """All that waits, as one piece."""
        self.wake.clear()
        piece = b"".join(self.frames)
        self.frames.clear()
        return piece
