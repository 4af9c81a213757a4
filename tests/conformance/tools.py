"""Tools of the fixture server that answer at once, tell how they get on, or ask their client back in a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as protocol
from mcp.server.subscriptions import InMemorySubscriptionBus, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError

# A transparent pixel and a silent sound.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEARKwAAIhYAQACABAAZGF0YQAAAAA="
PAUSE = 0.05
SCHEMA_2020 = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}

bus = InMemorySubscriptionBus()
Answer = Any
Body = Callable[[Any, protocol.CallToolRequestParams], Awaitable[Answer]]
BODIES: dict[str, Body] = {}
SCHEMAS: dict[str, dict[str, Any]] = {}


def fixture(name: str, schema: dict[str, Any] | None = None) -> Callable[[Body], Body]:
    def register(body: Body) -> Body:
        BODIES[name] = body
        SCHEMAS[name] = schema or NOTHING
        return body

    return register


def said(text: str, **more: Any) -> protocol.CallToolResult:
    return protocol.CallToolResult(content=[protocol.TextContent(type="text", text=text)], **more)


def always(name: str, *content: dict[str, Any]) -> None:
    """A tool that answers the same each time."""

    async def body(context: Any, params: Any) -> Answer:
        return protocol.CallToolResult.model_validate({"content": list(content)})

    fixture(name)(body)


IMAGE = {"type": "image", "data": PNG, "mimeType": "image/png"}


def resource(uri: str, mime_type: str, text: str) -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime_type, "text": text}}


always("test_simple_text", {"type": "text", "text": "This is a simple text response for testing."})
always("test_image_content", IMAGE)
always("test_audio_content", {"type": "audio", "data": WAV, "mimeType": "audio/wav"})
always(
    "test_embedded_resource",
    resource("test://embedded-resource", "text/plain", "This is an embedded resource content."),
)
always(
    "test_multiple_content_types",
    {"type": "text", "text": "Multiple content types test:"},
    IMAGE,
    resource("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
)
always("test_streaming_elicitation", {"type": "text", "text": "Nothing to ask."})


@fixture("json_schema_2020_12_tool", SCHEMA_2020)
async def schema_tool(context: Any, params: Any) -> Answer:
    return said("ok")


@fixture(
    "test_x_mcp_header",
    {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}, "required": ["region"]},
)
async def header_tool(context: Any, params: Any) -> Answer:
    return said(str(params.arguments))


@fixture("test_error_handling")
async def error_tool(context: Any, params: Any) -> Answer:
    return said("This tool intentionally returns an error for testing", is_error=True)


@fixture("test_tool_with_logging")
async def logging_tool(context: Any, params: Any) -> Answer:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message("info", text, related_request_id=context.request_id)
        await asyncio.sleep(PAUSE)
    return said("Logged.")


@fixture("test_logging_tool")
async def quiet_tool(context: Any, params: Any) -> Answer:
    return said("Nobody asked for logs.")


@fixture("test_tool_with_progress")
async def progress_tool(context: Any, params: Any) -> Answer:
    for step in (0, 50, 100):
        await context.session.report_progress(step, 100, f"Step {step}")
        await asyncio.sleep(PAUSE)
    return said("Done.")


@fixture("test_sampling", {"type": "object", "properties": {"prompt": {"type": "string"}}, "required": ["prompt"]})
async def sampling_tool(context: Any, params: Any) -> Answer:
    asked = protocol.TextContent(type="text", text=params.arguments["prompt"])
    answer = await context.session.create_message(
        [protocol.SamplingMessage(role="user", content=asked)], max_tokens=100, related_request_id=context.request_id
    )
    return said(f"LLM response: {answer.content.text}")


async def elicit(context: Any, message: str, schema: dict[str, Any], told: str) -> Answer:
    answer = await context.session.elicit_form(message, schema, related_request_id=context.request_id)
    return said(f"{told}: action={answer.action}, content={json.dumps(answer.content)}")


def form(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@fixture("test_elicitation", {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]})
async def elicitation_tool(context: Any, params: Any) -> Answer:
    wanted = form(
        username={"type": "string", "description": "User's response"},
        email={"type": "string", "description": "User's email address"},
    )
    return await elicit(context, params.arguments["message"], wanted, "User response")


@fixture("test_elicitation_sep1034_defaults")
async def defaults_tool(context: Any, params: Any) -> Answer:
    wanted = form(
        name={"type": "string", "default": "John Doe"},
        age={"type": "integer", "default": 30},
        score={"type": "number", "default": 95.5},
        status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        verified={"type": "boolean", "default": True},
    )
    return await elicit(context, "Check these", wanted, "Elicitation completed")


@fixture("test_elicitation_sep1330_enums")
async def enums_tool(context: Any, params: Any) -> Answer:
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    plain = ["option1", "option2", "option3"]
    wanted = form(
        untitledSingle={"type": "string", "enum": plain},
        titledSingle={"type": "string", "oneOf": titled},
        legacyEnum={"type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]},
        untitledMulti={"type": "array", "items": {"type": "string", "enum": plain}},
        titledMulti={"type": "array", "items": {"anyOf": titled}},
    )
    return await elicit(context, "Choose", wanted, "Elicitation completed")


@fixture("test_missing_capability")
async def capability_tool(context: Any, params: Any) -> Answer:
    if context.session.client_capabilities is None or context.session.client_capabilities.sampling is None:
        data = {"requiredCapabilities": {"sampling": {}}}
        raise MCPError(protocol.MISSING_REQUIRED_CLIENT_CAPABILITY, "This takes sampling.", data)
    return said("Thank you.")


@fixture("test_trigger_tool_change")
async def tool_change(context: Any, params: Any) -> Answer:
    await bus.publish(ToolsListChanged())
    return said("Told.")


@fixture("test_trigger_prompt_change")
async def prompt_change(context: Any, params: Any) -> Answer:
    await bus.publish(PromptsListChanged())
    return said("Told.")
