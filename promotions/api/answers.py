"""What the REST face answers, for its description; the documents themselves are made in promotions/wire.py."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.canonical import utc_text
from promotions.models import Deployment
from promotions.states import DeploymentState, Review, State
from promotions.types import Impact, TargetType
from promotions.wire import API_VERSION, KIND

Answer = serializers.Serializer[Any]


class Metadata(Answer):
    """Which request, whose, since when."""

    id = serializers.RegexField(r"^PR-\d{4}-\d{4,}$")
    createdAt = serializers.DateTimeField()
    createdBy = serializers.EmailField()
    tenant = serializers.CharField()


class Target(Answer):
    """What is promoted."""

    type = serializers.ChoiceField(TargetType.choices)
    name = serializers.CharField()
    version = serializers.CharField()
    sourceEnvironment = serializers.CharField()
    targetEnvironment = serializers.CharField()


class Details(Answer):
    """Why and how."""

    justification = serializers.CharField()
    releaseNotes = serializers.CharField()
    impactAssessment = serializers.ChoiceField(Impact.choices)
    rollbackPlan = serializers.CharField()
    scheduledDate = serializers.DateTimeField(allow_null=True)
    tickets = serializers.ListField(child=serializers.CharField(), required=False)
    rollbackOf = serializers.CharField(required=False, help_text="The request that this one takes back.")


class PreChecks(Answer):
    """What was checked before."""

    stagingTestsPassed = serializers.BooleanField()
    securityScanPassed = serializers.BooleanField()
    performanceTestsPassed = serializers.BooleanField()
    testEvidenceUrl = serializers.URLField()


class Spec(Answer):
    """What was asked for; `status.digest` is its fingerprint."""

    target = Target()
    request = Details()
    preChecks = PreChecks()


class HistoryEntry(Answer):
    """Who did what, when."""

    action = serializers.CharField()
    at = serializers.DateTimeField()
    by = serializers.CharField(help_text="An e-mail address, or system.")
    comment = serializers.CharField(required=False)
    jobId = serializers.CharField(required=False)
    deploymentId = serializers.CharField(required=False)
    error = serializers.CharField(required=False)


class BrokenGlass(Answer):
    """Who deployed it before anyone approved it, and what became of the review that this calls for."""

    by = serializers.EmailField()
    at = serializers.DateTimeField()
    reason = serializers.CharField()
    reviewDueAt = serializers.DateTimeField()
    review = serializers.ChoiceField([choice for choice in Review.choices if choice[0] != Review.NONE])
    objectedBy = serializers.EmailField(allow_null=True)
    objectedAt = serializers.DateTimeField(allow_null=True)
    objection = serializers.CharField(allow_null=True)


class Status(Answer):
    """Where it stands, and how it came there."""

    state = serializers.ChoiceField(State.choices)
    history = HistoryEntry(many=True)
    approvedBy = serializers.EmailField(allow_null=True)
    approvedAt = serializers.DateTimeField(allow_null=True)
    deployedAt = serializers.DateTimeField(allow_null=True)
    rejectedBy = serializers.EmailField(allow_null=True)
    rejectedAt = serializers.DateTimeField(allow_null=True)
    rejectionReason = serializers.CharField(allow_null=True)
    digest = serializers.CharField()
    breakGlass = BrokenGlass(required=False, help_text="Only where the glass was broken.")


@extend_schema_serializer(component_name="PromotionRequest")
class PromotionRequestDocument(Answer):
    """A promotion request."""

    apiVersion = serializers.ChoiceField([API_VERSION])
    kind = serializers.ChoiceField([KIND])
    metadata = Metadata()
    spec = Spec()
    status = Status()


@extend_schema_serializer(component_name="Stats")
class StatsDocument(Answer):
    """Counts over exactly the requests that you may list; days and weeks (from Monday) are those of UTC."""

    pending = serializers.IntegerField()
    approvedToday = serializers.IntegerField()
    rejectedToday = serializers.IntegerField()
    deployedThisWeek = serializers.IntegerField()


@extend_schema_serializer(component_name="Deployment")
class DeploymentDocument(Answer):
    """One attempt to deploy a request."""

    attempt = serializers.IntegerField()
    deploymentId = serializers.CharField()
    state = serializers.ChoiceField(DeploymentState.choices)
    deployer = serializers.CharField()
    jobId = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    note = serializers.CharField(allow_null=True, help_text="What it waits for, if it waits.")
    createdAt = serializers.DateTimeField()
    startedAt = serializers.DateTimeField(allow_null=True)
    finishedAt = serializers.DateTimeField(allow_null=True)
    cancelRequestedAt = serializers.DateTimeField(allow_null=True)
    logLength = serializers.IntegerField(help_text="Characters of output kept so far.")


class LogPiece(Answer):
    """A piece of a deployment's output; ask again from `nextOffset` until `complete`."""

    offset = serializers.IntegerField()
    nextOffset = serializers.IntegerField()
    text = serializers.CharField()
    complete = serializers.BooleanField(help_text="The attempt has ended and nothing follows.")


def render_deployment(deployment: Deployment) -> dict[str, Any]:
    """An attempt as the REST face shows it: without its options, which may hold secrets."""
    times = {
        "createdAt": deployment.created_at,
        "startedAt": deployment.started_at,
        "finishedAt": deployment.finished_at,
        "cancelRequestedAt": deployment.cancel_requested_at,
    }
    return {
        "attempt": deployment.attempt,
        "deploymentId": deployment.deployment_id,
        "state": deployment.state,
        "deployer": deployment.deployer,
        "jobId": deployment.job_id or None,
        "error": deployment.error or None,
        "note": deployment.note or None,
        **{name: utc_text(moment) if moment else None for name, moment in times.items()},
        "logLength": deployment.log_length,  # type: ignore[attr-defined]
    }
