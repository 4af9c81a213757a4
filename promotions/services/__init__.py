"""The verbs on promotion requests and their deployments."""

from promotions.services.break_glass import approve_afterwards, break_glass, object_to_request, remind_reviewers
from promotions.services.decisions import approve_request, reject_request
from promotions.services.deployments import (
    begin_deployment,
    cancel_deployment,
    deployment_failed,
    deployment_started,
    deployment_succeeded,
    release_scheduled_request,
    retry_deployment,
)
from promotions.services.operators import force_request_state
from promotions.services.reminders import remind_approvers
from promotions.services.requests import (
    comment_on_request,
    create_request,
    edit_request,
    expire_request,
    roll_back_request,
    withdraw_request,
)

__all__ = [
    "approve_afterwards",
    "approve_request",
    "begin_deployment",
    "break_glass",
    "cancel_deployment",
    "comment_on_request",
    "create_request",
    "deployment_failed",
    "deployment_started",
    "deployment_succeeded",
    "edit_request",
    "expire_request",
    "force_request_state",
    "object_to_request",
    "reject_request",
    "release_scheduled_request",
    "remind_approvers",
    "remind_reviewers",
    "retry_deployment",
    "roll_back_request",
    "withdraw_request",
]
