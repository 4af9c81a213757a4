"""Admin pages of what is told outside: subscriptions to make and end, webhook endpoints and channel health to look at."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from core.admin import Admin, ReadOnlyAdmin
from events.models import ChannelHealth, SlackAccount, Subscription, WebhookEndpoint


@admin.register(Subscription)
class SubscriptionAdmin(Admin):
    """Slack channels, addresses and roles that hear of facts besides those whom notices name; without a tenant: of all."""

    list_display = ("channel", "target", "tenant", "patterns", "project", "service", "severity")
    list_display_links = ("target",)
    list_filter = ("channel", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("target",)
    autocomplete_fields = ("tenant",)
    fields = ("tenant", "channel", "target", "patterns", "project", "service", "severity")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("events.delete_subscription"))


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    """Webhook endpoints; those who administer their tenant change them on the page or by the API."""

    list_display = ("name", "tenant", "url", "patterns", "failing_since", "disabled_at")
    list_filter = (("tenant", AutocompleteSelectFilter),)
    list_select_related = ("tenant",)
    search_fields = ("name", "url")
    fields = (
        "name", "tenant", "url", "form", "patterns", "project", "service", "severity", "created_by", "created_at",
        "failing_since", "failure", "disabled_at", "disabled_reason",
    )  # fmt: skip


@admin.register(SlackAccount)
class SlackAccountAdmin(ReadOnlyAdmin):
    """Who in Slack acts as whom; staff may end it."""

    list_display = ("slack_user", "team", "user", "linked_at")
    list_select_related = ("user",)
    search_fields = ("slack_user", "user__email")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("events.delete_slackaccount"))


@admin.register(ChannelHealth)
class ChannelHealthAdmin(ReadOnlyAdmin):
    """How each channel fares that ever failed."""

    list_display = ("channel", "failures", "rests_until", "error", "changed_at")
    search_fields = ("channel",)
