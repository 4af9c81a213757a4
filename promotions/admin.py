"""Admin pages of promotion requests, their deployments and targets: to search, and to act through the same services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeDateTimeFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.widgets import UnfoldAdminSelectWidget

from core.admin import Admin, Form, ReadOnlyAdmin, Verb
from promotions import permissions, services
from promotions.models import Deployment, DeploymentTarget, PromotionRequest, RunningVersion
from promotions.selectors import with_words
from promotions.states import FORCEABLE, PROMOTION, Review, State
from promotions.validation import MIN_EMERGENCY, MIN_REASON

STATE_COLOURS = {
    "pending": "warning", "scheduled": "info", "approved": "info", "deploying": "info", "deployed": "success",
    "rejected": "danger", "failed": "danger",
}  # fmt: skip
ATTEMPT_COLOURS = {
    "queued": "info", "launching": "info", "running": "info", "succeeded": "success", "failed": "danger",
}  # fmt: skip


class ApproveForm(Form):
    comment = forms.CharField(widget=forms.Textarea, required=False)
    digest = forms.CharField(widget=forms.HiddenInput)


class ReasonForm(Form):
    reason = forms.CharField(widget=forms.Textarea, min_length=MIN_REASON, help_text="It goes on record.")


class OptionalReasonForm(Form):
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="It goes on record.")


class BreakGlassForm(Form):
    reason = forms.CharField(
        widget=forms.Textarea, min_length=MIN_EMERGENCY, help_text="Why it cannot wait. Everyone concerned is told."
    )
    digest = forms.CharField(widget=forms.HiddenInput)


class CommentForm(Form):
    comment = forms.CharField(widget=forms.Textarea, required=False)


class ForceForm(ReasonForm):
    state = forms.ChoiceField(
        choices=[(state.value, state.label) for state in FORCEABLE], widget=UnfoldAdminSelectWidget()
    )

    field_order = ("state", "reason")


def _about(promotion: PromotionRequest) -> list[tuple[str, str]]:
    """What is read before deciding: the content that an approval is bound to."""
    return [
        ("Request", f"{promotion.title} for {promotion.tenant} by {promotion.author}"),
        ("State", promotion.get_state_display()),
        ("Justification", promotion.justification),
        ("Release notes", promotion.release_notes),
        ("Impact", promotion.get_impact_display()),
        ("Rollback plan", promotion.rollback_plan),
        ("Test evidence", promotion.test_evidence_url),
        *(
            [("Glass broken", f"{promotion.glass_broken_by}: {promotion.glass_reason}")]
            if promotion.glass_reason
            else []
        ),
    ]


def _in_state(verb: str) -> Any:
    return lambda promotion, by: PROMOTION.find(promotion.state, verb) is not None


VERBS = (
    Verb(
        "approve",
        "Approve",
        run=lambda promotion, by, **said: services.approve_request(promotion=promotion, by=by, **said),
        form=ApproveForm,
        initial=lambda promotion: {"digest": promotion.digest},
        offered=_in_state("approve"),
        about=_about,
        icon="check",
    ),
    Verb(
        "reject",
        "Reject",
        run=lambda promotion, by, **said: services.reject_request(promotion=promotion, by=by, **said),
        form=ReasonForm,
        offered=_in_state("reject"),
        about=_about,
        icon="block",
    ),
    Verb(
        "break_glass",
        "Break the glass",
        run=lambda promotion, by, **said: services.break_glass(promotion=promotion, by=by, **said),
        form=BreakGlassForm,
        initial=lambda promotion: {"digest": promotion.digest},
        offered=lambda promotion, by: (
            PROMOTION.find(promotion.state, "break_glass") is not None
            and not permissions.reason_against(permissions.check_can_break_glass, by, promotion)
        ),
        about=_about,
        warning="It deploys at once, before anyone approved it. Someone else has to review it afterwards.",
        icon="emergency_home",
        variant=ActionVariant.DANGER,
    ),
    Verb(
        "approve_afterwards",
        "Approve afterwards",
        run=lambda promotion, by, **said: services.approve_afterwards(promotion=promotion, by=by, **said),
        form=CommentForm,
        offered=lambda promotion, by: promotion.review == Review.OWED,
        about=_about,
        icon="check",
    ),
    Verb(
        "object",
        "Object",
        run=lambda promotion, by, **said: services.object_to_request(promotion=promotion, by=by, **said),
        form=ReasonForm,
        offered=lambda promotion, by: promotion.review == Review.OWED,
        about=_about,
        icon="block",
        variant=ActionVariant.WARNING,
    ),
    Verb(
        "retry",
        "Retry the deployment",
        run=lambda promotion, by: services.retry_deployment(promotion=promotion, by=by),
        offered=_in_state("retry"),
        about=_about,
        icon="refresh",
    ),
    Verb(
        "cancel",
        "Stop the deployment",
        run=lambda promotion, by, **said: services.cancel_deployment(promotion=promotion, by=by, **said),
        form=OptionalReasonForm,
        offered=lambda promotion, by: promotion.state in {State.APPROVED, State.DEPLOYING},
        about=_about,
        icon="stop_circle",
        variant=ActionVariant.WARNING,
    ),
    Verb(
        "roll_back",
        "Ask for a roll back",
        run=lambda promotion, by, **said: services.roll_back_request(promotion=promotion, by=by, **said),
        form=ReasonForm,
        offered=lambda promotion, by: promotion.state == State.DEPLOYED,
        about=_about,
        icon="undo",
    ),
    Verb(
        "force_state",
        "Force the state",
        run=lambda promotion, by, **said: services.force_request_state(promotion=promotion, by=by, **said),
        form=ForceForm,
        offered=lambda promotion, by: not permissions.reason_against(permissions.check_can_force, by, promotion),
        about=_about,
        warning="For requests that are stuck. It goes on record under your name and tells no deployer anything.",
        icon="warning",
        variant=ActionVariant.DANGER,
    ),
)


GLASS_WORDS = {
    Review.NONE: "",
    Review.OWED: "review owed",
    Review.APPROVED: "approved afterwards",
    Review.OBJECTED: "objected",
}


class BrokenGlassFilter(admin.SimpleListFilter):
    """Requests that were deployed before anyone approved them, and those of them that still wait for a review."""

    title = "glass"
    parameter_name = "glass"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("owed", "Broken, review owed"), ("broken", "Broken")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "owed":
            return queryset.filter(pk__in=PromotionRequest.objects.review_owed().order_by().values("pk"))
        return queryset.filter(glass_broken_by__isnull=False) if self.value() == "broken" else queryset


class VisibleAdmin(ReadOnlyAdmin):
    """Staff who are not superusers see what their roles let them see anywhere else."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.register(PromotionRequest)
class PromotionRequestAdmin(VisibleAdmin):
    """Requests; their content and state change through the verbs only."""

    verbs = VERBS
    list_display = (
        "number", "title", "status", "glass", "impact", "tenant", "author", "created_at", "approved_by",
    )  # fmt: skip
    list_filter = (
        "state",
        BrokenGlassFilter,
        "impact",
        "target_type",
        ("created_at", RangeDateTimeFilter),
        ("tenant", AutocompleteSelectFilter),
        ("author", AutocompleteSelectFilter),
    )
    list_select_related = ("tenant", "author", "approved_by")
    search_fields = ("number",)
    search_help_text = "Words of the number, target, version, justification or release notes."
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [field.name for field in PromotionRequest._meta.fields if field.name != "id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PromotionRequest]:
        return PromotionRequest.objects.visible_to(request.user)  # type: ignore[arg-type]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PromotionRequest], search_term: str
    ) -> tuple[QuerySet[PromotionRequest], bool]:
        """By the text index; the lookups that other pages offer are answered from it too."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return with_words(queryset, term), False  # type: ignore[arg-type]

    @display(description="State", label=STATE_COLOURS)
    def status(self, promotion: PromotionRequest) -> str:
        return promotion.state

    @display(
        description="Glass", label={"review owed": "danger", "objected": "danger", "approved afterwards": "success"}
    )
    def glass(self, promotion: PromotionRequest) -> str:
        return GLASS_WORDS[promotion.review]


@admin.register(Deployment)
class DeploymentAdmin(VisibleAdmin):
    """Deployment attempts with their output; what stops or repeats them is on the request's page."""

    list_display = ("deployment_id", "promotion", "attempt", "status", "deployer", "job_id", "created_at", "note")
    list_filter = ("state", "deployer")
    list_select_related = ("promotion",)
    search_fields = ("promotion__number", "job_id")
    search_help_text = "The whole number of the request."
    ordering = ("-id",)
    fields = (
        "promotion", "attempt", "state", "deployer", "job_id", "nonce", "error", "note", "created_at", "started_at",
        "finished_at", "deadline_at", "cancel_requested_at", "next_at", "tries", "result", "log",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        attempts = (
            super().get_queryset(request).defer("log") if self._is_list(request) else super().get_queryset(request)
        )
        if request.user.is_superuser:
            return attempts
        seen = PromotionRequest.objects.visible_to(request.user)  # type: ignore[arg-type]
        return attempts.filter(promotion__in=seen.order_by().values("pk"))

    def _is_list(self, request: HttpRequest) -> bool:
        return bool(request.resolver_match and request.resolver_match.url_name == "promotions_deployment_changelist")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Deployment], search_term: str
    ) -> tuple[QuerySet[Deployment], bool]:
        term = search_term.strip()
        return (queryset.filter(promotion__number=term.upper()) if term else queryset), False

    @display(description="State", label=ATTEMPT_COLOURS)
    def status(self, deployment: Deployment) -> str:
        return deployment.state


class DeploymentTargetForm(forms.ModelForm):
    """Offers the deployers that are configured."""

    class Meta:
        model = DeploymentTarget
        fields = ("tenant", "target_type", "target_name", "deployer", "options", "time_limit")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "deployer" in self.fields:
            names = [(name, name) for name in settings.DEPLOYERS]
            self.fields["deployer"] = forms.ChoiceField(choices=names, widget=UnfoldAdminSelectWidget())


@admin.register(DeploymentTarget)
class DeploymentTargetAdmin(Admin):
    """How a tenant's things are deployed. Options may name commands, so this is for those who may run them."""

    form = DeploymentTargetForm
    list_display = ("tenant", "target_type", "target_name", "deployer", "time_limit")
    list_filter = ("deployer", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("tenant__slug", "target_name")
    autocomplete_fields = ("tenant",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("promotions.delete_deploymenttarget"))


@admin.register(RunningVersion)
class RunningVersionAdmin(Admin):
    """What each environment runs, as deployed or reported; correct it here when something was done by hand."""

    list_display = ("tenant", "environment", "target_type", "target_name", "version", "since", "promotion")
    list_filter = ("environment", "target_type", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "promotion")
    search_fields = ("target_name", "version", "tenant__slug")
    autocomplete_fields = ("tenant",)
    readonly_fields = ("promotion",)

    def save_model(self, request: HttpRequest, obj: RunningVersion, form: Any, change: bool) -> None:
        if "version" in form.changed_data:
            obj.promotion = None  # whatever request brought the version before did not bring this one
        super().save_model(request, obj, form, change)
