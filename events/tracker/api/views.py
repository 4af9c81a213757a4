"""One view for all routes: who calls, what is asked, the operation, its answer."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from core.errors import DomainError, NotAllowed, NotFound
from events.tracker.access import WRITE, Caller, identify
from events.tracker.api.errors import respond_error
from events.tracker.api.lists import LISTS, respond_list
from events.tracker.api.reading import read_body, read_query
from events.tracker.api.repeats import answering, once
from events.tracker.api.routes import Route
from events.tracker.operations.table import OPERATIONS, Operation


class WrongMethod(DomainError):
    """This address knows other methods."""

    status = 405
    code = "method_not_allowed"
    title = "Method not allowed"


# No session is read here, so there is nothing that another site could make a browser misuse.
@method_decorator(csrf_exempt, name="dispatch")
class TrackerView(View):
    """The operations at one address, by HTTP method."""

    routes: dict[str, Route] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **captured: str) -> HttpResponse:
        route = self.routes.get("GET" if request.method == "HEAD" else request.method or "")
        if route is None:
            return self.other_method(request)
        return answering(lambda: self.respond(request, route, captured))

    def other_method(self, request: HttpRequest) -> HttpResponse:
        allowed = ", ".join(sorted({*self.routes, "OPTIONS"}))
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers={"Allow": allowed})
        response = respond_error(WrongMethod(f"{request.method} is not possible here; use {allowed}."))
        response.headers["Allow"] = allowed
        return response

    def respond(self, request: HttpRequest, route: Route, captured: dict[str, str]) -> HttpResponse:
        operation = OPERATIONS[route.package, route.operation]
        caller = caller_of(request, operation.scope)
        caller.require(operation.scope)
        read = read_body if route.body else read_query
        source: Any = request if route.body else request.GET
        plain = read(source, operation.request, caller.reading()) | captured
        if route.operation in LISTS:
            return respond_list(route.operation, caller, plain)
        return once(request, caller, lambda: respond_json(render(route, operation, operation.call(caller, plain))))


def caller_of(request: HttpRequest, scope: str) -> Caller:
    """Who calls. A page of another site must not make a browser write with a stranger's rights."""
    caller = identify(request.headers.get)
    if caller.token is None and scope == WRITE and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise NotAllowed("Pages of other sites may not record events without a token.")
    return caller


def render(route: Route, operation: Operation, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer's JSON, and beside it what the guide's examples show on the outermost level."""
    body = operation.response.render(answer)
    return body | route.beside(body)


def respond_json(body: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(json.dumps(body, separators=(",", ":")), content_type="application/json", status=status)


@csrf_exempt
def nothing_here(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Any other address below /api/v1alpha1/."""
    return respond_error(NotFound("Not Found"))
