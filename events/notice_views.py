"""Pages of notices: preferences, muting, and leaving by the link in a mail."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Tenant, User
from core.console import go
from core.errors import InvalidInput
from core.views import local_address
from events import notices
from events.forms import PreferencesForm
from events.notifiers.base import notice_kinds
from events.preferences import read_unsubscribe_token, tenant_of_thing
from events.slack.accounts import make_code, unlink_account


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def preferences(request: HttpRequest) -> HttpResponse:
    """Keep what the person wants to hear; a refused form comes back on a page of its own with all that was typed."""
    assert isinstance(request.user, User)
    home = reverse("profile") + "#notices"
    if request.method != "POST":
        return go(request, home)
    form = PreferencesForm(request.POST, user=request.user)
    if form.is_valid() and _keep(form, request.user):
        messages.success(request, "Your preferences were saved.")
        return go(request, home)
    return render(request, "notices/preferences.html", {"preferences": form}, status=422)


def _keep(form: PreferencesForm, user: User) -> bool:
    typed = form.cleaned_data
    try:
        notices.set_preferences(
            modes=form.modes,
            slack=form.slack_modes,
            quiet_from=typed["quiet_from"],
            quiet_until=typed["quiet_until"],
            digest_at=typed["digest_at"],
            by=user,
        )
    except InvalidInput as error:
        for field, sentences in error.errors.items():
            for sentence in sentences:
                form.add_error(field, sentence)
        return False
    return True


@require_POST
@login_required
def mute(request: HttpRequest) -> HttpResponse:
    """Hear no more of one thing, or again; then back to where the button was."""
    assert isinstance(request.user, User)
    verb = notices.unmute if request.POST.get("muted") == "no" else notices.mute
    kind, thing = request.POST.get("subject_type", "")[:40], request.POST.get("subject_id", "")[:200]
    tenant = tenant_of_thing(request.user, kind, thing, request.POST.get("tenant", ""))
    verb(subject_type=kind, subject_id=thing, tenant=tenant, by=request.user)
    return go(request, local_address(request, request.POST.get("next", "")))


@csrf_exempt  # mail programs post here by themselves (RFC 8058); the token is all they have, and enough
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Asks by GET, leaves by POST: programs that follow every link in a mail change nothing."""
    leaving = read_unsubscribe_token(token)
    muted = request.POST.get("what") == "thing" and bool(leaving.subject_id)
    if request.method == "POST" and muted:
        tenant = Tenant.objects.filter(pk=leaving.tenant_id).first() if leaving.tenant_id else None
        notices.mute(subject_type=leaving.subject_type, subject_id=leaving.subject_id, tenant=tenant, by=leaving.user)
    elif request.method == "POST":
        notices.unsubscribe(user=leaving.user, kind=leaving.kind)
    context = {
        "kind": notice_kinds()[leaving.kind],
        "email": leaving.user.email,
        "thing": leaving.subject_id if leaving.subject_type in settings.MUTABLE_SUBJECTS else "",
        "muted": muted,
        "done": request.method == "POST",
    }
    response = render(request, "notices/unsubscribe.html", context)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def slack(request: HttpRequest) -> HttpResponse:
    """A code that links whoever types it in Slack to this account, shown this once; or the end of the link."""
    assert isinstance(request.user, User)
    home = reverse("profile") + "#slack"
    if request.method != "POST":
        return go(request, home)
    if request.POST.get("unlink"):
        unlink_account(by=request.user)
        messages.success(request, "Nobody in Slack acts as you any more.")
        return go(request, home)
    return render(request, "notices/slack.html", {"code": make_code(by=request.user)})
