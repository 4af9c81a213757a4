"""Log-in rules: accounts are made by staff or by the organisation's own provider, never by strangers at the door."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Closes the sign-up page."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    """The OpenID provider is the organisation's: it brings new people, who hold no role until given one.

    At GitHub and Atlassian anybody may have an account; there people connect theirs from their profile first.
    """

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(sociallogin.account.provider in self._own_providers())

    def _own_providers(self) -> set[str]:
        return {app.provider_id for app in self.list_apps(self.request, provider="openid_connect")}

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        parts = (data.get("first_name"), data.get("last_name"))
        user.name = (data.get("name") or " ".join(filter(None, parts)))[:150]
        return user
