"""Template tags: the preferences form, and the button that mutes a thing."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest

from accounts.models import Tenant, User
from events.forms import PreferencesForm
from events.models import SlackAccount
from events.preferences import is_muted

register = template.Library()


@register.simple_tag(takes_context=True)
def preferences_form(context: dict[str, Any]) -> PreferencesForm | None:
    """The form as sent and refused, or with what the person has chosen so far."""
    form: PreferencesForm | None = context.get("preferences")
    user = _user_of(context)
    return form or (PreferencesForm(user=user) if user else None)


@register.inclusion_tag("notices/mute.html", takes_context=True)
def mute_button(
    context: dict[str, Any], subject_type: str, subject_id: str, muted: bool | None = None, tenant: Tenant | None = None
) -> dict[str, Any]:
    """A form with one button: hear no more of this thing, or hear of it again; `muted` spares a query when known."""
    user = _user_of(context)
    return {
        "request": context.get("request"),
        "csrf_token": context.get("csrf_token"),
        "subject_type": subject_type,
        "subject_id": subject_id,
        "tenant": tenant.slug if tenant else "",
        "muted": user is not None and is_muted(user, subject_type, subject_id, tenant.pk if tenant else None)
        if muted is None
        else muted,
    }


@register.simple_tag(takes_context=True)
def slack_link(context: dict[str, Any]) -> dict[str, Any]:
    """Whether there is a Slack here, and who acts there as this person."""
    user = _user_of(context)
    on = bool(settings.SLACK_TOKEN) and user is not None
    return {"on": on, "account": SlackAccount.objects.filter(user=user).first() if on else None}


def _user_of(context: dict[str, Any]) -> User | None:
    request: HttpRequest | None = context.get("request")
    return request.user if request is not None and isinstance(request.user, User) else None
