"""What every admin page shares: log-in through allauth, bounded lists, nothing deleted, verbs that ask before they act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from allauth.account.decorators import secure_admin_login
from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_replace
from django import forms
from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant
from unfold.sites import UnfoldAdminSite
from unfold.widgets import UnfoldAdminTextareaWidget

from core.context import acting_through
from core.errors import DomainError, InvalidInput

COUNTED = 10_000

# Unfold's Alpine evaluates expressions and its palette is an inline style: loosened for the admin's pages alone.
_admin_policy = csp_replace({"script-src": [SELF, UNSAFE_EVAL], "style-src": [SELF, UNSAFE_INLINE]})


class StagepassAdminSite(UnfoldAdminSite):
    """The admin, entered by the same log-in as everything else: second factor, rate limits and single sign-on included."""

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only our own pages: those that packages bring would show secrets, or let groups be edited past the roles."""
        if isinstance(admin_class, type) and issubclass(admin_class, Admin):
            super().register(model_or_iterable, admin_class, **options)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return response

    def admin_view(self, view: Callable[..., HttpResponse], cacheable: bool = False) -> Callable[..., HttpResponse]:
        """As Django's, under the admin's content security policy and with facts saying that they came this way."""
        guarded: Any = _admin_policy(super().admin_view(view, cacheable))

        def through_admin(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            with acting_through("admin"):
                response: HttpResponse = guarded(request, *args, **kwargs)
                return response

        return through_admin


class BoundedPaginator(Paginator):
    """Counts to 10,000 and no further, so that a page of a very long list costs what it shows."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: COUNTED + 1].count())


class Form(forms.Form):
    """A form of a verb; text areas look like the rest of the admin."""

    # The code of the refusal that is shown, as every other face tells it.
    refused = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for each in self.fields.values():
            if isinstance(each.widget, forms.Textarea):
                each.widget = UnfoldAdminTextareaWidget(attrs={"rows": 4})


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that staff can do to a thing: `run(thing, by, **cleaned form)` calls one service.

    `offered(thing, by)` decides whether the button is there; the service decides whether it is allowed, and where the
    service knows of no rights, `permission` (app.codename) does, for button and act. `initial(thing)` fills the form,
    `about(thing)` gives (label, text) pairs to read before saying yes.
    """

    name: str
    title: str
    run: Callable[..., Any]
    icon: str
    form: type[forms.Form] = Form
    offered: Callable[[Any, Any], bool] = lambda thing, by: True
    permission: str = ""
    initial: Callable[[Any], dict[str, Any]] = lambda thing: {}
    about: Callable[[Any], list[tuple[str, str]]] = lambda thing: []
    warning: str = ""
    variant: ActionVariant = field(default=ActionVariant.DEFAULT)

    def is_open_to(self, by: Any) -> bool:
        return not self.permission or by.has_perm(self.permission)


class Admin(ModelAdmin):
    """Lists that stay fast, refusals told at their fields, verbs on their own confirmation page, no deletion."""

    paginator: Any = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    warn_unsaved_form = True
    verbs: tuple[Verb, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for verb in self.verbs:
            setattr(self, f"{verb.name}_verb", self._as_action(verb))
        self.actions_detail = tuple(f"{verb.name}_verb" for verb in self.verbs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """A refusal of what is saved stands at its fields, and what was typed stays."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, *args, **kwargs)
        except DomainError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return self._telling_refusals(request, super().changeform_view, *args, **kwargs)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        refusal: DomainError | None = getattr(request, "refusal", None)
        return form if refusal is None else _refused(form, refusal)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return self._telling_refusals(request, super().delete_view, *args, **kwargs)

    def _telling_refusals(self, request: HttpRequest, view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except DomainError as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(request.get_full_path())

    # Verbs

    def _as_action(self, verb: Verb) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: str) -> HttpResponse:
            return self.verb_view(request, object_id, verb)

        view.short_description = verb.title  # type: ignore[attr-defined]
        view.url_path = verb.name  # type: ignore[attr-defined]
        view.icon = verb.icon  # type: ignore[attr-defined]
        view.variant = verb.variant  # type: ignore[attr-defined]
        view.attrs = {}  # type: ignore[attr-defined]
        return view

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> Any:
        thing = self.get_object(request, unquote(str(object_id)))
        offered = {
            f"{verb.name}_verb"
            for verb in self.verbs
            if thing is not None and verb.is_open_to(request.user) and verb.offered(thing, request.user)
        }
        return [self.get_unfold_action(name) for name in self.actions_detail if name in offered]

    def verb_view(self, request: HttpRequest, object_id: str, verb: Verb) -> HttpResponse:
        """Ask on GET, do on POST; a refusal is shown beside what was typed."""
        thing = self.get_object(request, unquote(object_id))
        if thing is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
        if not self.has_view_permission(request, thing) or not verb.is_open_to(request.user):
            raise PermissionDenied
        form = verb.form(request.POST if request.method == "POST" else None, initial=verb.initial(thing))
        if request.method == "POST" and form.is_valid() and self._run(request, thing, verb, form):
            return HttpResponseRedirect(self._page_of(thing))
        if form.errors and not getattr(form, "refused", ""):
            form.refused = InvalidInput.code  # type: ignore[attr-defined]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{verb.title}: {thing}",
            "opts": self.opts,
            "original": thing,
            "form": form,
            "verb": verb,
            "about": verb.about(thing),
            "back": self._page_of(thing),
        }
        return TemplateResponse(request, "admin/verb.html", context)

    def _page_of(self, thing: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[thing.pk])

    def _run(self, request: HttpRequest, thing: Any, verb: Verb, form: forms.Form) -> bool:
        try:
            verb.run(thing, request.user, **form.cleaned_data)
        except DomainError as refusal:
            form.refused = refusal.code  # type: ignore[attr-defined]
            _add_errors(form, refusal)
            return False
        self.log_change(request, thing, verb.title)
        messages.success(request, f"{verb.title}: {thing}. Done.")
        return True


def _add_errors(form: forms.BaseForm, refusal: DomainError) -> None:
    """Each sentence at its field; what belongs to none above the form."""
    told = refusal.errors if isinstance(refusal, InvalidInput) else {refusal.field: [refusal.message]}
    shown = {field.name for field in form.visible_fields()}
    for name, sentences in told.items():
        form.add_error(name if name in shown else None, sentences)


def _refused(form: type[forms.ModelForm[Any]], refusal: DomainError) -> type[forms.ModelForm[Any]]:
    """The form, which finds what the service has found."""

    class Refused(form):  # type: ignore[misc, valid-type]
        def clean(self) -> Any:
            cleaned = super().clean()
            _add_errors(self, refusal)
            return cleaned

    return Refused


class ReadOnlyAdmin(Admin):
    """For what nobody edits by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
