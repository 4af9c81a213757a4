"""Django's WSGI application twice: with all middleware, and with the little that concerns a program and its token.

Most of the middleware is about people at a browser: sessions, messages, log-ins, content policies. A program that sends
a token, or calls an address that never looks at a session, needs none of it, and calls far more often.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseBase
from django.utils.module_loading import import_string

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
        chain = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for path in reversed(settings.SLIM_MIDDLEWARE):
            chain = convert_exception_to_response(import_string(path)(chain))
        self._middleware_chain = chain
