"""How the REST faces are described: bearer tokens, problems on every operation, Idempotency-Key on every POST."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from accounts.roles import Capability
from core.problems import CONTENT_TYPE
from core.rest import NoQuery, StrictQuery, StrictSerializer

CAPABILITIES = [(capability.value, capability.value) for capability in Capability]


class FieldFault(serializers.Serializer[Any]):
    """One field and what is wrong with it."""

    field = serializers.CharField(help_text="Dotted path of the input, such as request.justification.")
    message = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """RFC 9457: what is wrong, and what to do about it."""

    type = serializers.CharField(help_text="urn:stagepass:problem:<code>")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable and for programs, such as not_pending or own_request.")
    detail = serializers.CharField(help_text="A sentence for people that names the remedy.")
    field = serializers.CharField(required=False, help_text="The input at fault, where there is one.")
    errors = FieldFault(many=True, required=False)  # type: ignore[assignment]


PROBLEMS = {
    400: "A field or parameter is wrong, or the request is not in a state that allows this (`not_pending`).",
    401: "No, unknown, expired or revoked token.",
    403: "Your role, this token's scope or the four-eyes rule (`own_request`) does not allow it.",
    404: "It does not exist, or not for you.",
    405: "This address does not know the method.",
    409: "Something else happened first (`content_changed`, `active_request_exists`, `idempotency_key_in_use`).",
    412: "If-Match named another state than the present one.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The Idempotency-Key was used with another content before.",
    429: "Too many changes in a short time; Retry-After says when to go on.",
    503: "A part this needs does not answer; Retry-After says when to try again.",
}
_ALWAYS = {400, 401, 403, 405, 503}
_WITH_BODY = {404, 409, 412, 413, 415, 429}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Repeat the request with the same key and it takes effect once; the first answer comes again, with "
    "`Idempotency-Replayed: true`. Another content under the same key is refused (422). Kept for 24 hours.",
)


class ApiSchema(AutoSchema):
    """Adds to each operation what holds for all, so that views only say what is their own."""

    def get_override_parameters(self) -> list[Any]:
        query: type[StrictQuery] = getattr(self.view, "queries", {}).get(self.method, NoQuery)
        parameters: list[Any] = [query] if query is not NoQuery else []
        return [*parameters, IDEMPOTENCY_KEY] if self.method == "POST" else parameters

    def get_tags(self) -> list[str]:
        return [getattr(self.view, "tag", "Other")]

    def get_summary(self) -> str:
        """The first sentence of the view's words."""
        return self._words().partition("\n")[0].rstrip(".")

    def _words(self) -> str:
        return str(super().get_description())

    def get_description(self) -> str:  # type: ignore[override]
        """The operation's words and the scope a token needs for it."""
        scopes = getattr(self.view, "scopes", "")
        scope = scopes if isinstance(scopes, str) else scopes.get(self.method, "")
        return f"{self._words()}\n\nScope: `{scope}`."

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        for status in sorted(self._problem_statuses()):
            if str(status) not in bodies:
                answer = OpenApiResponse(Problem, description=PROBLEMS[status])
                bodies[str(status)] = self._get_response_for_code(answer, str(status), [CONTENT_TYPE])
        return bodies

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        described = super()._map_basic_serializer(serializer, direction)
        if isinstance(serializer, StrictSerializer):
            described["additionalProperties"] = False
        return described

    def _problem_statuses(self) -> set[int]:
        statuses = set(_ALWAYS)
        if "{" in self.path or "tenant" in self._query_names():
            statuses.add(404)
        if self.method in {"POST", "PUT", "PATCH", "DELETE"}:
            statuses |= _WITH_BODY
        if self.method == "POST":
            statuses.add(422)
        return statuses

    def _query_names(self) -> set[str]:
        """A tenant that is named may be none, or none of yours."""
        return set(getattr(self.view, "queries", {}).get(self.method, NoQuery)().fields)


class BearerScheme(OpenApiAuthenticationExtension):
    """`Authorization: Bearer sp_…`"""

    target_class = "accounts.authentication.ApiTokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API token: sp_…"}


class SessionScheme(OpenApiAuthenticationExtension):
    """The console's session cookie; changes need the CSRF token too."""

    target_class = "accounts.authentication.BrowserSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}


Endpoint = tuple[str, str, str, Callable[..., Any]]


def without_second_spellings(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Each operation once: the spelling with a slash at the end stays undocumented."""
    return [endpoint for endpoint in endpoints if not endpoint[0].endswith("/")]


INTRODUCTION = """Carry a change from a ticket to production, safely, visibly and fast.

**Who calls**: send `Authorization: Bearer sp_…` with a token from your profile or `/v1/tokens`; the console's session works
too, with its CSRF token.

**Strict**: unknown fields and parameters are refused by name, types are exact (`"true"` is not `true`), times need their
offset from UTC and are answered in UTC.

**Errors** are `application/problem+json`: a stable `code`, a sentence that says what to do, the `field` at fault. What you
may not see is answered like what does not exist.

**Repeating**: with an `Idempotency-Key` a POST takes effect once and is answered alike each time.

**Pages**: lists are plain arrays, newest first; the `Link` header leads to the next page.
"""


def with_introduction(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The document with the rules that hold for all operations in front."""
    result["info"]["description"] = INTRODUCTION
    return result


class Document:
    """The OpenAPI document, made once per process: it depends on nothing but the code."""

    _made: ClassVar[bytes] = b""

    @classmethod
    def made(cls) -> bytes:
        if not cls._made:
            cls._made = OpenApiJsonRenderer().render(SchemaGenerator().get_schema(request=None, public=True))
        return cls._made


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document as JSON, for everyone."""
    return HttpResponse(Document.made(), content_type="application/json")
