"""Django's WSGI application twice: with all middleware, and with the little that concerns a program and its token.

Most of the middleware is about people at a browser: sessions, messages, log-ins, content policies. A program that sends
a token, or calls an address that never looks at a session, needs none of it, and calls far more often.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string

from core.middleware import RequestContextMiddleware

Headers = list[tuple[bytes, bytes]]

# Whoever calls here is known by a token, a signature or not at all.
_NEVER_BY_SESSION = ("/api/", "/webhooks/")
_ALSO_BY_SESSION = "/v1/"


class Application:
    """The WSGI application that leaves out what a request does not need."""

    def __init__(self, whole: WSGIHandler) -> None:
        self._whole, self._slim = whole, SlimHandler()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> HttpResponseBase:
        handler = self._slim if is_from_program(environ) else self._whole
        return handler(environ, start_response)


def is_from_program(environ: dict[str, Any]) -> bool:
    """Whether no session is looked at: a token that is sent stands alone, and a wrong one is refused."""
    path: str = environ["PATH_INFO"]
    if path.startswith(_NEVER_BY_SESSION):
        return True
    return path.startswith(_ALSO_BY_SESSION) and environ.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer "


class SlimHandler(WSGIHandler):
    """Django with SLIM_MIDDLEWARE in place of MIDDLEWARE; none of it may look at views, templates or exceptions."""

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain = _within_middleware(convert_exception_to_response(self._get_response))  # type: ignore[attr-defined]
        self._middleware_chain = convert_exception_to_response(RequestContextMiddleware(chain))


def _within_middleware(answer: Any) -> Any:
    """The view's answer as SLIM_MIDDLEWARE leaves it."""
    for path in reversed(settings.SLIM_MIDDLEWARE):
        answer = convert_exception_to_response(import_string(path)(answer))
    return answer


# Of a request's headers, those that middleware may look at.
_LOOKED_AT = ("HTTP_HOST", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PORT")


def headers_for(environ: dict[str, Any]) -> Headers | None:
    """What SLIM_MIDDLEWARE adds to the answer to such a request, for routes that answer without Django.

    None where the middleware answers itself: it refuses the host, or leads to https.
    """
    proxied = (settings.SECURE_PROXY_SSL_HEADER or ("",))[0]
    names = ("REQUEST_METHOD", "PATH_INFO", "SERVER_NAME", "SERVER_PORT", "wsgi.url_scheme", proxied, *_LOOKED_AT)
    return _headers_for(tuple((name, environ[name]) for name in names if name in environ))


@lru_cache(1000)
def _headers_for(looked_at: tuple[tuple[str, str], ...]) -> Headers | None:
    answer = HttpResponse()
    own = {*answer.headers, "Content-Length"}
    request = WSGIRequest({"wsgi.input": io.BytesIO(), **dict(looked_at)})
    if _within_middleware(lambda request: answer)(request) is not answer:
        return None
    return [(name.lower().encode(), value.encode()) for name, value in answer.items() if name not in own]
