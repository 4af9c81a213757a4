"""How states, impacts and steps look: word, tone and icon, in one table each."""

from __future__ import annotations

from core.looks import Look
from promotions.states import Review, State
from promotions.types import Impact, TargetType

STATES: dict[str, Look] = {
    State.PENDING: Look("Pending", "amber", "clock"),
    State.APPROVED: Look("Approved", "blue", "check"),
    State.SCHEDULED: Look("Scheduled", "blue", "calendar-days"),
    State.DEPLOYING: Look("Deploying", "blue", "rocket", live=True),
    State.DEPLOYED: Look("Deployed", "green", "circle-check"),
    State.FAILED: Look("Failed", "red", "circle-x"),
    State.REJECTED: Look("Rejected", "red", "x"),
    State.WITHDRAWN: Look("Withdrawn", "grey", "undo-2"),
    State.EXPIRED: Look("Expired", "grey", "clock"),
    State.ROLLED_BACK: Look("Rolled back", "violet", "undo-2"),
}

IMPACTS: dict[str, Look] = {
    Impact.LOW: Look("Low impact", "grey"),
    Impact.MEDIUM: Look("Medium impact", "blue"),
    Impact.HIGH: Look("High impact", "amber"),
    Impact.CRITICAL: Look("Critical impact", "red"),
}

# What is said beside the state of a request whose glass was broken.
GLASS: dict[str, Look] = {
    Review.OWED: Look("Glass broken, review owed", "red"),
    Review.APPROVED: Look("Glass broken, approved afterwards", "grey"),
    Review.OBJECTED: Look("Glass broken, objected", "red"),
}

STEPS: dict[str, Look] = {
    "promotion.created": Look("Requested", "grey", "plus"),
    "promotion.edited": Look("Edited", "grey", "pencil"),
    "promotion.commented": Look("Comment", "grey", "message-square"),
    "promotion.approved": Look("Approved", "green", "check"),
    "promotion.glass_broken": Look("Glass broken: deploys before any approval", "red", "triangle-alert"),
    "promotion.approved_afterwards": Look("Approved afterwards", "green", "check"),
    "promotion.objected": Look("Objected", "red", "x"),
    "promotion.review_reminded": Look("Overdue review called in", "amber", "bell"),
    "promotion.review_escalated": Look("Overdue review escalated to the CPI admins", "red", "bell"),
    "promotion.reminded": Look("Approvers reminded", "grey", "bell"),
    "promotion.escalated": Look("Escalated to the CPI admins", "amber", "bell"),
    "promotion.forced": Look("State forced by an operator", "amber", "settings"),
    "promotion.rejected": Look("Rejected", "red", "x"),
    "promotion.withdrawn": Look("Withdrawn", "grey", "undo-2"),
    "promotion.expired": Look("Expired", "grey", "clock"),
    "promotion.due": Look("Due", "blue", "calendar-days"),
    "promotion.rolled_back": Look("Rolled back", "violet", "undo-2"),
    "deployment.started": Look("Deployment started", "blue", "rocket"),
    "deployment.succeeded": Look("Deployed", "green", "check"),
    "deployment.failed": Look("Deployment failed", "red", "x"),
    "deployment.retried": Look("Retried", "blue", "rotate-cw"),
    "deployment.cancel_requested": Look("Stop requested", "amber", "ban"),
}

TARGETS = {TargetType.API: "API", TargetType.APPLICATION: "Application", TargetType.POLICY: "Policy"}

FIELDS = {
    "target.type": "target type",
    "target.name": "target",
    "target.version": "version",
    "request.justification": "justification",
    "request.releaseNotes": "release notes",
    "request.impactAssessment": "impact",
    "request.rollbackPlan": "rollback plan",
    "request.scheduledDate": "date",
    "request.tickets": "tickets",
    "preChecks.stagingTestsPassed": "staging tests",
    "preChecks.securityScanPassed": "security scan",
    "preChecks.performanceTestsPassed": "performance tests",
    "preChecks.testEvidenceUrl": "test evidence",
}
