"""What callers of the REST face send: bodies and query parameters, exact in type and name."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest import FlagField, ManyField, MomentField, StrictQuery, StrictSerializer, TextField, WordField
from promotions.selectors import Wanted
from promotions.states import State
from promotions.types import Impact, PromotionContent, TargetType
from promotions.validation import MIN_EMERGENCY, MIN_JUSTIFICATION, MIN_REASON

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000
_CURSOR = re.compile(r"[1-9][0-9]{0,17}")


@extend_schema_field({"type": "string", "minLength": MIN_JUSTIFICATION})
class JustificationField(TextField):
    """The service says how long it must be."""


@extend_schema_field({"type": "string", "minLength": MIN_REASON})
class ReasonField(TextField):
    """The service says how long it must be."""


@extend_schema_field({"type": "string", "minLength": MIN_EMERGENCY})
class EmergencyField(TextField):
    """The service says how long it must be."""


@extend_schema_field({"type": "string", "format": "uri"})
class AddressField(TextField):
    """The service says what counts as an address."""


@extend_schema_field({"type": "boolean", "const": True})
class MustBeTrueField(FlagField):
    """The service refuses false, with a reason."""


class TargetForm(StrictSerializer):
    """What is to be promoted."""

    type = WordField(choices=TargetType.choices)
    name = TextField()
    version = TextField()
    sourceEnvironment = TextField(required=False, default="staging")
    targetEnvironment = TextField(required=False, default="prod")


class DetailsForm(StrictSerializer):
    """Why, what changes, how risky it is, and how to take it back."""

    justification = JustificationField(help_text="Why; at least 20 characters.")
    releaseNotes = TextField(help_text="What changes for users, in Markdown.")
    impactAssessment = WordField(choices=Impact.choices)
    rollbackPlan = TextField()
    scheduledDate = MomentField(
        required=False, allow_null=True, default=None, help_text="With its offset from UTC; null: once approved."
    )
    tickets = serializers.ListField(child=TextField(), required=False, default=list, help_text="Keys of its tickets.")


class PreChecksForm(StrictSerializer):
    """What was checked before asking."""

    stagingTestsPassed = MustBeTrueField()
    securityScanPassed = MustBeTrueField()
    performanceTestsPassed = FlagField()
    testEvidenceUrl = AddressField(help_text="http(s) address of the evidence, such as a pipeline.")


class EditPromotionRequest(StrictSerializer):
    """The new content of a pending request, whole."""

    target = TargetForm()
    request = DetailsForm()
    preChecks = PreChecksForm()


class CreatePromotionRequest(EditPromotionRequest):
    """What is asked for."""

    tenant = TextField(required=False, default=None, help_text="Slug; may be left out by people of one tenant.")


class ApproveRequest(StrictSerializer):
    """Say yes, to the content with this digest."""

    comment = TextField(required=False, allow_null=True, default=None)
    digest = TextField(
        required=False,
        allow_null=True,
        default=None,
        help_text="`status.digest` of what was reviewed; approving anything else is refused. `If-Match` says the same.",
    )


class BreakGlass(StrictSerializer):
    """Deploy it now, and say why it cannot wait for an approval."""

    reason = EmergencyField(help_text="At least 20 characters.")
    digest = TextField(
        required=False, allow_null=True, default=None, help_text="As in an approval; `If-Match` says the same."
    )


class ApproveAfterwards(StrictSerializer):
    """Stand by what was deployed without approval."""

    comment = TextField(required=False, allow_null=True, default=None)


class ObjectToRequest(StrictSerializer):
    """It should not have been deployed, and why."""

    reason = ReasonField(help_text="At least 10 characters.")


class RejectRequest(StrictSerializer):
    """Say no, and why."""

    reason = ReasonField(help_text="At least 10 characters.")


class OptionalReason(StrictSerializer):
    """Why, if one wants to say."""

    reason = TextField(required=False, allow_null=True, default=None)


class RollbackReason(StrictSerializer):
    """Why it has to be taken back."""

    reason = ReasonField(help_text="At least 10 characters.")


class CommentForm(StrictSerializer):
    """Something to have on record."""

    comment = TextField()


class Nothing(StrictSerializer):
    """An empty object, or no body at all."""


class StateField(serializers.ChoiceField):
    """One of the states."""

    default_error_messages = {"invalid_choice": f"Choose among: {', '.join(State.values)}."}


class CursorField(serializers.CharField):
    """Where a page begins, as the Link header of the page before says."""

    default_error_messages = {"cursor": "Take the cursor from the Link header of the page before; do not make one."}

    def to_internal_value(self, data: Any) -> int:  # type: ignore[override]
        try:
            text = base64.urlsafe_b64decode(str(data).encode() + b"==").decode()
        except (binascii.Error, UnicodeError):
            self.fail("cursor")
        if not _CURSOR.fullmatch(text):
            self.fail("cursor")
        return int(text)


def cursor_text(position: int) -> str:
    """The position as it stands in a link."""
    return base64.urlsafe_b64encode(str(position).encode()).decode().rstrip("=")


class PageQuery(StrictQuery):
    """Which page, and how long."""

    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=1, max_value=MAX_LIMIT, help_text="Requests a page, at most."
    )
    cursor = CursorField(required=False, default=None, help_text="From the Link header of the page before.")


class ListQuery(PageQuery):
    """Which requests, and which page of them; several values of one parameter mean any of them."""

    state = ManyField(child=StateField(choices=State.choices), required=False, default=list)
    tenant = ManyField(child=serializers.CharField(), required=False, default=list, help_text="Slugs.")
    createdBy = serializers.CharField(required=False, default="", help_text="The requester's e-mail address.")
    q = serializers.CharField(
        required=False,
        default="",
        max_length=500,
        help_text='Words in id, name, version, justification and release notes; "…" for phrases, - for not, or.',
    )


class LogQuery(StrictQuery):
    """From which character on."""

    offset = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 2)


def content_from(form: Mapping[str, Any]) -> PromotionContent:
    """The content that a create or edit body describes."""
    target, details, checks = form["target"], form["request"], form["preChecks"]
    return PromotionContent(
        target_type=target["type"],
        target_name=target["name"],
        version=target["version"],
        source_environment=target["sourceEnvironment"],
        target_environment=target["targetEnvironment"],
        justification=details["justification"],
        release_notes=details["releaseNotes"],
        impact=details["impactAssessment"],
        rollback_plan=details["rollbackPlan"],
        scheduled_at=details["scheduledDate"],
        tickets=tuple(details["tickets"]),
        staging_tests_passed=checks["stagingTestsPassed"],
        security_scan_passed=checks["securityScanPassed"],
        performance_tests_passed=checks["performanceTestsPassed"],
        test_evidence_url=checks["testEvidenceUrl"],
    )


def wanted_from(query: Mapping[str, Any]) -> Wanted:
    """What the query parameters narrow a list to."""
    return Wanted(
        states=query.get("state", ()),
        tenants=query.get("tenant", ()),
        author=query.get("createdBy", ""),
        text=query.get("q", "").strip(),
    )
