"""The door at /mcp: whom it lets in, from where, and how much; and the document that tells clients about tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from accounts.scopes import SCOPES
from core.context import id_of_request
from core.errors import DomainError, NotAllowed
from core.problems import CONTENT_TYPE, problem
from core.threads import ClientLeft, read_body
from tickets.mcp.callers import Caller, NotAuthenticated, identify, lend
from tickets.mcp.calls import in_thread
from tickets.mcp.compatibility import modernize
from tickets.mcp.registry import READ, WORK, WRITE
from tickets.mcp.server import CALLER, REQUEST_ID, make_server

PATH = "/mcp"
METADATA_PATH = "/.well-known/oauth-protected-resource"


class TooLarge(DomainError):
    """More than a call can mean."""

    status = 413
    code = "too_large"
    title = "Too large"


class WrongMethod(DomainError):
    """There are no sessions here, and streams only as answers."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


class Mcp:
    """POST /mcp. Any worker process answers any call: nothing is remembered between two.

    The conformance suite looks through the same door at a server of its own, which asks its clients back in streams.
    """

    def __init__(
        self, make: Callable[[], Server[Any]] = make_server, *, json_response: bool = True, stateless: bool = True
    ) -> None:
        self._make = make
        self._json_response, self._stateless = json_response, stateless
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def lifespan(self, app: Any) -> AsyncIterator[None]:
        """The manager's, which serves only inside it and only once."""
        self._manager = StreamableHTTPSessionManager(
            self._make(), json_response=self._json_response, stateless=self._stateless,
            max_request_body_size=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            # Ours is the door; see below.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )  # fmt: skip
        async with self._manager.run():
            yield
        self._manager = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        request_id = id_of_request(headers.get("x-request-id", ""))
        try:
            _refuse_strangers(headers)
            if scope["method"] != "POST":
                raise WrongMethod("Send calls as POST, subscriptions/listen too; there are no sessions here.")
            caller = await _let_in(headers, scope)
            body = await _read_body(headers, receive)
        except DomainError as refusal:
            await _refusal(refusal, request_id)(scope, receive, send)
            return
        except ClientLeft:
            return
        if self._manager is None:
            return
        fresh, body = modernize(scope["headers"], body)
        inner = {**scope, "headers": fresh, CALLER: caller, REQUEST_ID: request_id}
        await self._manager.handle_request(inner, _replay(body, receive), _stamped(send, request_id))


def _refuse_strangers(headers: Headers) -> None:
    """A page of another site must not call through someone's browser, whatever name it found for this machine."""
    host = headers.get("host", "")
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise NotAllowed("This name is not one of this server's. Use its own address.", code="wrong_host")
    origin = headers.get("origin")
    if origin is None:
        return
    trusted = {_site(address) for address in (settings.SITE_URL, *settings.CSRF_TRUSTED_ORIGINS)}
    if _site(origin) not in trusted and _site(origin).partition("://")[2] != host.lower():
        raise NotAllowed("Pages of other sites may not call this address.", code="wrong_origin")


def _site(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


async def _let_in(headers: Headers, scope: Scope) -> Caller:
    given = headers.get("authorization")
    if given is None:
        client = scope.get("client") or ("", 0)
        return await in_thread(lend, str(client[0]))
    scheme, _, secret = given.partition(" ")
    if scheme.lower() != "bearer":
        raise NotAuthenticated("Send a token: Authorization: Bearer sp_… Issue one on your profile.")
    return await in_thread(identify, secret.strip())


async def _read_body(headers: Headers, receive: Receive) -> bytes:
    """The body; TooLarge beyond what Django would take, ClientLeft."""
    most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    refusal = TooLarge(f"At most {most} bytes in one call.")
    told = headers.get("content-length", "0")
    if told.isdigit() and (len(told) > 18 or int(told) > most):
        raise refusal
    body, length = await read_body(receive, most)
    with body:
        if length > most:
            raise refusal
        return body.read()


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body once more, then whatever comes."""
    unread = [body]

    async def receive_again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return receive_again


def _stamped(send: Send, request_id: str) -> Send:
    async def send_stamped(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(b"x-request-id", request_id.encode()), (b"cache-control", b"no-store")]
            message = {**message, "headers": [*message.get("headers", []), *own]}
        await send(message)

    return send_stamped


def _refusal(refusal: DomainError, request_id: str) -> Response:
    headers = {"X-Request-ID": request_id, "Cache-Control": "no-store"}
    if refusal.status == 401:
        metadata = f'resource_metadata="{settings.SITE_URL}{METADATA_PATH}{PATH}"'
        headers["WWW-Authenticate"] = f'Bearer realm="stagepass", {metadata}, scope="{READ} {WRITE} {WORK}"'
    if refusal.status == 405:
        headers["Allow"] = "POST"
    if refusal.status == 503:
        headers["Retry-After"] = "5"
    return Response(json.dumps(problem(refusal)), refusal.status, headers, CONTENT_TYPE)


async def metadata(request: Request) -> JSONResponse:
    """RFC 9728: what this resource is called, and how it takes tokens. People issue those on their profile."""
    return JSONResponse(
        {
            "resource": f"{settings.SITE_URL}{PATH}",
            "resource_name": "Stagepass tickets",
            "scopes_supported": [scope for scope in SCOPES if scope.startswith("tickets:")],
            "bearer_methods_supported": ["header"],
        },
        headers={"Access-Control-Allow-Origin": "*", "Cache-Control": "max-age=3600"},
    )


mcp = Mcp()
