"""Refusals in gRPC's terms, which Tracker's REST answers use too."""

from __future__ import annotations

from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError

from core.errors import DomainError, InvalidInput, Unavailable

log = structlog.get_logger(__name__)

INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, RESOURCE_EXHAUSTED = 3, 5, 6, 7, 8
FAILED_PRECONDITION, ABORTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 9, 10, 12, 13, 14, 16

_CODES = {
    400: INVALID_ARGUMENT,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: NOT_FOUND,
    405: UNIMPLEMENTED,
    409: ABORTED,
    413: RESOURCE_EXHAUSTED,
    429: RESOURCE_EXHAUSTED,
    503: UNAVAILABLE,
}


class TooLarge(DomainError):
    """The body or the batch is larger than is taken at once."""

    status = 413
    code = "too_large"
    title = "Too large"


def code_of(error: DomainError) -> int:
    """gRPC's code for a refusal."""
    return ALREADY_EXISTS if error.code == "already_locked" else _CODES.get(error.status, INVALID_ARGUMENT)


def details_of(error: DomainError) -> list[dict[str, Any]]:
    """What machines may want to know besides, in the form of Google's error details."""
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code,
            "domain": "stagepass",
            "metadata": {name: str(value) for name, value in error.details.items()},
        }
    ]
    if isinstance(error, InvalidInput):
        violations = [
            {"field": field, "description": sentence}
            for field, sentences in error.errors.items()
            for sentence in sentences
        ]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    return details


def as_domain_error(error: Exception) -> DomainError | None:
    """What a caller can act on; None for a fault of ours."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, RequestDataTooBig):
        return TooLarge("The body is too large. Send at most 2 MiB, or several batches.")
    if isinstance(error, OperationalError | InterfaceError):
        log.warning("database.unavailable", error=str(error))
        return Unavailable("The database does not answer. Try again in a few seconds.")
    return None
