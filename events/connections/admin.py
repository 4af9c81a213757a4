"""Admin pages of connections to Jira and GitHub."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminURLInputWidget

from core.admin import Admin, Verb
from events.connections.services import check_connection, save_connection
from events.models import Connection


class ConnectionForm(forms.ModelForm):
    """A connection; its secret is written and never shown."""

    url = forms.URLField(
        label="Address", max_length=500, assume_scheme="https", widget=UnfoldAdminURLInputWidget,
        help_text="Jira: its site, such as https://acme.atlassian.net. GitHub: its API, https://api.github.com.",
    )  # fmt: skip
    new_secret = forms.CharField(
        label="Token", required=False, max_length=1000, widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
        help_text="Kept encrypted and never shown. Empty: the present one stays.",
    )  # fmt: skip

    class Meta:
        model = Connection
        fields = ("tenant", "kind", "name", "url", "user", "source", "places", "shared", "deployments", "active")


@admin.register(Connection)
class ConnectionAdmin(Admin):
    """Jira and GitHub of a tenant: where they are, and the account we act as there."""

    form = ConnectionForm
    list_display = ("name", "kind", "tenant", "url", "account", "active")
    list_filter = ("kind", "active", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "url")
    autocomplete_fields = ("tenant", "source")
    fields = (
        "tenant",
        "kind",
        "name",
        "url",
        "user",
        "new_secret",
        "source",
        "places",
        "shared",
        "deployments",
        "active",
        "account",
    )
    readonly_fields = ("account",)
    verbs = (
        Verb(
            "check", "Check", lambda connection, by: check_connection(connection=connection, by=by), "network_check",
            permission="events.change_connection",
            about=lambda connection: [("Asks", f"{connection.url} who we are there")],
        ),
    )  # fmt: skip

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_connection(connection=obj, by=request.user, secret=form.cleaned_data["new_secret"])  # type: ignore[arg-type]
