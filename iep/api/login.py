"""The log-in of programs on people's machines: a code to confirm in the browser, then a token."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import ANY_TOKEN
from accounts.idempotency import Handler
from core.canonical import utc_text
from iep.api import answers, forms
from iep.api.views import IepApiView
from iep.services import logins


class OpenView(IepApiView):
    """For callers who have no account to show yet."""

    scopes = ANY_TOKEN
    authentication_classes = []
    permission_classes = [AllowAny]

    def _post_once(self, key: str, handler: Handler, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Nobody's keys are kept: a log-in is safe to begin twice, and ends once by itself."""
        return handler(request, *args, **kwargs)


class LoginView(OpenView):
    @extend_schema(operation_id="begin_login", request=forms.LoginFields, responses=answers.LoginBegun)
    def post(self, request: Request) -> Response:
        """Begin to log in: show `user_code`, open `verification_url_complete`, then ask login/token."""
        begun, device = logins.begin_login(client=self.body(forms.LoginFields)["client"])
        page = settings.SITE_URL + reverse("iep_login")
        return Response(
            {
                "device_code": device,
                "user_code": begun.user_code,
                "verification_url": page,
                "verification_url_complete": f"{page}?code={begun.user_code}",
                "interval": logins.INTERVAL,
                "expires_in": int(logins.LIFETIME.total_seconds()),
            }
        )


class LoginTokenView(OpenView):
    shown_once = ("secret",)

    @extend_schema(operation_id="finish_login", request=forms.DeviceFields, responses=answers.LoginDone)
    def post(self, request: Request) -> Response:
        """The token, once the person confirmed; 400 with authorization_pending, slow_down, access_denied, expired_token."""
        token, secret = logins.finish_login(device=self.body(forms.DeviceFields)["device_code"])
        assert token.expires_at is not None
        return Response(
            {
                "secret": secret,
                "email": token.user.email,
                "scopes": list(token.scopes),
                "expires_at": utc_text(token.expires_at),
            }
        )
