"""Addresses of the fact log and of notices."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from core.rest import both_spellings
from events import delivery_views, notice_api, notice_previews, notice_views, views, webhooks
from events.cdevents import pages
from events.endpoints import api as webhook_api
from events.endpoints import views as webhook_views
from events.slack import webhooks as slack

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("events.chain.urls")),
    path("", include("events.api.urls")),
    path("webhooks/<str:kind>/<uuid:key>", webhooks.webhook, name="webhook_in"),
    path("events/dead-letters/", pages.letter_list, name="dead_letters"),
    path("events/dead-letters/<int:number>/<slug:verb>/", pages.letter_verb, name="letter_verb"),
    path("events/webhooks/dry-run/", pages.rehearsal, name="webhook_rehearsal"),
    path("events/", include("events.tracker.pages.urls")),
    path("activity/", views.activity_page, name="activity"),
    path("activity/export.<str:form>", views.activity_export, name="activity_export"),
    path("deliveries/", delivery_views.delivery_list, name="deliveries"),
    path("deliveries/mails/", notice_previews.preview, name="mails"),
    path("deliveries/mails/<slug:kind>/", notice_previews.body, name="mail_body"),
    path("deliveries/retry/", delivery_views.delivery_retry_all, name="delivery_retry_all"),
    path("deliveries/<int:pk>/retry/", delivery_views.delivery_retry, name="delivery_retry"),
    path("deliveries/webhooks/", webhook_views.webhook_list, name="webhooks"),
    path("deliveries/webhooks/new/", webhook_views.webhook_create, name="webhook_create"),
    path("deliveries/webhooks/<int:pk>/", webhook_views.webhook_edit, name="webhook_edit"),
    path("deliveries/webhooks/<int:pk>/<slug:verb>/", webhook_views.webhook_verb, name="webhook_verb"),
    *both_spellings("v1/webhooks", webhook_api.WebhooksView.as_view(), "api_webhooks"),
    *both_spellings("v1/webhooks/<int:webhook>", webhook_api.OneWebhookView.as_view(), "api_webhook"),
    *both_spellings("v1/webhooks/<int:webhook>/secret", webhook_api.WebhookSecretView.as_view(), "api_webhook_secret"),
    *both_spellings("v1/me/muted", notice_api.MutedView.as_view(), "api_muted"),
    *both_spellings("v1/me/muted/<str:kind>/<str:thing>", notice_api.OneMutedView.as_view(), "api_one_muted"),
    path("webhooks/slack/actions", slack.actions, name="slack_actions"),
    path("webhooks/slack/commands", slack.commands, name="slack_commands"),
    path("profile/slack/", notice_views.slack, name="slack_account"),
    path("profile/preferences/", notice_views.preferences, name="preferences"),
    path("notices/mute/", notice_views.mute, name="mute"),
    path("notices/unsubscribe/<str:token>/", notice_views.unsubscribe, name="unsubscribe"),
]
