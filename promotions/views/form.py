"""New request and edit: the form with preview, version choices and drafts that outlive a session."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import Tenant, User
from accounts.pages import person_of
from core.console import go
from core.drafts import drop_draft, keep_and_sign_in, kept_draft
from core.errors import Conflict, DomainError, NotAllowed
from promotions import permissions, services
from promotions.forms import PromotionForm, initial_of
from promotions.models import PromotionRequest
from promotions.pages import candidates
from promotions.services.transition import visible_request, wrong_state
from promotions.states import State
from promotions.types import PromotionContent
from promotions.views.board import may_create_somewhere
from promotions.views.detail import address_of
from promotions.wire import content_digest


@require_http_methods(["GET", "HEAD", "POST"])
def request_new(request: HttpRequest) -> HttpResponse:
    """The form of a new request; a POST creates it, a POST of `preview` only shows how its notes will look."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    if not may_create_somewhere(user):
        raise NotAllowed("Your roles do not include asking for a promotion. Ask a tenant admin for the DevOps role.")
    if request.method != "POST":
        return _show(request, PromotionForm(**_start(request, user), user=user))
    form = PromotionForm(request.POST, user=user)
    form.is_valid()
    if "preview" in request.POST:
        form.errors.clear()
        return _show(request, form, previewed=True)
    return _create(request, user, form)


def _create(request: HttpRequest, user: User, form: PromotionForm) -> HttpResponse:
    tenant = form.cleaned_data.get("tenant")
    if tenant is None and len(form.choices) == 1:
        tenant = form.choices[0]
    content = form.content()
    if tenant is None:
        form.add_error("tenant", "Choose the tenant it belongs to.")
        return _show(request, form, status=422)
    try:
        _refuse_unread(form)
        promotion = services.create_request(tenant=tenant, content=content, by=user)
    except DomainError as error:
        twin = _twin(error, user, content)
        if twin is not None:
            return go(request, address_of(twin))
        form.take(error)
        return _show(request, form, status=422)
    drop_draft(request)
    messages.success(request, f"{promotion.number} was created. It waits for approval by someone else.")
    return go(request, address_of(promotion))


def _refuse_unread(form: PromotionForm) -> None:
    """A date that could not be read must not pass as no date."""
    if "scheduled_at" in form.errors:
        raise DomainError("Correct the date, or leave it empty.", field="-")


def _twin(error: DomainError, user: User, content: PromotionContent) -> PromotionRequest | None:
    """The request this very form made a moment ago, when it was sent twice."""
    if not isinstance(error, Conflict) or error.code != "active_request_exists":
        return None
    return PromotionRequest.objects.filter(
        number=error.details.get("active"), author=user, state=State.PENDING, digest=content_digest(content)
    ).first()


@require_http_methods(["GET", "HEAD", "POST"])
def request_edit(request: HttpRequest, number: str) -> HttpResponse:
    """Change a pending request of one's own; whoever reviewed it must review it again."""
    if not request.user.is_authenticated:
        return keep_and_sign_in(request)
    user = person_of(request)
    promotion = visible_request(user, number)
    permissions.check_can_edit(user, promotion)
    if promotion.state != State.PENDING:
        messages.error(request, wrong_state(promotion, "edit").message)
        return go(request, address_of(promotion))
    kept = kept_draft(request, str(user.public_id))
    if request.method != "POST":
        form = PromotionForm(kept, user=user) if kept else PromotionForm(initial=initial_of(promotion), user=user)
        form.errors.clear() if kept else None
        read = kept.get("digest", "") if kept else promotion.digest
        return _show(request, form, promotion=promotion, restored=bool(kept), read=read)
    form = PromotionForm(_with_target(request.POST, promotion), user=user)
    form.is_valid()
    read = request.POST.get("digest", "")
    if "preview" in request.POST:
        form.errors.clear()
        return _show(request, form, promotion=promotion, previewed=True, read=read)
    try:
        _refuse_unread(form)
        services.edit_request(promotion=promotion, content=form.content(), by=user, digest=read or None)
    except DomainError as error:
        form.take(error)
        # Told what changed in between, whoever saves once more means it.
        read = promotion.digest if error.code == "content_changed" else read
        return _show(request, form, promotion=promotion, status=422, read=read)
    drop_draft(request)
    messages.success(request, f"{promotion.number} was changed. Earlier reviews no longer count.")
    return go(request, address_of(promotion))


def _with_target(typed: QueryDict, promotion: PromotionRequest) -> QueryDict:
    """The target of a request cannot change, whatever the form says."""
    typed = typed.copy()
    typed["target_type"], typed["target_name"] = promotion.target_type, promotion.target_name
    return typed


def _show(request: HttpRequest, form: PromotionForm, *, status: int = 200, **extra: Any) -> HttpResponse:
    user = person_of(request)
    promotion = extra.get("promotion")
    context = {
        "form": form,
        "candidates": [] if promotion else candidates.find_candidates(user),
        "hint": _hint(form),
        "notes": form["release_notes"].value() or "",
        "draft_key": request.path,
        "restored": extra.get("restored", bool(not form.is_bound and form.initial.get("restored"))),
        **extra,
    }
    return render(request, "requests/form.html", context, status=status)


def _hint(form: PromotionForm) -> candidates.VersionHint:
    slug = form["tenant"].value() or ""
    tenant = next((tenant for tenant in form.choices if tenant.slug == slug), form.choices[0] if form.choices else None)
    return candidates.version_hint(
        tenant, form["target_type"].value() or "", form["target_name"].value() or "", form["version"].value() or ""
    )


def _start(request: HttpRequest, user: User) -> dict[str, Any]:
    """What an empty form begins with: a draft that outlived its session, or what the link names."""
    kept = kept_draft(request, str(user.public_id))
    if kept:
        named = {name: kept.get(name, "") for name in PromotionForm.base_fields}
        return {"initial": {**named, "restored": True}}
    named = {
        name: request.GET[parameter][:200]
        for parameter, name in (
            ("tenant", "tenant"),
            ("type", "target_type"),
            ("name", "target_name"),
            ("version", "version"),
        )
        if request.GET.get(parameter)
    }
    return {"initial": {"target_type": "api", "impact": "low", **named}}


@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """Release notes as they will look."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("request_new"))
    return render(request, "requests/form.html#preview", {"notes": request.POST.get("release_notes", "")[:20_000]})


@require_safe
def version_hint(request: HttpRequest) -> HttpResponse:
    """What staging and production run of the typed target, and the versions to choose from."""
    if not request.user.is_authenticated:
        return redirect_to_login(reverse("request_new"))
    user = person_of(request)
    tenant = Tenant.objects.filter(slug=request.GET.get("tenant", "")).first()
    if tenant is not None:
        permissions.check_can_create(user, tenant)
    hint = candidates.version_hint(
        tenant, request.GET.get("target_type", ""), request.GET.get("target_name", ""), request.GET.get("version", "")
    )
    return render(request, "requests/form.html#hint", {"hint": hint})
