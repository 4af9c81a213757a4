"""What people type into the pages of promotion requests; the rules themselves live in promotions/validation.py."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core import forms as core_forms
from core.forms import plain_lines
from promotions.models import PromotionRequest
from promotions.pages.looks import TARGETS
from promotions.types import Impact, PromotionContent
from promotions.validation import MIN_EMERGENCY, MIN_JUSTIFICATION

# Fields as the domain names them, and as the form does.
FORM_FIELDS = {
    "tenant": "tenant",
    "target.type": "target_type",
    "target.name": "target_name",
    "target.version": "version",
    "request.justification": "justification",
    "request.releaseNotes": "release_notes",
    "request.impactAssessment": "impact",
    "request.rollbackPlan": "rollback_plan",
    "request.scheduledDate": "scheduled_at",
    "request.tickets": "tickets",
    "preChecks.stagingTestsPassed": "staging_tests_passed",
    "preChecks.securityScanPassed": "security_scan_passed",
    "preChecks.performanceTestsPassed": "performance_tests_passed",
    "preChecks.testEvidenceUrl": "test_evidence_url",
    "comment": "comment",
    "reason": "reason",
}
IMPACT_WORDS = {
    Impact.LOW: "Low: few notice, easy to take back",
    Impact.MEDIUM: "Medium: some users notice",
    Impact.HIGH: "High: most users, or hard to take back",
    Impact.CRITICAL: "Critical: money, safety or data",
}


class DomainForm(core_forms.DomainForm):
    """A form about promotion requests."""

    names = FORM_FIELDS


class PromotionForm(DomainForm):
    """Everything a requester fills in."""

    tenant = forms.ModelChoiceField(Tenant.objects.none(), to_field_name="slug", empty_label=None)
    target_type = forms.ChoiceField(
        label="Type", choices=[(kind.value, word) for kind, word in TARGETS.items()], widget=forms.RadioSelect
    )
    target_name = forms.CharField(
        label="Name",
        strip=True,
        widget=forms.TextInput(attrs={"list": "known-names", "autocomplete": "off", "spellcheck": "false"}),
    )
    version = forms.CharField(
        label="Version",
        strip=True,
        widget=forms.TextInput(
            attrs={"list": "known-versions", "autocomplete": "off", "spellcheck": "false", "class": "input mono"}
        ),
    )
    justification = forms.CharField(
        label="Justification", strip=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"Why production needs this now, in at least {MIN_JUSTIFICATION} characters.",
    )  # fmt: skip
    release_notes = forms.CharField(
        label="Release notes", strip=False, widget=forms.Textarea(attrs={"rows": 7, "class": "textarea textarea--tall"}),
        help_text="What changes for users. Markdown is welcome.",
    )  # fmt: skip
    tickets = forms.CharField(label="Tickets", help_text="Keys such as TICKET-001, separated by commas or spaces.")
    impact = forms.ChoiceField(
        label="Impact",
        choices=[(value.value, words) for value, words in IMPACT_WORDS.items()],
        widget=forms.RadioSelect,
    )
    rollback_plan = forms.CharField(
        label="Rollback plan", strip=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How to take it back if it goes wrong.",
    )  # fmt: skip
    scheduled_at = forms.DateTimeField(
        label="Deploy on",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        error_messages={"invalid": "Write the date and time as 2026-01-31 09:30."},
    )
    staging_tests_passed = forms.BooleanField(label="Staging tests passed", help_text="Required.")
    security_scan_passed = forms.BooleanField(label="Security scan passed", help_text="Required.")
    performance_tests_passed = forms.BooleanField(
        label="Performance tests passed", help_text="Approvers see a warning without it."
    )
    test_evidence_url = forms.CharField(
        label="Test evidence", widget=forms.URLInput(attrs={"placeholder": "https://ci.example.com/pipeline/12345"}),
        help_text="The address of the pipeline or report.",
    )  # fmt: skip
    # Whose draft this is: a draft that outlived its session is given back to the same person only.
    drafted_by = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = tenants_where(user, Capability.REQUEST_PROMOTION).order_by("slug")
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]
        self.choices = list(tenants[:300])
        choices = [(tenant.slug, f"{tenant.name} ({tenant.slug})") for tenant in self.choices]
        self.fields["tenant"].widget.choices = choices
        self.fields[
            "scheduled_at"
        ].help_text = f"Empty means as soon as approved. Time zone: {timezone.get_current_timezone_name()}."
        self.initial.setdefault("drafted_by", str(user.public_id))
        if "tenant" not in self.initial and (home := home_tenant(user, self.choices)):
            self.initial["tenant"] = home.slug

    @property
    def is_for_one_tenant(self) -> bool:
        return len(self.choices) == 1

    def content(self) -> PromotionContent:
        """What was typed, as the domain takes it; what could not be parsed is empty here and a fault in the form."""
        typed = self.cleaned_data
        return PromotionContent(
            target_type=typed.get("target_type", ""),
            target_name=typed.get("target_name", ""),
            version=typed.get("version", ""),
            justification=plain_lines(typed.get("justification", "")),
            release_notes=plain_lines(typed.get("release_notes", "")),
            impact=typed.get("impact", ""),
            rollback_plan=plain_lines(typed.get("rollback_plan", "")),
            scheduled_at=typed.get("scheduled_at"),
            staging_tests_passed=typed.get("staging_tests_passed", False),
            security_scan_passed=typed.get("security_scan_passed", False),
            performance_tests_passed=typed.get("performance_tests_passed", False),
            test_evidence_url=typed.get("test_evidence_url", ""),
            tickets=tuple(typed.get("tickets", "").replace(",", " ").split()),
        )


def initial_of(promotion: PromotionRequest) -> dict[str, Any]:
    """What the form shows of a request that is to be edited."""
    return {
        **{name: getattr(promotion, name) for name in PromotionForm.base_fields if hasattr(promotion, name)},
        "tenant": promotion.tenant.slug,
        "tickets": ", ".join(promotion.tickets),
    }


class ApproveForm(DomainForm):
    """Yes, to exactly the content with this digest."""

    comment = forms.CharField(label="Comment", widget=forms.Textarea(attrs={"rows": 2}))
    digest = forms.CharField(widget=forms.HiddenInput)


class BreakGlassForm(DomainForm):
    """Now, and why it cannot wait."""

    reason = forms.CharField(
        label="Why it cannot wait", widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"At least {MIN_EMERGENCY} characters. Everyone who may decide reads this.",
    )  # fmt: skip
    digest = forms.CharField(widget=forms.HiddenInput)


class RejectForm(DomainForm):
    """No, and why."""

    reason = forms.CharField(
        label="Reason", widget=forms.Textarea(attrs={"rows": 3}),
        help_text="At least 10 characters. The requester reads this.",
    )  # fmt: skip


class ReasonForm(DomainForm):
    """Why something is taken back or stopped."""

    reason = forms.CharField(label="Reason", widget=forms.Textarea(attrs={"rows": 2}))


class ApproveAfterwardsForm(DomainForm):
    """Yes, to what was deployed already."""

    comment = forms.CharField(label="Comment", widget=forms.Textarea(attrs={"rows": 2}))


class CommentForm(DomainForm):
    """Something to say on the record."""

    comment = forms.CharField(
        label="Comment", widget=forms.Textarea(attrs={"rows": 2, "placeholder": "Say something on the record …"})
    )


class RetryForm(DomainForm):
    """Nothing to fill in."""
