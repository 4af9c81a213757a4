"""What runs now: through which face, under which request id; facts and log lines carry both."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from contextvars import ContextVar

import structlog

surface: ContextVar[str] = ContextVar("surface", default="system")
request_id: ContextVar[str] = ContextVar("request_id", default="")


_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{8,100}")


def id_of_request(given: str) -> str:
    """The id that a caller gave its request if it is a plain token, else a new one."""
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


@contextlib.contextmanager
def acting_through(face: str, request: str = "") -> Iterator[None]:
    """Within the block, facts say they came through `face` (rest, page, admin, mcp, grpc, cli, webhook, system).

    Without `request` the request id stays the one from outside.
    """
    face_token = surface.set(face)
    request_token = request_id.set(request or request_id.get())
    try:
        with structlog.contextvars.bound_contextvars(request_id=request_id.get()):
            yield
    finally:
        surface.reset(face_token)
        request_id.reset(request_token)
