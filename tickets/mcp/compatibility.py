"""The method names of the original design, which are older than the protocol's: rewritten before the server sees them."""

from __future__ import annotations

import json
from typing import Any

METHODS = {"call_tool": "tools/call", "list_tools": "tools/list"}
# The newest revision that asks for nothing but the method and its parameters.
VERSION = b"2025-11-25"
_OWN_HEADERS = {b"mcp-protocol-version", b"mcp-session-id"}

Headers = list[tuple[bytes, bytes]]


def modernize(headers: Headers, body: bytes) -> tuple[Headers, bytes]:
    """The same request in today's words; untouched unless it is one call of the original design."""
    if any(name in _OWN_HEADERS for name, _ in headers):
        return headers, body
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return headers, body
    if not isinstance(message, dict):
        return headers, body
    method = message.get("method")
    if isinstance(method, str) and method in METHODS:
        message["method"] = METHODS[method]
        if method == "list_tools":
            message.pop("params", None)
    elif method == "initialize" and _is_snake_case(message.get("params")):
        message["params"] = _in_camel_case(message["params"])
    else:
        return headers, body
    body = json.dumps(message).encode()
    kept = [(name, value) for name, value in headers if name != b"content-length"]
    return [*kept, (b"content-length", str(len(body)).encode()), (b"mcp-protocol-version", VERSION)], body


def _is_snake_case(params: Any) -> bool:
    return isinstance(params, dict) and "protocol_version" in params


def _in_camel_case(params: dict[str, Any]) -> dict[str, Any]:
    return {
        "protocolVersion": params["protocol_version"],
        "clientInfo": params.get("client_info") or {"name": "client", "version": "0"},
        "capabilities": params.get("capabilities") or {},
    }
