"""The control panel: applications, the tickets in their stages, one ticket with its modules, and its verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.pages import person_of
from core.canonical import utc_text
from core.clock import now
from core.console import go, is_partial
from core.errors import DomainError
from iep import selectors, services
from iep.errors import KeyConflict, PolicyRefused
from iep.forms import VerbForm
from iep.models import Stamp
from iep.pages import dossier
from iep.pages.looks import KINDS, STAGES
from iep.previews import ANY, MOST_TICKETS, make_link
from iep.selectors.conflicts import changed_in_production, conflicts_of
from iep.states import Stage
from iep.wire import page_of, preview_of, render_sign_off

SHOWN_RELEASES = 15
SHARED_HOURS = 24


@require_safe
@login_required
def application_list(request: HttpRequest) -> HttpResponse:
    """Every application that the person may see, with what is under way."""
    found = list(selectors.list_applications(person_of(request)))
    counts = selectors.open_counts(found)
    rows = [{"application": each, "page": page_of(each), "counts": counts[each.pk]} for each in found]
    return _page(request, "iep/applications.html", {"rows": rows})


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    part = f"{template}#live" if is_partial(request) and request.GET.get("part") == "live" else template
    return render(request, part, context, status=status)


@require_safe
@login_required
def application_detail(request: HttpRequest, app: str) -> HttpResponse:
    """The tickets of an application by stage, and production's last revisions."""
    application = selectors.find_application(person_of(request), app)
    stamps = list(selectors.list_stamps(application, "open")[:200])
    stamps += list(selectors.list_stamps(application, "prod")[:20])
    releases = [(release, KINDS[release.kind]) for release in selectors.list_releases(application)[:SHOWN_RELEASES]]
    context = {
        "application": application,
        "page": page_of(application),
        "columns": dossier.board(application, stamps),
        "can_combine": sum(stamp.is_open for stamp in stamps) > 1,
        "releases": releases,
        "closed": selectors.list_stamps(application, "closed")[:20],
    }
    return _page(request, "iep/application.html", context)


@require_safe
@login_required
def stamp_detail(request: HttpRequest, app: str, ticket: str) -> HttpResponse:
    """What a ticket changes against production, side by side, its previews, conflicts, history and verbs."""
    user = person_of(request)
    stamp = selectors.find_stamp(selectors.find_application(user, app), ticket)
    conflicts = conflicts_of(stamp)
    facts = list(selectors.stamp_history(user, stamp).order_by("-sequence")[:100])
    judgement = selectors.last_judgement(stamp)
    context = {
        "stamp": stamp,
        "application": stamp.application,
        "look": STAGES[stamp.stage],
        "changes": dossier.changes_of(stamp, conflicts),
        "hidden": max(0, len(stamp.delta) - dossier.SHOWN_FILES),
        "conflicts": conflicts,
        "blocked": any(conflict.blocks for conflict in conflicts),
        "link": _link_of(request, stamp),
        "together": f"{page_of(stamp.application)}?{ANY}={stamp.ticket.key}",
        "actions": dossier.actions_of(user, stamp, conflicts),
        "judgement": judgement,
        "target": STAGES[judgement.target] if judgement else None,
        "preview": preview_of(stamp),
        "pinned": preview_of(stamp, pinned=True),
        "sign_off": render_sign_off(stamp, user),
        "timeline": dossier.timeline_of(facts[::-1]),
    }
    return _page(request, "iep/stamp.html", context)


def _link_of(request: HttpRequest, stamp: Stamp) -> dict[str, str] | None:
    """The link that this person made last, as long as it is good."""
    link: dict[str, str] | None = request.session.get(f"iep-link-{stamp.pk}")
    return link if link and stamp.is_open and link["until"] > utc_text(now()) else None


@require_safe
@login_required
def preview_together(request: HttpRequest, app: str) -> HttpResponse:
    """The chosen tickets in one preview, which names their conflicts."""
    application = selectors.find_application(person_of(request), app)
    keys = list(dict.fromkeys(request.GET.getlist("ticket")))[:MOST_TICKETS]
    chosen = [selectors.find_stamp(application, key).ticket.key for key in keys]
    if not chosen:
        messages.info(request, "Choose the tickets that you want to see together.")
        return redirect("iep_application", application.slug)
    return redirect(f"{page_of(application)}?{urlencode({ANY: ','.join(chosen)}, safe=',')}")


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb is asked for and carried out."""

    title: str
    text: str
    button: str
    look: str
    run: Callable[[Stamp, User, dict[str, Any], HttpRequest], str]


def _promote(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    promoted = services.promote_stamp(
        stamp=stamp, by=user, revision=typed["revision"], expected=typed["production"], message=typed["message"]
    )
    if promoted.asked:
        return f"{promoted.asked} asks for {stamp.ticket.key} in production."
    return f"{stamp.ticket.key} is in {STAGES[promoted.stamp.stage].label}."


def _revert(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    reverted = services.revert_stamp(stamp=stamp, by=user, reason=typed["message"])
    if stamp.stage == Stage.PROD:
        return f"Production is without {stamp.ticket.key} again."
    return f"{stamp.ticket.key} is in {STAGES[reverted.stage].label}."


def _close(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    services.close_stamp(stamp=stamp, by=user, reason=typed["message"])
    return f"{stamp.ticket.key} is closed."


def _reopen(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    services.reopen_stamp(stamp=stamp, by=user)
    return f"{stamp.ticket.key} is in dev again."


def _rebase(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    sides: dict[str, list[str]] = {"mine": [], "theirs": []}
    for number, conflict in enumerate(changed_in_production(stamp)):
        if (side := request.POST.get(f"side-{number}", "")) in sides:
            sides[side].append(conflict.path)
    services.rebase_stamp(stamp=stamp, by=user, revision=typed["revision"], mine=sides["mine"], theirs=sides["theirs"])
    return f"{stamp.ticket.key} stands on production as it is now."


def _share(stamp: Stamp, user: User, typed: dict[str, Any], request: HttpRequest) -> str:
    address, until = make_link(stamp=stamp, by=user, hours=SHARED_HOURS)
    request.session[f"iep-link-{stamp.pk}"] = {"address": address, "until": until}
    return f"Whoever has the link sees {stamp.ticket.key} until {until}, without an account."


_TO_QA = Verb(
    "Promote {key} to QA?", "QA sees it at ?qa={key}; its files are fixed from then on.", "Promote", "primary", _promote
)
_ASK = Verb(
    "Ask for {key} in production?", "A promotion request is made; once it is approved, it is released.", "Ask",
    "primary", _promote,
)  # fmt: skip
_RELEASE = Verb("Release {key} to production?", "Everyone gets it at once.", "Release", "primary", _promote)
_TAKE_BACK = Verb(
    "Take {key} out of production?", "Exactly what it changed is undone, at once, for everyone; other releases stay.",
    "Take out", "danger-strong", _revert,
)  # fmt: skip
_TO_DEV = Verb("Send {key} back to dev?", "Its files can be changed again.", "Send back", "danger-strong", _revert)
_CLOSE = Verb(
    "Close {key}?", "Its files and history stay, and production stays as it is.", "Close", "danger-strong", _close
)
_REOPEN = Verb("Reopen {key} in dev?", "Its workflow begins anew.", "Reopen", "primary", _reopen)
_SHARE = Verb(
    "Share a preview of {key}?", "A link that opens it for a day, without an account, as long as it is in this stage.",
    "Make the link", "primary", _share,
)  # fmt: skip
_REBASE = Verb("Rebase {key}?", "Decide on each file that production changed too.", "Rebase", "primary", _rebase)


def verb_of(stamp: Stamp, name: str) -> Verb:
    """The verb as it is meant in this stage; 404 for words that are none."""
    if name == "promote" and stamp.stage != Stage.DEV:
        return _ASK if stamp.application.sign_off else _RELEASE
    if name == "revert":
        return _TAKE_BACK if stamp.stage == Stage.PROD else _TO_DEV
    found = {"promote": _TO_QA, "close": _CLOSE, "reopen": _REOPEN, "rebase": _REBASE, "share": _SHARE}.get(name)
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def stamp_verb(request: HttpRequest, app: str, ticket: str, verb: str) -> HttpResponse:
    """Asks once on GET, carries the verb out on POST; a refusal keeps what was typed and says why."""
    user = person_of(request)
    stamp = selectors.find_stamp(selectors.find_application(user, app), ticket)
    meant = verb_of(stamp, verb)
    context: dict[str, Any] = {"stamp": stamp, "application": stamp.application, "verb": verb, "meant": meant}
    if request.method != "POST":
        return _ask(request, context)
    form = VerbForm(request.POST)
    form.is_valid()
    typed = {"message": "", "revision": None, "production": None} | form.cleaned_data
    try:
        said = meant.run(stamp, user, typed, request)
    except DomainError as refusal:
        return _ask(request, context | {"form": form, "refusal": refusal}, status=422)
    messages.success(request, said)
    return go(request, dossier.address_of(stamp))


def _ask(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    stamp, meant = context["stamp"], context["meant"]
    words = {"key": stamp.ticket.key}
    refusal = context.get("refusal")
    stamp.refresh_from_db(fields=["revision"])
    asked = {
        "title": meant.title.format(**words),
        "text": meant.text.format(**words),
        "form": VerbForm(
            initial={
                "revision": stamp.revision, "production": stamp.application.revision,
                "message": request.POST.get("message", ""),
            }
        ),
        "sides": changed_in_production(stamp) if context["verb"] == "rebase" else [],
        "verdicts": refusal.details.get("verdicts", []) if isinstance(refusal, PolicyRefused) else [],
        "rebase_first": isinstance(refusal, KeyConflict) and context["verb"] != "rebase",
    }  # fmt: skip
    return render(request, "iep/verb.html", context | asked, status=status)
