"""The view that every REST face starts from."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.idempotency import IdempotentPosts
from accounts.models import User
from accounts.throttling import ChangesPerMinute
from core.rest import NoQuery, StrictQuery, StrictSerializer


class ApiView(IdempotentPosts, APIView):
    """Strict in what it takes: known parameters, known fields, exact types; POSTs may carry an Idempotency-Key.

    A view says `scopes` (see HasScope) and, where it takes parameters, `queries` by method; it reads its body with
    `self.body(Form)`, calls one service and presents the outcome.
    """

    scopes: ClassVar[str | dict[str, str]] = ""
    queries: ClassVar[dict[str, type[StrictQuery]]] = {}
    tag: ClassVar[str] = "Accounts"
    changes_per_minute: ClassVar[int | None] = None
    throttle_classes = [ChangesPerMinute]
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    query: dict[str, Any]

    @property
    def user(self) -> User:
        """Who calls; the permission class has made sure that it is someone."""
        return cast(User, self.request.user)

    def check_permissions(self, request: Request) -> None:
        """Strangers are turned away first, then methods that do not exist here, then tokens without the scope."""
        method = str(request.method).lower()
        if request.user.is_authenticated and not (method in self.http_method_names and hasattr(self, method)):
            self.http_method_not_allowed(request)
        super().check_permissions(request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = "GET" if request.method == "HEAD" else str(request.method)
        self.query = self.queries.get(method, NoQuery).read(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    def body(self, form: type[StrictSerializer]) -> dict[str, Any]:
        """The validated body; ValidationError names every field that is wrong."""
        return form.checked(self.request.data)


def created(data: dict[str, Any], location: str, headers: dict[str, str] | None = None) -> Response:
    """201 with the address of what was made."""
    return Response(data, status=201, headers={"Location": location, **(headers or {})})
