"""What the official conformance suite wants a server to offer, behind our own door: served by granian in the tests.

python -m granian --interface asgi tests.conformance.fixtures:application
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import mcp_types as protocol
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette
from starlette.routing import Route

import config.asgi  # noqa: F401 (sets Django up)
from tests.conformance.asking import ask, content_of, input_required
from tests.conformance.tools import BODIES, IMAGE, PNG, SCHEMAS, Answer, bus, resource
from tickets.mcp.routes import Mcp


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
