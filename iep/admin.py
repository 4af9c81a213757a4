"""Admin pages of import maps: applications are set up here; files, releases and stamps are for reading."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.models import User
from core.admin import Admin, Form, ReadOnlyAdmin, Verb
from iep import services
from iep.models import Application, Blob, Judgement, Release, SignedManifest, SigningKey, Stamp
from iep.states import STAMP, Stage

COLOURS = {"dev": "info", "qa": "warning", "prod": "success", "closed": "danger"}


class ReasonForm(Form):
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="It goes on record.")


class ApplicationForm(forms.ModelForm):
    """Policies are chosen by their names."""

    class Meta:
        model = Application
        fields = (
            "tenant", "slug", "name", "project", "page", "sign_off", "policies", "policy_options", "repository",
            "repository_path", "allowed_origins",
        )  # fmt: skip

    def clean_policies(self) -> list[str]:
        names: list[str] = self.cleaned_data["policies"]
        if unknown := sorted(set(names) - set(settings.IEP_POLICIES)):
            raise forms.ValidationError(
                f"Unknown: {', '.join(unknown)}. Known: {', '.join(sorted(settings.IEP_POLICIES))}."
            )
        return names


@admin.register(Application)
class ApplicationAdmin(Admin):
    form = ApplicationForm
    list_display = ("slug", "name", "tenant", "revision", "sign_off")
    list_filter = ("sign_off",)
    search_fields = ("slug", "name")
    list_select_related = ("tenant",)
    autocomplete_fields = ("tenant", "project")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        user = request.user
        assert isinstance(user, User)
        return Application.objects.visible_to(user).select_related("tenant")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("tenant", "slug", "revision", "created_at") if obj else ()


class OfApplications(ReadOnlyAdmin):
    """Rows of the applications that the person may see."""

    list_filter: tuple[str, ...] = ("application",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        user = request.user
        assert isinstance(user, User)
        rows = super().get_queryset(request).select_related("application")
        return rows.filter(application__in=Application.objects.visible_to(user))


@admin.register(Blob)
class BlobAdmin(OfApplications):
    list_display = ("digest", "application", "size", "created_at")
    search_fields = ("digest",)


@admin.register(Release)
class ReleaseAdmin(OfApplications):
    list_display = ("revision", "application", "kind", "stamp", "by", "request", "created_at")
    list_select_related = ("application", "stamp__ticket", "stamp__application", "by")
    list_filter = ("application", "kind")
    search_fields = ("request", "stamp__ticket__key")


class SigningKeyForm(forms.ModelForm):
    """A key is added once and never changed."""

    class Meta:
        model = SigningKey
        fields = ("application", "name", "public_key")
        widgets = {"public_key": UnfoldAdminTextareaWidget(attrs={"rows": 4})}

    public_key = forms.CharField(
        max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 4}),
        help_text="Ed25519, as `openssl pkey -in ci.key -pubout` prints it.",
    )  # fmt: skip


@admin.register(SigningKey)
class SigningKeyAdmin(Admin):
    form = SigningKeyForm
    list_display = ("name", "application", "public_key", "created_by", "created_at", "revoked_at")
    list_filter = ("application",)
    list_select_related = ("application", "created_by")
    search_fields = ("name", "public_key")
    verbs = (
        Verb(
            "revoke",
            "Revoke",
            run=lambda key, by: services.revoke_signing_key(key=key, by=by),
            offered=lambda key, by: key.revoked_at is None,
            about=lambda key: [("Key", str(key)), ("Application", key.application.slug)],
            icon="key_off",
            warning="Nothing that it signed is trusted any more. It cannot be added again.",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        user = request.user
        assert isinstance(user, User)
        visible = Application.objects.visible_to(user)
        return SigningKey.objects.filter(application__in=visible).select_related("application__tenant", "created_by")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: SigningKey, form: Any, change: bool) -> None:
        user = request.user
        assert isinstance(user, User)
        made = services.add_signing_key(application=obj.application, name=obj.name, public_key=obj.public_key, by=user)
        obj.pk = made.pk


@admin.register(SignedManifest)
class SignedManifestAdmin(OfApplications):
    list_display = ("commit", "application", "key", "by", "created_at")
    list_select_related = ("application", "key", "by")
    search_fields = ("commit",)


@admin.register(Judgement)
class JudgementAdmin(ReadOnlyAdmin):
    """What the policies said when a ticket was to go on."""

    list_display = ("stamp", "target", "revision", "request", "by", "created_at")
    list_select_related = ("stamp__application", "stamp__ticket", "by")
    list_filter = ("stamp__application", "target")
    search_fields = ("stamp__ticket__key", "request")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Judgement]:
        user = request.user
        assert isinstance(user, User)
        return Judgement.objects.filter(stamp__application__in=Application.objects.visible_to(user))


def _about(stamp: Stamp) -> list[tuple[str, str]]:
    return [("Ticket", stamp.ticket.key), ("Stage", stamp.stage), ("Files", ", ".join(sorted(stamp.delta)[:20]))]


@admin.register(Stamp)
class StampAdmin(OfApplications):
    list_display = ("ticket", "application", "stage_shown", "revision", "sign_off", "author", "updated_at")
    list_select_related = ("application__tenant", "ticket", "author")
    list_filter = ("application", "stage")
    search_fields = ("ticket__key",)
    verbs = (
        Verb(
            "revert",
            "Revert",
            run=lambda stamp, by, reason="": services.revert_stamp(stamp=stamp, by=by, reason=reason),
            form=ReasonForm,
            offered=lambda stamp, by: stamp.stage in {Stage.QA, Stage.PROD},
            about=_about,
            icon="undo",
            warning="From production this takes effect at once, for everyone.",
        ),
        Verb(
            "close",
            "Close",
            run=lambda stamp, by, reason="": services.close_stamp(stamp=stamp, by=by, reason=reason),
            form=ReasonForm,
            offered=lambda stamp, by: STAMP.find(stamp.stage, "close") is not None,
            about=_about,
            icon="cancel",
        ),
        Verb(
            "reopen",
            "Reopen",
            run=lambda stamp, by: services.reopen_stamp(stamp=stamp, by=by),
            offered=lambda stamp, by: STAMP.find(stamp.stage, "reopen") is not None,
            about=_about,
            icon="restart_alt",
        ),
    )

    @display(description="Stage", label=COLOURS)
    def stage_shown(self, stamp: Stamp) -> str:
        return str(stamp.stage)
