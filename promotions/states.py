"""The life of a promotion request and of a deployment: every permitted step and the fact it leaves."""

from __future__ import annotations

from django.db import models

from core.transitions import Edge, TransitionTable


class State(models.TextChoices):
    """States of a promotion request; the first six are the documented ones."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    FAILED = "failed"
    SCHEDULED = "scheduled"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    ROLLED_BACK = "rolled_back"


# At most one request of a target may be in one of these at a time.
ACTIVE = (State.PENDING, State.SCHEDULED, State.APPROVED, State.DEPLOYING)

# Where an operator may force a request to; the other states come about only by a decision or by the machinery.
FORCEABLE = (State.PENDING, State.WITHDRAWN, State.EXPIRED, State.FAILED, State.DEPLOYED, State.ROLLED_BACK)
# What cannot be without an approval of the very content, or the glass broken for it; the database holds it too.
NEEDS_APPROVAL = (
    State.SCHEDULED, State.APPROVED, State.DEPLOYING, State.DEPLOYED, State.FAILED, State.ROLLED_BACK,
)  # fmt: skip

PROMOTION = TransitionTable(
    "promotion request",
    [
        Edge(State.PENDING, "edit", State.PENDING, "promotion.edited"),
        Edge(State.PENDING, "approve", State.APPROVED, "promotion.approved"),
        Edge(State.PENDING, "approve_for_later", State.SCHEDULED, "promotion.approved"),
        Edge(State.PENDING, "break_glass", State.APPROVED, "promotion.glass_broken"),
        Edge(State.PENDING, "reject", State.REJECTED, "promotion.rejected"),
        Edge(State.PENDING, "withdraw", State.WITHDRAWN, "promotion.withdrawn"),
        Edge(State.PENDING, "expire", State.EXPIRED, "promotion.expired"),
        Edge(State.SCHEDULED, "reject", State.REJECTED, "promotion.rejected"),
        Edge(State.SCHEDULED, "withdraw", State.WITHDRAWN, "promotion.withdrawn"),
        Edge(State.SCHEDULED, "release", State.APPROVED, "promotion.due"),
        Edge(State.APPROVED, "start", State.DEPLOYING, "deployment.started"),
        Edge(State.APPROVED, "fail", State.FAILED, "deployment.failed"),
        Edge(State.DEPLOYING, "succeed", State.DEPLOYED, "deployment.succeeded"),
        Edge(State.DEPLOYING, "fail", State.FAILED, "deployment.failed"),
        Edge(State.FAILED, "retry", State.APPROVED, "deployment.retried"),
        Edge(State.DEPLOYED, "supersede_by_rollback", State.ROLLED_BACK, "promotion.rolled_back"),
    ],
)


class Review(models.TextChoices):
    """How far someone else has looked at a request whose glass was broken; none for all others."""

    NONE = "none"
    OWED = "owed"
    APPROVED = "approved"
    OBJECTED = "objected"


REVIEW = TransitionTable(
    "review after breaking the glass",
    [
        Edge(Review.OWED, "approve_afterwards", Review.APPROVED, "promotion.approved_afterwards"),
        Edge(Review.OWED, "object", Review.OBJECTED, "promotion.objected"),
    ],
)


class DeploymentState(models.TextChoices):
    """States of one deployment attempt."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


DEPLOYMENT_ACTIVE = (DeploymentState.QUEUED, DeploymentState.LAUNCHING, DeploymentState.RUNNING)
