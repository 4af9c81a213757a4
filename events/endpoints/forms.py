"""What is typed about a webhook endpoint; the rules are in the services."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import tenants_where
from core.forms import DomainForm
from events.models import Severity, WebhookEndpoint
from events.notifiers.envelope import FORMS

FIELDS = ("tenant", "name", "url", "patterns", "project", "service", "severity", "form")
LABELS = {
    "plain": "Plain JSON", "cloudevents": "CloudEvents 1.0", "cdevents": "CDEvents 0.5.1",
    "cdevents-custom": "CDEvents 0.5.1, our own types for each state too", "cdevents-draft": "CDEvents 0.6 draft",
    "cdevents-all": "CDEvents 0.6 draft, our own types too", "cdevents-legacy": "CDEvents 0.4.1",
}  # fmt: skip


class EndpointForm(DomainForm):
    """Where it is, what it hears of, and in which form."""

    names: ClassVar[dict[str, str]] = {name: name for name in FIELDS}
    tenant = forms.ChoiceField()
    name = forms.CharField(max_length=100, help_text="What listens there, such as “release pipeline”.")
    url = forms.CharField(label="Address", max_length=500, widget=forms.URLInput, help_text="https://…")
    patterns = forms.CharField(
        label="Hears of", initial="promotion.* deployment.*", help_text="Types of facts, such as deployment.failed."
    )
    project = forms.CharField(label="Only project", max_length=80)
    service = forms.CharField(label="Only service", max_length=200)
    severity = forms.TypedChoiceField(label="From severity", choices=Severity.choices, coerce=int)
    form = forms.ChoiceField(label="Envelope", choices=[(form, LABELS[form]) for form in FORMS])

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenants = {tenant.slug: tenant for tenant in tenants_where(user, Capability.DECIDE_PROMOTION)[:200]}
        self.fields["tenant"].choices = [(slug, slug) for slug in self.tenants]  # type: ignore[attr-defined]

    @property
    def content(self) -> dict[str, Any]:
        """As the services take it."""
        typed = self.cleaned_data
        content = {name: typed.get(name) or "" for name in ("name", "url", "project", "service")}
        patterns = typed.get("patterns", "").replace(",", " ").split()
        return content | {
            "patterns": patterns,
            "severity": typed.get("severity") or 0,
            "form": typed.get("form") or "plain",
        }


def initial_of(endpoint: WebhookEndpoint) -> dict[str, Any]:
    """The form filled with what is."""
    content = {name: getattr(endpoint, name) for name in FIELDS}
    return content | {"tenant": endpoint.tenant.slug, "patterns": " ".join(endpoint.patterns)}
