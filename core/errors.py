"""The kinds of refusal every face translates into its own form: code, sentence with a remedy, field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DomainError(Exception):
    """A refusal a person can act on.

    `code` is stable and machine readable, `message` is a sentence that names the remedy, `field` is the dotted path of
    the input at fault (wire spelling) or "", `status` the HTTP status every face derives its own from, `details` further
    JSON-serialisable facts (for example who won a race).
    """

    status = 400
    code = "invalid"
    title = "The request was refused"

    def __init__(
        self, message: str, *, code: str | None = None, field: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.field = field
        self.details = dict(details or {})


class InvalidInput(DomainError):
    """One or more inputs are wrong; `errors` maps the dotted field to its sentences."""

    code = "invalid"
    title = "Some fields need your attention"

    def __init__(self, errors: Mapping[str, list[str]], message: str = "") -> None:
        self.errors = {field: list(messages) for field, messages in errors.items()}
        first_field, first = next(iter(self.errors.items()))
        super().__init__(message or " ".join(first), field=first_field)


class WrongState(DomainError):
    """The thing is not in a state that allows the verb."""

    code = "wrong_state"
    title = "Not possible in this state"


class NotAllowed(DomainError):
    """The person may see the thing but not do this to it."""

    status = 403
    code = "not_allowed"
    title = "Not allowed"


class NotFound(DomainError):
    """The thing does not exist, or not for this person."""

    status = 404
    code = "not_found"
    title = "Not found"


class Conflict(DomainError):
    """Something else happened first; the details tell what."""

    status = 409
    code = "conflict"
    title = "Something changed in the meantime"


class StaleState(Conflict):
    """A compare-and-set found another state than it expected."""

    code = "stale_state"


class Unavailable(DomainError):
    """A part this needs does not answer now; trying again later helps."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"
