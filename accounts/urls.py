"""Addresses about oneself, and the description of the whole API; logging in and out is allauth's."""

from __future__ import annotations

from django.urls import path
from django.views.generic import TemplateView

from accounts import openapi, views
from accounts.api import MeView, TokensView, TokenView
from core.rest import both_spellings

urlpatterns = [
    path("profile/", views.profile, name="profile"),
    path("profile/tokens/", views.token_issue, name="token_issue"),
    path("profile/tokens/<int:pk>/revoke/", views.token_revoke, name="token_revoke"),
    *both_spellings("v1/me", MeView.as_view(), "api_me"),
    *both_spellings("v1/tokens", TokensView.as_view(), "api_tokens"),
    *both_spellings("v1/tokens/<int:token>", TokenView.as_view(), "api_token"),
    path("api/schema/", openapi.schema, name="api_schema"),
    path("api/docs/", TemplateView.as_view(template_name="api/docs.html"), name="api_docs"),
]
