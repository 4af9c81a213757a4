"""REST about oneself: who am I, and my API tokens."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import ANY_TOKEN
from accounts.models import ApiToken
from accounts.rest import ApiView, created
from accounts.roles import Capability, Role
from accounts.scopes import SCOPES
from accounts.selectors import describe_tenants, everywhere_of, own_token
from accounts.services import issue_token, revoke_token
from core.canonical import utc_text
from core.rest import MomentField, StrictSerializer, TextField


@extend_schema_field({"type": "string", "enum": list(SCOPES)})
class ScopeField(TextField):
    """A name from accounts/scopes.py."""


class IssueToken(StrictSerializer):
    """What a new token is for, and what it may do."""

    name = TextField(help_text="What uses it, such as 'release pipeline'.")
    scopes = serializers.ListField(child=ScopeField())
    expiresAt = MomentField(required=False, allow_null=True, default=None, help_text="Empty: never.")


class Token(serializers.Serializer[Any]):
    """An API token; its secret is shown in the answer that issued it, and nowhere else."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    hint = serializers.CharField(help_text="Its first characters.")
    scopes = serializers.ListField(child=ScopeField())
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    lastUsedAt = serializers.DateTimeField(allow_null=True)
    revokedAt = serializers.DateTimeField(allow_null=True)


class IssuedToken(Token):
    """The new token with its secret; a repeat under the same Idempotency-Key shows null instead."""

    secret = serializers.CharField(allow_null=True)


class TenantOfMine(serializers.Serializer[Any]):
    """A tenant, the roles held in it, and what may be done in it."""

    slug = serializers.CharField()
    name = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField([role.value for role in Role]))
    capabilities = serializers.ListField(child=serializers.ChoiceField([item.value for item in Capability]))


class Me(serializers.Serializer[Any]):
    """The account that calls."""

    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()
    timeZone = serializers.CharField()
    everywhere = serializers.ListField(
        child=serializers.ChoiceField([item.value for item in Capability]),
        help_text="What may be done in every tenant.",
    )
    tenants = TenantOfMine(many=True)
    token = Token(allow_null=True, help_text="The token that was used; null for a session.")


def render_token(token: ApiToken) -> dict[str, Any]:
    times = {"createdAt": token.created_at, "expiresAt": token.expires_at}
    times |= {"lastUsedAt": token.last_used_at, "revokedAt": token.revoked_at}
    return {
        "id": token.pk,
        "name": token.name,
        "hint": token.hint,
        "scopes": list(token.scopes),
        **{name: utc_text(moment) if moment else None for name, moment in times.items()},
    }


class MeView(ApiView):
    scopes = ANY_TOKEN

    @extend_schema(operation_id="me", responses=Me)
    def get(self, request: Request) -> Response:
        """Who am I, and what may I do where?"""
        return Response(
            {
                "id": str(self.user.public_id),
                "email": self.user.email,
                "name": self.user.get_full_name(),
                "timeZone": self.user.time_zone,
                "everywhere": sorted(everywhere_of(self.user)),
                "tenants": describe_tenants(self.user),
                "token": render_token(request.auth) if isinstance(request.auth, ApiToken) else None,
            }
        )


class TokensView(ApiView):
    scopes = "tokens:manage"
    shown_once = ("secret",)

    @extend_schema(operation_id="list_tokens", responses=Token(many=True))
    def get(self, request: Request) -> Response:
        """My API tokens, newest first; revoked and expired ones too."""
        return Response([render_token(token) for token in self.user.api_tokens.all()])

    @extend_schema(operation_id="issue_token", request=IssueToken, responses={201: IssuedToken})
    def post(self, request: Request) -> Response:
        """Issue a token for myself; its secret is shown this once.

        A token cannot issue one with scopes that it lacks, nor one that outlives it.
        """
        form = self.body(IssueToken)
        token, secret = issue_token(
            user=self.user,
            name=form["name"],
            scopes=form["scopes"],
            expires_at=form["expiresAt"],
            by_token=request.auth if isinstance(request.auth, ApiToken) else None,
        )
        return created({**render_token(token), "secret": secret}, f"/v1/tokens/{token.pk}")


class TokenView(ApiView):
    scopes = "tokens:manage"

    @extend_schema(operation_id="read_token", responses=Token)
    def get(self, request: Request, token: int) -> Response:
        """One of my API tokens."""
        return Response(render_token(own_token(self.user, token)))

    @extend_schema(operation_id="revoke_token", request=None, responses={204: None})
    def delete(self, request: Request, token: int) -> Response:
        """Revoke a token of mine: it opens nothing from now on. Revoking twice changes nothing."""
        revoke_token(token=own_token(self.user, token))
        return Response(status=204)
