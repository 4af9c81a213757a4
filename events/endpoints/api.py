"""REST of webhook endpoints."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Tenant
from accounts.rest import ApiView, created
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core.canonical import utc_text
from core.errors import InvalidInput, NotFound
from core.rest import FlagField, StrictSerializer, TextField, WordField
from events.endpoints import services
from events.models import Severity, WebhookEndpoint
from events.notifiers.envelope import FORMS

SEVERITIES = {severity.label.lower(): int(severity) for severity in Severity}


class ChangeWebhook(StrictSerializer):
    """What may be changed about an endpoint; what is not named stays."""

    name = TextField(required=False, max_length=100)
    url = TextField(required=False, max_length=500)
    patterns = serializers.ListField(child=TextField(max_length=80), required=False, help_text="Such as promotion.*")
    project = TextField(required=False, max_length=80)
    service = TextField(required=False, max_length=200)
    severity = WordField(choices=[(word, word) for word in SEVERITIES], required=False)
    form = WordField(choices=[(form, form) for form in FORMS], required=False)
    enabled = FlagField(required=False)


class NewWebhook(ChangeWebhook):
    """A new endpoint; its tenant is the caller's own when none is named."""

    tenant = TextField(required=False)
    name = TextField(max_length=100)
    url = TextField(max_length=500)
    patterns = serializers.ListField(child=TextField(max_length=80))


class Webhook(serializers.Serializer[Any]):
    """An endpoint that hears of facts. Its secret is shown when it is made, and nowhere else."""

    id = serializers.IntegerField()
    tenant = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    patterns = serializers.ListField(child=serializers.CharField())
    project = serializers.CharField()
    service = serializers.CharField()
    severity = serializers.ChoiceField(list(SEVERITIES))
    form = serializers.ChoiceField(FORMS)
    enabled = serializers.BooleanField()
    disabledReason = serializers.CharField()
    createdAt = serializers.DateTimeField()


class WebhookWithSecret(Webhook):
    """The endpoint with its secret; a repeat under the same Idempotency-Key shows null instead."""

    secret = serializers.CharField(allow_null=True)


def render(endpoint: WebhookEndpoint) -> dict[str, Any]:
    plain = {name: getattr(endpoint, name) for name in ("name", "url", "patterns", "project", "service", "form")}
    return {
        "id": endpoint.pk,
        "tenant": endpoint.tenant.slug,
        **plain,
        "severity": Severity(endpoint.severity).label.lower(),
        "enabled": endpoint.disabled_at is None,
        "disabledReason": endpoint.disabled_reason,
        "createdAt": utc_text(endpoint.created_at),
    }


def _as_changes(form: dict[str, Any]) -> dict[str, Any]:
    changes = {name: value for name, value in form.items() if name not in {"tenant", "enabled"}}
    if "severity" in changes:
        changes["severity"] = SEVERITIES[changes["severity"]]
    return changes


class WebhookView(ApiView):
    """What every webhook address shares."""

    scopes = "webhooks:manage"
    tag = "Webhooks"
    shown_once = ("secret",)

    def _tenant(self, slug: str | None) -> Tenant:
        managed = tenants_where(self.user, Capability.DECIDE_PROMOTION)
        found = managed.filter(slug=slug).first() if slug else home_tenant(self.user, managed)
        if found is None and slug:
            raise NotFound(f"There is no tenant {slug[:80]} that you administer.")
        if found is None:
            raise InvalidInput({"tenant": ["Say in which tenant, one that you administer."]})
        return found


class WebhooksView(WebhookView):
    @extend_schema(operation_id="list_webhooks", responses=Webhook(many=True))
    def get(self, request: Request) -> Response:
        """The endpoints of the tenants that I administer."""
        return Response([render(endpoint) for endpoint in services.managed_endpoints(self.user)[:500]])

    @extend_schema(operation_id="create_webhook", request=NewWebhook, responses={201: WebhookWithSecret})
    def post(self, request: Request) -> Response:
        """Make an endpoint; its secret is shown this once."""
        form = self.body(NewWebhook)
        tenant = self._tenant(form.get("tenant"))
        endpoint, secret = services.create_endpoint(tenant=tenant, **_as_changes(form), by=self.user)
        return created({**render(endpoint), "secret": secret}, f"/v1/webhooks/{endpoint.pk}")


class OneWebhookView(WebhookView):
    @extend_schema(operation_id="read_webhook", responses=Webhook)
    def get(self, request: Request, webhook: int) -> Response:
        """One endpoint."""
        return Response(render(services.managed_endpoint(self.user, webhook)))

    @extend_schema(operation_id="change_webhook", request=ChangeWebhook, responses=Webhook)
    def patch(self, request: Request, webhook: int) -> Response:
        """Change an endpoint, or switch it on or off."""
        endpoint = services.managed_endpoint(self.user, webhook)
        form = self.body(ChangeWebhook)
        if changes := _as_changes(form):
            services.change_endpoint(endpoint=endpoint, changes=changes, by=self.user)
        if "enabled" in form:
            switch = services.enable_endpoint if form["enabled"] else services.disable_endpoint
            switch(endpoint=endpoint, by=self.user)
        return Response(render(services.managed_endpoint(self.user, webhook)))

    @extend_schema(operation_id="delete_webhook", request=None, responses={204: None})
    def delete(self, request: Request, webhook: int) -> Response:
        """Delete an endpoint."""
        services.delete_endpoint(endpoint=services.managed_endpoint(self.user, webhook), by=self.user)
        return Response(status=204)


class WebhookSecretView(WebhookView):
    @extend_schema(operation_id="rotate_webhook_secret", request=None, responses=WebhookWithSecret)
    def post(self, request: Request, webhook: int) -> Response:
        """A new secret, shown this once; the earlier one signs beside it for 24 hours."""
        endpoint = services.managed_endpoint(self.user, webhook)
        secret = services.rotate_secret(endpoint=endpoint, by=self.user)
        return Response({**render(endpoint), "secret": secret})
