"""The protocol's side, on the SDK's low-level server: it checks nothing itself, so ours are the only rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import mcp_types as protocol
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from core.errors import DomainError, InvalidInput, NotFound
from core.problems import problem
from tickets.mcp import calls, listening, prompts, resources
from tickets.mcp import ticket_tools as _tickets
from tickets.mcp import work_tools as _work
from tickets.mcp.aliases import publish_aliases
from tickets.mcp.callers import Caller
from tickets.mcp.registry import READ, TOOLS

T = TypeVar("T")

CALLER = "stagepass.caller"
REQUEST_ID = "stagepass.request_id"
REFUSED = -32000
VERSION = "1.0.0"
INSTRUCTIONS = (
    "Tickets that carry execution plans, and the work on their stages. Coordinators open tickets, queue stages and read"
    " events; workers register, claim, heartbeat and complete. Refusals carry a stable code and say what to do."
)

__all__ = ["CALLER", "REQUEST_ID", "make_server"]
FILLED_BY = (_tickets, _work)
publish_aliases()


def _caller(context: Any) -> Caller:
    """Who was let in at the door."""
    caller: Caller = context.request.scope[CALLER]
    return caller


async def _list_tools(context: Any, params: Any) -> protocol.ListToolsResult:
    caller = _caller(context)
    return protocol.ListToolsResult(tools=[tool.listed() for tool in TOOLS.values() if caller.may(tool.scope)])


async def _call_tool(context: Any, params: protocol.CallToolRequestParams) -> protocol.CallToolResult:
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(protocol.INVALID_PARAMS, f"Unknown tool: {params.name[:100]}")
    return await calls.call(tool, _caller(context), params.arguments or {}, context.request.scope[REQUEST_ID])


async def _list_resources(context: Any, params: Any) -> protocol.ListResourcesResult:
    return await _read(context, resources.list_resources, params.cursor if params else None)


async def _list_templates(context: Any, params: Any) -> protocol.ListResourceTemplatesResult:
    return protocol.ListResourceTemplatesResult(resource_templates=resources.TEMPLATES)


async def _read_resource(context: Any, params: protocol.ReadResourceRequestParams) -> protocol.ReadResourceResult:
    return await _read(context, resources.read_resource, str(params.uri), data={"uri": str(params.uri)})


async def _list_prompts(context: Any, params: Any) -> protocol.ListPromptsResult:
    return prompts.list_prompts()


async def _get_prompt(context: Any, params: protocol.GetPromptRequestParams) -> protocol.GetPromptResult:
    try:
        return prompts.get_prompt(params.name, dict(params.arguments or {}))
    except DomainError as refusal:
        raise _as_protocol_error(refusal) from refusal


async def _listen(
    context: Any, params: protocol.SubscriptionsListenRequestParams
) -> protocol.SubscriptionsListenResult:
    try:
        return await listening.listen(context, _caller(context), params.notifications)
    except DomainError as refusal:
        raise _as_protocol_error(refusal) from refusal


async def _read(context: Any, read: Callable[..., T], *arguments: Any, data: dict[str, Any] | None = None) -> T:
    """A read of tickets, for whoever may; refusals become errors of the protocol."""
    caller = _caller(context)
    try:
        caller.require(READ)
        return await calls.in_thread(read, caller.user, *arguments)
    except DomainError as refusal:
        raise _as_protocol_error(refusal, data) from refusal


def _as_protocol_error(refusal: DomainError, data: dict[str, Any] | None = None) -> MCPError:
    code = protocol.INVALID_PARAMS if isinstance(refusal, NotFound | InvalidInput) else REFUSED
    return MCPError(code, refusal.message, {**problem(refusal), **(data or {})})


def make_server() -> Server[Any]:
    """The server with everything it offers."""
    return Server(
        "stagepass",
        version=VERSION,
        title="Stagepass tickets",
        instructions=INSTRUCTIONS,
        get_tool_input_schema=lambda name: TOOLS[name].takes if name in TOOLS else None,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource,
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_subscriptions_listen=_listen,
    )
