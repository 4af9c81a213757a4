"""Pages: dead letters with replay, and the dry run of a webhook's payload."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Tenant
from accounts.pages import person_of
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core.console import go, is_partial
from core.errors import DomainError, NotFound
from core.paging import page_of
from core.views import local_address
from events.cdevents.cloudevents import read_json
from events.cdevents.replay import discard_letter, find_letter, replay_letter
from events.cdevents.webhooks.deliveries import Rehearsal, rehearse
from events.models import DeadLetter, LetterState, SourceKind

PER_PAGE = 30
SHOWN_RAW = 20_000
TONES = {"waiting": "amber", "replayed": "green", "discarded": "grey"}
LABELS = {"waiting": "Waiting", "replayed": "Accepted later", "discarded": "Discarded"}
VERBS = {"replay": (replay_letter, "It was accepted."), "discard": (discard_letter, "It was discarded.")}


@require_safe
@login_required
def letter_list(request: HttpRequest) -> HttpResponse:
    """What was received and could not be accepted, newest first; those that wait unless asked otherwise."""
    user = person_of(request)
    state = request.GET.get("state", LetterState.WAITING)
    letters = DeadLetter.objects.visible_to(user).select_related("tenant", "settled_by", "delivery__source")
    if state in LetterState.values:
        letters = letters.filter(state=state)
    page = page_of(letters, request.GET, size=PER_PAGE)
    mine = set(tenants_where(user, Capability.RECORD_EVENTS).values_list("pk", flat=True))
    context = {
        "page": page,
        "rows": [_row(letter, letter.tenant_id in mine) for letter in page.rows],
        "state": state,
        "states": [("any", "All"), *LABELS.items()],
    }
    part = is_partial(request) and request.GET.get("part") == "list"
    return render(request, "events/letters.html#list" if part else "events/letters.html", context)


def _row(letter: DeadLetter, may_settle: bool) -> dict[str, Any]:
    return {
        "letter": letter,
        "tone": TONES[letter.state],
        "label": LABELS[letter.state],
        "raw": _pretty(letter.raw),
        "settles": may_settle and letter.state == LetterState.WAITING,
    }


def _pretty(raw: str) -> str:
    """As people read JSON, where it is some; at most so much that the page stays light."""
    with contextlib.suppress(ValueError, RecursionError):
        raw = json.dumps(json.loads(raw), indent=2, ensure_ascii=False) if len(raw) < SHOWN_RAW else raw
    return raw if len(raw) <= SHOWN_RAW else raw[:SHOWN_RAW] + " …"


@require_POST
@login_required
def letter_verb(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Play one again or discard it, then back to the list; a refusal is told there too."""
    user = person_of(request)
    if verb not in VERBS:
        raise NotFound("A dead letter is played again or discarded.")
    letter = find_letter(user=user, letter_id=number)
    run, done = VERBS[verb]
    try:
        run(letter=letter, by=user)
    except DomainError as refusal:
        messages.error(request, f"Still refused: {refusal.message}" if verb == "replay" else refusal.message)
    else:
        messages.success(request, done)
    return go(request, local_address(request, request.POST.get("next", "")))


class RehearsalForm(forms.Form):
    """A payload as a webhook would send it."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), to_field_name="slug", empty_label=None)
    kind = forms.ChoiceField(label="Sender", choices=SourceKind.choices)
    event = forms.CharField(
        label="X-GitHub-Event or X-Gitlab-Event", max_length=100, required=False,
        widget=forms.TextInput(attrs={"placeholder": "push", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    payload = forms.CharField(
        label="Payload", max_length=1_000_000, widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"})
    )

    def __init__(self, *args: Any, tenants: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]
        for each in self.fields.values():
            kind = "select" if isinstance(each.widget, forms.Select) else "input"
            is_area = isinstance(each.widget, forms.Textarea)
            each.widget.attrs["class"] = "textarea textarea--tall" if is_area else kind


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def rehearsal(request: HttpRequest) -> HttpResponse:
    """What a pasted payload would become in a tenant whose events one may see; nothing is stored."""
    user = person_of(request)
    tenants = tenants_where(user, Capability.VIEW_EVENTS)
    form = RehearsalForm(request.POST or None, tenants=tenants, initial={"tenant": home_tenant(user, tenants)})
    rehearsed = _rehearsed(form) if request.method == "POST" and form.is_valid() else None
    shown = [{"event": json.dumps(each.body, indent=2, ensure_ascii=False), "of": each} for each in rehearsed or []]
    context = {"form": form, "rehearsed": rehearsed, "shown": shown}
    return render(request, "events/rehearsal.html", context, status=422 if form.errors else 200)


def _rehearsed(form: RehearsalForm) -> list[Rehearsal] | None:
    typed = form.cleaned_data
    try:
        payload = read_json(typed["payload"].strip())
        return rehearse(kind=typed["kind"], event=typed["event"], payload=payload, tenant_id=typed["tenant"].pk)
    except DomainError as refusal:
        form.add_error("payload", refusal.message)
        return None
