"""Calls in threads of their own: the event loop never waits for the database, and the database never meets a crowd."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import mcp_types as protocol
import structlog
from django.db import OperationalError, close_old_connections

from accounts.throttling import check_changes_per_minute
from core import metrics
from core.context import acting_through
from core.errors import DomainError, Unavailable
from core.problems import problem
from tickets.mcp.callers import Caller
from tickets.mcp.registry import Document, Effect, Form, Tool

log = structlog.get_logger(__name__)

T = TypeVar("T")

# Each thread keeps a connection; more would only wait for each other in the database.
THREADS = 8
LOOK_EVERY = 0.5
MOST_WAITING = 64
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="mcp")
_waiting = asyncio.Semaphore(MOST_WAITING)


async def in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run it where it may use the database."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _with_connection, work, *arguments)


def _with_connection(work: Callable[..., T], *arguments: Any) -> T:
    close_old_connections()
    try:
        return work(*arguments)
    except OperationalError as error:
        log.warning("database.unavailable", error=str(error))
        raise Unavailable("The database does not answer. Try again in a few seconds.") from error
    finally:
        close_old_connections()


async def call(tool: Tool, caller: Caller, arguments: Form, request_id: str) -> protocol.CallToolResult:
    """What the tool answers; a refusal is an answer too."""
    started = time.perf_counter()
    document: Document | None = None
    try:
        document = await _answer(tool, caller, arguments, request_id)
        outcome = "ok"
    except DomainError as error:
        refusal, outcome = error, error.code
    except Exception:
        log.exception("mcp.failed", tool=tool.name, request_id=request_id)
        refusal, outcome = _our_fault(), "server_error"
    seconds = time.perf_counter() - started
    metrics.REQUEST_SECONDS.labels("POST", f"mcp {tool.name}", outcome).observe(seconds)
    log.info("mcp", tool=tool.name, outcome=outcome, milliseconds=round(seconds * 1000, 1), request_id=request_id)
    return _refused(refusal) if document is None else _answered(tool, document)


async def _answer(tool: Tool, caller: Caller, arguments: Form, request_id: str) -> Document:
    caller.require(tool.scope)
    form, document = await in_thread(_check_and_run, tool, caller, arguments, request_id)
    if not (tool.waits and form["wait"]) or _waiting.locked():
        return document
    async with _waiting:
        end = time.monotonic() + form["wait"]
        while document["task"] is None and time.monotonic() < end:
            await asyncio.sleep(LOOK_EVERY)
            document = await in_thread(_run, tool, caller, form, request_id)
    return document


def _check_and_run(tool: Tool, caller: Caller, arguments: Form, request_id: str) -> tuple[Form, Document]:
    """The form that the arguments make, in a thread too, for they can be long; and the answer."""
    if tool.effect is not Effect.READS:
        check_changes_per_minute(caller.user.pk)
    form = _checked(tool, arguments)
    return form, _run(tool, caller, form, request_id)


def _checked(tool: Tool, arguments: Form) -> Form:
    return tool.translate(tool.checker.check(arguments))


def _run(tool: Tool, caller: Caller, form: Form, request_id: str) -> Document:
    with acting_through("mcp", request_id):
        return tool.handler(caller.user, form)


def _answered(tool: Tool, document: Document) -> protocol.CallToolResult:
    text = tool.told(document) if tool.told else json.dumps(document, ensure_ascii=False)
    content: list[Any] = [protocol.TextContent(type="text", text=text)]
    if isinstance(document.get("ticket_id"), str):
        key = document["ticket_id"]
        content.append(protocol.ResourceLink(name=key, uri=f"ticket://{key}", mime_type="application/json"))
    return protocol.CallToolResult(content=content, structured_content=document)


def _refused(refusal: DomainError) -> protocol.CallToolResult:
    told = problem(refusal)
    told["message"] = told.pop("detail")
    text = json.dumps({"error": told}, ensure_ascii=False)
    return protocol.CallToolResult(content=[protocol.TextContent(type="text", text=text)], is_error=True)


def _our_fault() -> DomainError:
    error = DomainError("An error of ours. It is on record; try again.", code="server_error")
    error.status, error.title = 500, "Internal Server Error"
    return error
