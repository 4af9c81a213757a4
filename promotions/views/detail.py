"""One request: read it, decide on it, follow its deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.pages import person_of
from core.console import go, is_partial
from core.errors import DomainError, InvalidInput
from promotions import permissions, services
from promotions.forms import (
    ApproveAfterwardsForm,
    ApproveForm,
    BreakGlassForm,
    CommentForm,
    DomainForm,
    ReasonForm,
    RejectForm,
    RetryForm,
)
from promotions.models import PromotionRequest
from promotions.pages import dossier
from promotions.services.judgement import judge
from promotions.services.transition import visible_request


@require_safe
@login_required
def request_detail(request: HttpRequest, number: str) -> HttpResponse:
    """The whole page, or for HTMX the part of it that changes."""
    user = person_of(request)
    promotion = visible_request(user, number)
    part = request.GET.get("part", "") if is_partial(request) else ""
    if part == "log":
        return render(
            request, "requests/detail.html#log", {"promotion": promotion, "attempts": dossier.attempts_of(promotion)}
        )
    template = "requests/detail.html#live" if part == "live" else "requests/detail.html"
    return render(request, template, detail_context(user, promotion))


def detail_context(user: User, promotion: PromotionRequest) -> dict[str, Any]:
    """Everything the page of a request shows to `user`."""
    verdicts = judge(promotion)
    attempts = dossier.attempts_of(promotion)
    actions = dossier.actions_for(user, promotion, verdicts, attempts.running)
    return {
        "promotion": promotion,
        "verdicts": verdicts,
        "attempts": attempts,
        "actions": actions,
        "dialogs": [
            asked(promotion, action.verb, _empty_form(promotion, action.verb))
            for action in actions
            if not action.reason
        ],
        "comparison": dossier.compare_with_production(user, promotion),
        "timeline": dossier.timeline_of(promotion, dossier.facts_about(promotion)),
        "steps": dossier.steps_of(promotion),
        "tickets": dossier.tickets_named(user, promotion),
        "can_edit": promotion.state == "pending" and promotion.author_id == user.pk,
        "reason_against_comment": permissions.reason_against(permissions.check_can_comment, user, promotion),
        "comment_form": CommentForm(prefix="say"),
    }


@dataclass(frozen=True, slots=True)
class Verb:
    """How a verb is asked for and carried out: title and warning of its dialog, form, service, and what is said after."""

    title: str
    text: str
    button: str
    look: str
    form: type[DomainForm]
    run: Callable[[PromotionRequest, User, dict[str, Any]], PromotionRequest]
    done: str


VERBS: dict[str, Verb] = {
    "approve": Verb(
        "Approve {title}?",
        "It goes to production of {tenant} {when}. Your approval is bound to exactly the content you read here.",
        "Approve",
        "primary",
        ApproveForm,
        lambda promotion, user, typed: services.approve_request(
            promotion=promotion, by=user, comment=typed["comment"], digest=typed["digest"] or "none"
        ),
        "You approved {number}.",
    ),
    "reject": Verb(
        "Reject {title}?",
        "It will not be deployed. {author} is told your reason.",
        "Reject",
        "danger-strong",
        RejectForm,
        lambda promotion, user, typed: services.reject_request(promotion=promotion, by=user, reason=typed["reason"]),
        "You rejected {number}.",
    ),
    "break_glass": Verb(
        "Break the glass for {title}?",
        "It goes to production of {tenant} at once, before anyone approved it. The CPI admins and everyone who may decide "
        "are told. Someone who neither asked for it nor broke the glass has to review it within {review_hours} hours.",
        "Deploy without approval",
        "danger-strong",
        BreakGlassForm,
        lambda promotion, user, typed: services.break_glass(
            promotion=promotion, by=user, reason=typed["reason"], digest=typed["digest"] or "none"
        ),
        "You broke the glass for {number}. It deploys now; someone else has to review it.",
    ),
    "approve_afterwards": Verb(
        "Approve {title} afterwards?",
        "It was deployed before anyone approved it. With your approval somebody else stands by it.",
        "Approve afterwards",
        "primary",
        ApproveAfterwardsForm,
        lambda promotion, user, typed: services.approve_afterwards(
            promotion=promotion, by=user, comment=typed["comment"]
        ),
        "You approved {number} afterwards.",
    ),
    "object": Verb(
        "Object to {title}?",
        "It stays as it is in production until someone rolls it back. {author} and whoever broke the glass read your "
        "reason.",
        "Object",
        "danger-strong",
        RejectForm,
        lambda promotion, user, typed: services.object_to_request(promotion=promotion, by=user, reason=typed["reason"]),
        "You objected to {number}. If production should go back, ask for a rollback.",
    ),
    "withdraw": Verb(
        "Withdraw {number}?",
        "Nobody can approve it after that. You can ask again with a new request.",
        "Withdraw",
        "danger-strong",
        ReasonForm,
        lambda promotion, user, typed: services.withdraw_request(promotion=promotion, by=user, reason=typed["reason"]),
        "You withdrew {number}.",
    ),
    "retry": Verb(
        "Deploy {title} again?",
        "The approval still stands; the same content is deployed once more.",
        "Retry deployment",
        "primary",
        RetryForm,
        lambda promotion, user, typed: services.retry_deployment(promotion=promotion, by=user),
        "{number} is deployed again.",
    ),
    "cancel": Verb(
        "Stop the deployment of {title}?",
        "The deployer is asked to stop; the request then counts as failed and may be retried. "
        "Production may be left half changed.",
        "Stop deployment",
        "danger-strong",
        ReasonForm,
        lambda promotion, user, typed: services.cancel_deployment(promotion=promotion, by=user, reason=typed["reason"]),
        "The deployment of {number} was asked to stop.",
    ),
    "roll_back": Verb(
        "Roll back {number}?",
        "This makes a new request that brings back {replaced}. It needs an approval of its own.",
        "Request the rollback",
        "primary",
        ReasonForm,
        lambda promotion, user, typed: services.roll_back_request(promotion=promotion, by=user, reason=typed["reason"]),
        "{number} was created. It waits for approval.",
    ),
}  # fmt: skip


def asked(promotion: PromotionRequest, name: str, form: DomainForm) -> dict[str, Any]:
    """What the dialog of a verb says and asks."""
    verb = VERBS[name]
    words = {
        "number": promotion.number,
        "title": promotion.title,
        "tenant": promotion.tenant.slug,
        "author": promotion.author.get_full_name(),
        "replaced": promotion.replaced_version,
        "review_hours": f"{settings.BREAK_GLASS_REVIEW.total_seconds() / 3600:g}",
        "when": f"on {promotion.scheduled_at:%d %b %Y at %H:%M} UTC" if promotion.scheduled_at else "at once",
    }
    return {
        "slug": name.replace("_", "-"),
        "title": verb.title.format(**words),
        "text": verb.text.format(**words),
        "button": verb.button,
        "look": verb.look,
        "form": form,
    }


def _empty_form(promotion: PromotionRequest, verb: str) -> DomainForm:
    return VERBS[verb].form(initial={"digest": promotion.digest}, prefix=verb)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def request_verb(request: HttpRequest, number: str, slug: str) -> HttpResponse:
    """Asks once on GET, carries the verb out on POST, and tells who was first when it came too late."""
    verb = slug.replace("-", "_")
    if verb not in VERBS:
        raise Http404
    user = person_of(request)
    promotion = visible_request(user, number)
    if request.method != "POST":
        return _ask(request, promotion, verb, _empty_form(promotion, verb))
    form = VERBS[verb].form(request.POST, prefix=verb)
    form.is_valid()
    try:
        result = VERBS[verb].run(promotion, user, form.cleaned_data)
    except InvalidInput as error:
        form.take(error)
        return _ask(request, promotion, verb, form, status=422)
    except DomainError as error:
        messages.error(request, error.message)
        return go(request, address_of(promotion))
    messages.success(request, VERBS[verb].done.format(**_words(result)))
    return go(request, address_of(result))


def _ask(
    request: HttpRequest, promotion: PromotionRequest, verb: str, form: DomainForm, status: int = 200
) -> HttpResponse:
    ask = asked(promotion, verb, form)
    if is_partial(request):
        return render(request, "requests/verb_form.html", {"promotion": promotion, "ask": ask}, status=status)
    user = person_of(request)
    context = detail_context(user, promotion)
    action = next((action for action in context["actions"] if action.verb == verb), None)
    return render(request, "requests/verb.html", context | {"ask": ask, "action": action}, status=status)


def _words(promotion: PromotionRequest) -> dict[str, str]:
    return {"number": promotion.number, "title": promotion.title}


def address_of(promotion: PromotionRequest) -> str:
    return reverse("request", args=[promotion.number])


@require_http_methods(["POST"])
@login_required
def request_comment(request: HttpRequest, number: str) -> HttpResponse:
    """Put a comment on the record."""
    user = person_of(request)
    promotion = visible_request(user, number)
    form = CommentForm(request.POST, prefix="say")
    form.is_valid()
    try:
        services.comment_on_request(promotion=promotion, by=user, comment=form.cleaned_data["comment"])
    except InvalidInput as error:
        form.take(error)
        if is_partial(request):
            return render(
                request, "requests/detail.html#comment", {"promotion": promotion, "comment_form": form}, status=422
            )
        context = detail_context(user, promotion) | {"comment_form": form}
        return render(request, "requests/detail.html", context, status=422)
    return go(request, address_of(promotion) + "#timeline")
