"""Admin pages of people, tenants, memberships, API tokens and second factors."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant
from unfold.forms import AdminPasswordChangeForm
from unfold.forms import UserChangeForm as UnfoldUserChangeForm
from unfold.forms import UserCreationForm as UnfoldUserCreationForm

from accounts.models import ApiToken, Membership, Tenant, User
from accounts.permissions import check_can_grant
from accounts.roles import Role
from accounts.services import grant_role, revoke_token, withdraw_role
from core.admin import Admin, ReadOnlyAdmin, Verb


class UserCreationForm(UnfoldUserCreationForm):
    class Meta:
        model = User
        fields = ("email", "name")


class UserChangeForm(UnfoldUserChangeForm):
    class Meta:
        model = User
        fields = ("email", "name", "time_zone", "is_active")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, Admin):
    """People. Rights come from memberships; nobody is deleted, because history keeps its names."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "name", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_staff", "is_superuser")
    search_fields = ("email", "name")
    ordering = ("email",)
    filter_horizontal = ("user_permissions",)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("email", "password", "name", "time_zone", "is_active", "last_login", "date_joined")}),
        ("Admin", {"fields": ("is_staff", "is_superuser", "user_permissions")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only superusers say who else enters the admin."""
        powers = () if request.user.is_superuser else ("is_staff", "is_superuser", "user_permissions")
        return (*self.readonly_fields, *powers)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and obj.is_superuser and not request.user.is_superuser:
            return False
        return super().has_change_permission(request, obj)


@admin.register(Tenant)
class TenantAdmin(Admin):
    """Tenants; their slug stays, because addresses, files and facts contain it."""

    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    readonly_fields = ("created_at",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "slug") if obj else self.readonly_fields


@admin.register(Membership)
class MembershipAdmin(Admin):
    """Who holds which role where; granting and withdrawing go through the services, so that rights follow."""

    list_display = ("user", "tenant", "role", "created_at")
    list_filter = ("role", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__email", "user__name", "tenant__slug")
    autocomplete_fields = ("user", "tenant")
    actions = ("withdraw",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("accounts.delete_membership"))

    def get_actions(self, request: HttpRequest) -> Any:
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def save_model(self, request: HttpRequest, obj: Membership, form: ModelForm[Membership], change: bool) -> None:
        role = Role(obj.role)
        check_can_grant(_person(request), obj.user, role)
        obj.pk = grant_role(user=obj.user, tenant=obj.tenant, role=role).pk

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        role = Role(obj.role)
        check_can_grant(_person(request), obj.user, role)
        withdraw_role(user=obj.user, tenant=obj.tenant, role=role)

    @admin.action(description="Withdraw the selected roles", permissions=["delete"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Membership]) -> None:
        for membership in queryset.select_related("user", "tenant"):
            self.delete_model(request, membership)
            self.log_deletions(request, [membership])
        messages.success(request, "Withdrawn; the rights have ended.")


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """API tokens, by name and first characters; people issue them on their profile, staff may revoke them."""

    list_display = ("name", "hint", "user", "state", "created_at", "expires_at", "last_used_at")
    list_filter = (("user", AutocompleteSelectFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "hint", "user__email")
    fields = ("name", "hint", "user", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    actions = ("revoke_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        return super().get_queryset(request).defer("digest")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("accounts.change_apitoken"))

    @display(description="State", label={"usable": "success", "revoked": "danger"})
    def state(self, token: ApiToken) -> str:
        return "revoked" if token.revoked_at else "usable"

    @admin.action(description="Revoke the selected tokens at once", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset:
            revoke_token(token=token)
            self.log_change(request, token, "Revoked")
        messages.success(request, "Revoked; they no longer open any door.")

    verbs = (
        Verb(
            "revoke",
            "Revoke",
            run=lambda token, by: revoke_token(token=token),
            icon="key_off",
            offered=lambda token, by: token.revoked_at is None,
            permission="accounts.change_apitoken",
            about=lambda token: [("Token", str(token)), ("Of", str(token.user)), ("May", ", ".join(token.scopes))],
            warning="Whatever uses this token stops working at once. It cannot be taken back.",
            variant=ActionVariant.DANGER,
        ),
    )


@admin.register(Authenticator)
class SecondFactorAdmin(ReadOnlyAdmin):
    """Second factors, without their secrets; removing one lets a person in who lost it."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_filter = ("type",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("mfa.delete_authenticator"))


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
