"""Log-in rules: accounts are made by staff or by a configured provider, never by strangers at the door."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitedOnlyAdapter(DefaultAccountAdapter):
    """Closes the sign-up page; single sign-on may still bring new people, who hold no role until given one."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
