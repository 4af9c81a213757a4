"""The steps of a ticket's life: each asks once, is carried out by one service, and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.pages import person_of
from core.console import go, is_partial
from core.errors import DomainError, WrongState
from core.forms import plain_lines
from tickets import services
from tickets.forms import DomainForm, NothingForm, ReasonForm, ReturnForm, VerbForm
from tickets.models import Ticket
from tickets.pages import dossier
from tickets.pages.addresses import address_of
from tickets.pages.looks import VERBS as MOVE_LABELS
from tickets.selectors import find_ticket

Typed = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb is asked for and carried out: title and words of its dialog, form, service, and what is said after."""

    title: str
    text: str
    button: str
    look: str
    form: type[DomainForm]
    run: Callable[[Ticket, User, Typed], Any]
    done: str


def _move(verb: str, text: str, done: str, form: type[DomainForm] = VerbForm, look: str = "primary") -> Verb:
    label = MOVE_LABELS[verb]

    def run(ticket: Ticket, user: User, typed: Typed) -> Ticket:
        return services.move_ticket(
            ticket=ticket, verb=verb, by=user, comment=typed["comment"], version=typed["version"]
        )

    return Verb(f"{label}: {{key}}?", text, label, look, form, run, done)


def _close(ticket: Ticket, user: User, typed: Typed, resolution: str) -> Ticket:
    return services.close_ticket(
        ticket=ticket, by=user, resolution=resolution, comment=typed["comment"], version=typed["version"]
    )


def _decide(ticket: Ticket, user: User, typed: Typed, approve: bool) -> Ticket:
    return services.decide_gate(
        ticket=ticket, by=user, approve=approve, comment=typed["comment"], back_to_step=typed.get("back_to_step"),
        version=typed["version"],
    )  # fmt: skip


def _go_back(ticket: Ticket, user: User, typed: Typed) -> Any:
    return services.go_back_a_stage(
        ticket=ticket, by=user, reason=typed["comment"], to_step=typed["back_to_step"], version=typed["version"]
    )


def _retry(ticket: Ticket, user: User, typed: Typed) -> Any:
    task = dossier.open_task_of(ticket)
    if task is None:
        raise WrongState("Only a task that ran out of attempts can be retried.", code="not_dead")
    task.ticket = ticket
    return services.retry_task(task=task, by=user)


VERBS: dict[str, Verb] = {
    "start": _move("start", "Someone works on it from now on.", "{key} is in progress."),
    "request_review": _move("request_review", "The work is ready for someone else to look at.", "{key} is in review."),
    "finish_review": _move("finish_review", "The review found nothing left to do.", "{key} was reviewed."),
    "start_testing": _move("start_testing", "The work is ready to be tested.", "{key} is being tested."),
    "request_approval": _move("request_approval", "A person with the CPI role decides.", "{key} waits for approval."),
    "approve": _move("approve", "You did not do this work yourself and stand for it.", "You approved {key}."),
    "decline": _move("decline", "The reason goes on record.", "You declined {key}.", ReasonForm, "danger-strong"),
    "resolve": _move("resolve", "The work is done; only the closing is left.", "{key} is resolved."),
    "reopen": _move("reopen", "It is taken up again where its plan stood.", "{key} is open again."),
    "complete": Verb(
        "Complete {key}?", "The ticket ends here. What is still queued or being worked on is canceled.",
        "Complete", "primary", VerbForm, lambda ticket, user, typed: _close(ticket, user, typed, "completed"),
        "{key} is completed.",
    ),
    "stop": Verb(
        "Stop {key}?", "The ticket ends without being done. What is still queued or being worked on is canceled.",
        "Stop", "danger-strong", VerbForm, lambda ticket, user, typed: _close(ticket, user, typed, "stopped"),
        "{key} was stopped.",
    ),
    "queue": Verb(
        "Queue {stage} of {key}?", "It waits for whoever does this stage, also when nobody is there yet.",
        "Queue", "primary", NothingForm,
        lambda ticket, user, typed: services.queue_task(ticket=ticket, by=user, even_without_worker=True),
        "{stage} of {key} is queued.",
    ),
    "retry": Verb(
        "Retry {stage} of {key}?", "It gets new attempts; make sure that what stopped it is gone.",
        "Retry", "primary", NothingForm, _retry, "{stage} of {key} is queued again.",
    ),
    "go_back": Verb(
        "Send {key} back a stage?", "Whoever works on it now loses the task; the stage is done again.",
        "Send back", "danger-strong", ReturnForm, _go_back, "{key} went back.",
    ),
    "pass_gate": Verb(
        "Pass {stage} of {key}?", "The plan goes on with its next stage. Your name stands for it.",
        "Pass", "primary", VerbForm, lambda ticket, user, typed: _decide(ticket, user, typed, True),
        "You passed {stage} of {key}.",
    ),
    "decline_gate": Verb(
        "Decline {stage} of {key}?", "The plan does not go on. You may send it back to a stage at once.",
        "Decline", "danger-strong", ReturnForm, lambda ticket, user, typed: _decide(ticket, user, typed, False),
        "You declined {stage} of {key}.",
    ),
}  # fmt: skip


def dialog_for(ticket: Ticket, name: str, form: DomainForm | None = None) -> dict[str, Any]:
    """What the dialog of a verb says and asks."""
    verb = VERBS[name]
    words = {"key": ticket.key, "stage": ticket.stage}
    form = form or verb.form(initial={"version": ticket.version}, prefix=name)
    if isinstance(form, ReturnForm):
        form.offer(ticket, also_none=name == "decline_gate")
    return {
        "slug": name.replace("_", "-"),
        "title": verb.title.format(**words),
        "text": verb.text.format(**words),
        "button": verb.button,
        "look": verb.look,
        "form": form,
        "optional": verb.form is VerbForm,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def ticket_verb(request: HttpRequest, key: str, slug: str, tenant: str = "") -> HttpResponse:
    """Asks once on GET, carries the verb out on POST; a refusal keeps what was typed and says why."""
    name = slug.replace("-", "_")
    if name not in VERBS or slug != name.replace("_", "-"):
        raise Http404
    user = person_of(request)
    ticket = find_ticket(user=user, key=key, tenant=tenant)
    if request.method != "POST":
        return _ask(request, ticket, tenant, name)
    form = VERBS[name].form(request.POST, prefix=name)
    form.is_valid()
    words = {"key": ticket.key, "stage": ticket.stage}
    try:
        VERBS[name].run(ticket, user, read(form.cleaned_data))
    except DomainError as error:
        if "board" in request.POST:
            return _tell_board(error.message, "red", error.code)
        form.take(error)
        return _ask(request, find_ticket(user=user, key=key, tenant=tenant), tenant, name, form)
    said = VERBS[name].done.format(**words)
    if "board" in request.POST:
        return _tell_board(said, "green")
    messages.success(request, said)
    return go(request, address_of(ticket, with_tenant=bool(tenant)))


def read(typed: Typed) -> Typed:
    """The form's texts as services take them; a version that is no number is none that could still be right."""
    version, step = typed.get("version", ""), typed.get("back_to_step", "")
    values = typed | {"version": _number(version), "comment": plain_lines(typed.get("comment", ""))}
    return values | {"back_to_step": _number(step)} if "back_to_step" in typed else values


def _number(text: str) -> int | None:
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _tell_board(words: str, tone: str, refused: str = "") -> HttpResponse:
    """For a card that was dragged: the board says it and looks again."""
    said = json.dumps({"stagepass:say": {"words": words, "tone": tone, "refused": refused}, "stagepass:moved": True})
    return HttpResponse(status=204, headers={"HX-Trigger": said})


def _ask(request: HttpRequest, ticket: Ticket, tenant: str, name: str, form: DomainForm | None = None) -> HttpResponse:
    user, status = person_of(request), 200
    if form is not None:
        status = 422
        # Whoever confirms again has been told what changed, and means the ticket as it is now.
        posted = request.POST.copy()
        posted[form.add_prefix("version")] = str(ticket.version)
        form.data = posted
    task = dossier.open_task_of(ticket)
    context: dict[str, Any] = {
        "ticket": ticket,
        "with_tenant": bool(tenant),
        "ask": dialog_for(ticket, name, form),
    }
    if is_partial(request):
        return render(request, "tickets/verb_form.html", context, status=status)
    action = next((one for one in dossier.actions_for(user, ticket, task) if one.verb == name), None)
    context |= {"action": action, "task": task, "steps": dossier.steps_of(ticket, task)}
    return render(request, "tickets/verb.html", context, status=status)
