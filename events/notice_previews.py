"""Pages on which staff look at the mails: every kind, about an invented fact or one that happened."""

from __future__ import annotations

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp_replace, csp_update
from django.contrib.auth.decorators import login_required
from django.core.mail import EmailMultiAlternatives
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.pages import person_of
from core.errors import NotFound
from events.models import DomainEvent
from events.notifiers.base import NoticeKind, notice_kinds
from events.notifiers.email import compose
from events.notifiers.samples import sample_fact

RECENT = 10
LOOKS = {"light": "Light", "dark": "Dark"}
DARK = "@media (prefers-color-scheme: dark)"


def _staff(request: HttpRequest) -> User:
    user = person_of(request)
    if not user.is_staff:
        raise NotFound("The templates of mails are for staff to look at.")
    return user


def _kind_of(name: str) -> NoticeKind:
    kind = notice_kinds().get(name)
    if kind is None:
        raise NotFound("There is no such kind of mail.")
    return kind


def _mail(user: User, kind: NoticeKind, sequence: str) -> EmailMultiAlternatives:
    """The mail about the fact with this number, else about an invented one."""
    happened = DomainEvent.objects.visible_to(user).filter(type=kind.fact).select_related("tenant")
    fact = happened.filter(sequence=int(sequence)).first() if sequence.isascii() and sequence.isdigit() else None
    return compose(fact or sample_fact(kind, user), kind, user.email, user)


@require_safe
@login_required
@csp_update({"frame-src": [SELF]})  # type: ignore[untyped-decorator, arg-type, unused-ignore]
def preview(request: HttpRequest) -> HttpResponse:
    """A choice of kinds and facts; the mail in two widths, and its text."""
    user = _staff(request)
    kind = _kind_of(request.GET.get("kind") or next(iter(notice_kinds())))
    facts = DomainEvent.objects.visible_to(user).filter(type=kind.fact).order_by("-sequence")[:RECENT]
    chosen = request.GET.get("fact", "")
    look = request.GET.get("look", "")
    context: dict[str, Any] = {
        "kinds": notice_kinds().values(),
        "kind": kind,
        "facts": list(facts),
        "chosen": chosen,
        "looks": LOOKS.items(),
        "look": look if look in LOOKS else "light",
        "mail": _mail(user, kind, chosen),
    }
    return render(request, "deliveries/preview.html", context)


# Mails carry their style with them; nothing else may be loaded, run or followed.
_MAIL_POLICY = {
    "default-src": [NONE], "script-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [NONE], "font-src": [NONE],
    "connect-src": [NONE], "manifest-src": [NONE], "form-action": [NONE], "frame-ancestors": [SELF], "sandbox": True,
}  # fmt: skip


@require_safe
@login_required
@xframe_options_sameorigin
@csp_replace(_MAIL_POLICY)  # type: ignore[untyped-decorator, arg-type, unused-ignore]
def body(request: HttpRequest, kind: str) -> HttpResponse:
    """The mail's HTML as it is sent, for the frames of the page; dark wherever the reader's program would make it so."""
    mail = _mail(_staff(request), _kind_of(kind), request.GET.get("fact", ""))
    html = str(mail.alternatives[0][0])
    dark = request.GET.get("look") == "dark"
    return HttpResponse(html.replace(DARK, "@media all" if dark else "@media not all"))
