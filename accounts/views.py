"""The profile: who I am, what I may do where, and the keys that act for me."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import services
from accounts.forms import ProfileForm, TokenForm
from accounts.models import User
from core.console import go
from core.errors import InvalidInput, NotFound


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Name, time zone, roles and tokens; POST changes the name and the zone."""
    user = request.user
    assert isinstance(user, User)
    if request.method != "POST":
        return _show(request, user)
    form = ProfileForm(request.POST, instance=User.objects.get(pk=user.pk))
    if not form.is_valid():
        return _show(request, user, profile_form=form, status=422)
    form.save()
    messages.success(request, "Your profile was saved.")
    return go(request, reverse("profile"))


@never_cache
@require_POST
@login_required
def token_issue(request: HttpRequest) -> HttpResponse:
    """A new token; its secret is on this page only and cannot be shown again."""
    user = request.user
    assert isinstance(user, User)
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _show(request, user, token_form=form, status=422)
    typed = form.cleaned_data
    try:
        token, secret = services.issue_token(
            user=user, name=typed["name"], scopes=typed["scopes"], expires_at=form.expires_at
        )
    except InvalidInput as error:
        for field, sentences in error.errors.items():
            for sentence in sentences:
                form.add_error("lifetime" if field == "expires_at" else field, sentence)
        return _show(request, user, token_form=form, status=422)
    return _show(request, user, fresh=token, secret=secret)


@require_POST
@login_required
def token_revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a token of one's own at once."""
    user = request.user
    assert isinstance(user, User)
    token = user.api_tokens.filter(pk=pk).first()
    if token is None:
        raise NotFound("There is no token of yours at this address.")
    services.revoke_token(token=token)
    messages.success(request, f"{token.name} was revoked. It opens nothing any more.")
    return go(request, reverse("profile") + "#tokens")


def _show(request: HttpRequest, user: User, *, status: int = 200, **extra: Any) -> HttpResponse:
    context = {
        "profile_form": ProfileForm(instance=user),
        "token_form": TokenForm(),
        "tokens": list(user.api_tokens.filter(revoked_at=None)[:100]),
        "memberships": list(user.memberships.select_related("tenant")[:100]),
        **extra,
    }
    return render(request, "accounts/profile.html", context, status=status)
