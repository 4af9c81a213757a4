"""Who looks at a page."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.models import User
from accounts.selectors import grants_of


def person_of(request: HttpRequest) -> User:
    """The signed-in person; what they may do where is read now, once for the whole page."""
    user = request.user
    assert isinstance(user, User), "the view is for people who signed in"
    grants_of(user)
    return user
