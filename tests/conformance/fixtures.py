"""What the official conformance suite wants a server to offer, behind our own door: served by granian in the tests.

python -m granian --interface asgi tests.conformance.fixtures:application
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as protocol
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, PromptsListChanged, ToolsListChanged
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.routing import Route

import config.asgi  # noqa: F401 (sets Django up)
from tickets.mcp.routes import Mcp

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


# Answers that ask first


def ask(name: str, message: str, kind: str = "string") -> dict[str, Any]:
    return {
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": form(**{name: {"type": kind}})},
    }


def sample(text: str, most: int = 100) -> dict[str, Any]:
    messages = [{"role": "user", "content": {"type": "text", "text": text}}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": most}}


ROOTS = {"method": "roots/list", "params": {}}


def input_required(state: str | None = None, **requests: dict[str, Any]) -> protocol.InputRequiredResult:
    sealed = {"requestState": seal(state)} if state else {}
    return protocol.InputRequiredResult.model_validate({"inputRequests": requests, **sealed})


def seal(state: str) -> str:
    return f"{state}.{hmac.new(b'only a fixture', state.encode(), hashlib.sha256).hexdigest()}"


def unseal(sealed: str | None) -> str:
    state = (sealed or "").rpartition(".")[0]
    if not hmac.compare_digest(seal(state), sealed or ""):
        raise MCPError(protocol.INVALID_PARAMS, "This requestState is not one of ours.")
    return state


def content_of(params: Any, name: str) -> dict[str, Any] | None:
    """What was answered to one question; None when it was not, or with something else."""
    answer = (params.input_responses or {}).get(name)
    return answer.content if isinstance(answer, protocol.ElicitResult) and answer.content else None


@fixture("test_input_required_result_elicitation")
async def ask_name(context: Any, params: Any) -> Answer:
    given = content_of(params, "user_name")
    if given is None or "name" not in given:
        return input_required(user_name=ask("name", "What is your name?"))
    return said(f"Hello, {given['name']}!")


@fixture("test_input_required_result_sampling")
async def ask_model(context: Any, params: Any) -> Answer:
    answer = (params.input_responses or {}).get("capital_question")
    if answer is None:
        return input_required(capital_question=sample("What is the capital of France?"))
    return said(f"It said: {answer.content.text}")


@fixture("test_input_required_result_list_roots")
async def ask_roots(context: Any, params: Any) -> Answer:
    answer = (params.input_responses or {}).get("client_roots")
    if answer is None:
        return input_required(client_roots=ROOTS)
    return said(", ".join(str(root.uri) for root in answer.roots))


@fixture("test_input_required_result_request_state")
async def ask_and_remember(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required("asked", confirm=ask("ok", "Please confirm", "boolean"))
    unseal(params.request_state)
    return said("state-ok")


@fixture("test_input_required_result_tampered_state")
async def ask_and_check(context: Any, params: Any) -> Answer:
    return await ask_and_remember(context, params)


@fixture("test_input_required_result_multiple_inputs")
async def ask_much(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required(
            "asked", user_name=ask("name", "What is your name?"), greeting=sample("Generate a greeting", 50),
            client_roots=ROOTS,
        )  # fmt: skip
    unseal(params.request_state)
    return said("All there.")


@fixture("test_input_required_result_multi_round")
async def ask_twice(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required("one", step1=ask("name", "Step 1: What is your name?"))
    if unseal(params.request_state) == "one":
        return input_required("two", step2=ask("color", "Step 2: What is your favorite color?"))
    return said("Both answered.")


@fixture("test_input_required_result_capabilities")
async def ask_what_is_possible(context: Any, params: Any) -> Answer:
    there = context.session.client_capabilities
    questions = {}
    if there is not None and there.elicitation is not None:
        questions["name"] = ask("name", "What is your name?")
    if there is not None and there.sampling is not None:
        questions["greeting"] = sample("Generate a greeting")
    return input_required(**questions) if questions and not params.input_responses else said("Thank you.")


# The server around them


async def list_tools(context: Any, params: Any) -> protocol.ListToolsResult:
    return protocol.ListToolsResult(
        tools=[protocol.Tool(name=name, description=f"Fixture {name}.", input_schema=SCHEMAS[name]) for name in BODIES]
    )


async def call_tool(context: Any, params: protocol.CallToolRequestParams) -> Answer:
    body = BODIES.get(params.name)
    if body is None:
        raise MCPError(protocol.INVALID_PARAMS, f"Unknown tool: {params.name}")
    return await body(context, params)


TEXTS = {
    "test://static-text": "This is the content of the static text resource.",
    "test://watched-resource": "Watched resource content",
}


async def list_resources(context: Any, params: Any) -> protocol.ListResourcesResult:
    return protocol.ListResourcesResult(
        resources=[
            protocol.Resource(
                name=uri.removeprefix("test://"), uri=uri, description="A fixture.", mime_type="text/plain"
            )
            for uri in (*TEXTS, "test://static-binary")
        ]
    )


async def list_templates(context: Any, params: Any) -> protocol.ListResourceTemplatesResult:
    template = protocol.ResourceTemplate(
        name="template",
        uri_template="test://template/{id}/data",
        description="A fixture.",
        mime_type="application/json",
    )
    return protocol.ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(context: Any, params: Any) -> protocol.ReadResourceResult:
    uri = str(params.uri)
    if uri in TEXTS:
        found = {"uri": uri, "mimeType": "text/plain", "text": TEXTS[uri]}
    elif uri == "test://static-binary":
        found = {"uri": uri, "mimeType": "image/png", "blob": PNG}
    elif uri.startswith("test://template/") and uri.endswith("/data"):
        number = uri.split("/")[3]
        data = {"id": number, "templateTest": True, "data": f"Data for ID: {number}"}
        found = {"uri": uri, "mimeType": "application/json", "text": json.dumps(data)}
    else:
        raise MCPError(protocol.INVALID_PARAMS, "Resource not found", {"uri": uri})
    return protocol.ReadResourceResult.model_validate({"contents": [found]})


PROMPTS = {
    "test_simple_prompt": [],
    "test_prompt_with_arguments": ["arg1", "arg2"],
    "test_prompt_with_embedded_resource": ["resourceUri"],
    "test_prompt_with_image": [],
    "test_input_required_result_prompt": [],
}


async def list_prompts(context: Any, params: Any) -> protocol.ListPromptsResult:
    return protocol.ListPromptsResult(
        prompts=[
            protocol.Prompt(
                name=name,
                description="A fixture.",
                arguments=[protocol.PromptArgument(name=each, description=each, required=True) for each in takes],
            )
            for name, takes in PROMPTS.items()
        ]
    )


async def get_prompt(context: Any, params: protocol.GetPromptRequestParams) -> Answer:
    given = params.arguments or {}
    text = {"type": "text", "text": "This is a simple prompt for testing."}
    contents: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "test_simple_prompt": lambda: [text],
        "test_prompt_with_arguments": lambda: [
            {**text, "text": f"Prompt with arguments: arg1='{given['arg1']}', arg2='{given['arg2']}'"}
        ],
        "test_prompt_with_embedded_resource": lambda: [
            resource(given["resourceUri"], "text/plain", "Embedded resource content for testing."),
            {**text, "text": "Please process the embedded resource above."},
        ],
        "test_prompt_with_image": lambda: [IMAGE, {**text, "text": "Please analyze the image above."}],
        "test_input_required_result_prompt": lambda: [text],
    }
    if params.name == "test_input_required_result_prompt" and content_of(params, "user_context") is None:
        return input_required(user_context=ask("context", "What context should the prompt use?"))
    messages = [{"role": "user", "content": each} for each in contents[params.name]()]
    return protocol.GetPromptResult.model_validate({"messages": messages})


async def complete(context: Any, params: Any) -> protocol.CompleteResult:
    return protocol.CompleteResult(completion=protocol.Completion(values=["paris", "park"], total=2, has_more=False))


async def agree(context: Any, params: Any) -> protocol.EmptyResult:
    return protocol.EmptyResult()


def make_server() -> Server[Any]:
    return Server(
        "fixtures",
        version="1.0.0",
        get_tool_input_schema=SCHEMAS.get,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=agree,
        on_unsubscribe_resource=agree,
        on_subscriptions_listen=ListenHandler(bus),
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_set_logging_level=agree,
    )


mcp = Mcp(make_server, json_response=False, stateless=False)
application = Starlette(routes=[Route("/mcp", mcp)], lifespan=mcp.lifespan)
