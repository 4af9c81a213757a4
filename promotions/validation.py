"""What a promotion request must say, with a sentence for each fault; fields are named as on the wire."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from core.clock import now
from core.errors import InvalidInput
from promotions.types import Impact, PromotionContent, TargetType

MIN_JUSTIFICATION = 20
MIN_REASON = 10
MIN_EMERGENCY = 20
MAX_TEXT = 20_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# C0 controls other than tab, line feed and carriage return, which no text of ours needs and YAML and logs choke on.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class Complaints:
    """Collects every fault before one error tells of all."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, field: str, sentence: str) -> None:
        self.errors.setdefault(field, []).append(sentence)

    def unless(self, fine: bool, field: str, sentence: str) -> None:
        if not fine:
            self.add(field, sentence)

    def check_text(self, field: str, text: str) -> None:
        self.unless(len(text) <= MAX_TEXT, field, f"At most {MAX_TEXT} characters; this has {len(text)}.")
        self.unless(not _CONTROL.search(text), field, "Remove the control characters; they cannot be shown.")

    def raise_if_any(self) -> None:
        if self.errors:
            raise InvalidInput(self.errors)


def validate_content(content: PromotionContent, *, stated: bool = True) -> None:
    """InvalidInput with every fault at once, or nothing; the pre-checks must be `stated` as passed by a person who asks."""
    complaints = Complaints()
    _check_target(content, complaints)
    _check_details(content, complaints)
    _check_evidence(content, complaints, stated)
    complaints.raise_if_any()


def _check_target(content: PromotionContent, complaints: Complaints) -> None:
    types = TargetType.values
    complaints.unless(content.target_type in types, "target.type", f"Choose one of: {', '.join(types)}.")
    complaints.unless(
        bool(_NAME.fullmatch(content.target_name)),
        "target.name",
        "Use letters, digits, dot, dash, underscore and slash, at most 200 characters.",
    )
    complaints.unless(
        bool(_VERSION.fullmatch(content.version)),
        "target.version",
        "Use letters, digits, dot, dash, plus and underscore, such as 2.1.0.",
    )
    for field, value, wanted in (
        ("target.sourceEnvironment", content.source_environment, "staging"),
        ("target.targetEnvironment", content.target_environment, "prod"),
    ):
        complaints.unless(value == wanted, field, f"Requests lead from staging to prod: leave it out or say {wanted}.")


def _check_details(content: PromotionContent, complaints: Complaints) -> None:
    why, impacts = content.justification.strip(), Impact.values
    complaints.unless(
        len(why) >= MIN_JUSTIFICATION,
        "request.justification",
        f"Say why in at least {MIN_JUSTIFICATION} characters; this has {len(why)}.",
    )
    complaints.unless(
        bool(content.release_notes.strip()), "request.releaseNotes", "Say what changes for users; Markdown is welcome."
    )
    complaints.unless(content.impact in impacts, "request.impactAssessment", f"Choose one of: {', '.join(impacts)}.")
    complaints.unless(
        bool(content.rollback_plan.strip()), "request.rollbackPlan", "Say how to take it back if it goes wrong."
    )
    complaints.unless(
        content.scheduled_at is None or content.scheduled_at > now(),
        "request.scheduledDate",
        "Choose a time in the future, or leave it empty for as soon as approved.",
    )
    complaints.check_text("request.justification", content.justification)
    complaints.check_text("request.releaseNotes", content.release_notes)
    complaints.check_text("request.rollbackPlan", content.rollback_plan)
    for ticket in content.tickets:
        complaints.unless(
            bool(_TICKET.fullmatch(ticket)), "request.tickets", f"{ticket[:40]!r} is not a ticket key like TICKET-001."
        )


def _check_evidence(content: PromotionContent, complaints: Complaints, stated: bool) -> None:
    complaints.unless(
        content.staging_tests_passed or not stated,
        "preChecks.stagingTestsPassed",
        "The staging tests must have passed before asking for production.",
    )
    complaints.unless(
        content.security_scan_passed or not stated,
        "preChecks.securityScanPassed",
        "The security scan must have passed before asking for production.",
    )
    complaints.unless(
        _is_web_address(content.test_evidence_url),
        "preChecks.testEvidenceUrl",
        "Give the http(s) address of the test evidence, such as a pipeline.",
    )


def clean_text(field: str, text: str, *, minimum: int = 0, what: str = "text") -> str:
    """The text without blanks around it; InvalidInput when it is too short, too long or has control characters."""
    text, complaints = text.strip(), Complaints()
    complaints.unless(
        len(text) >= minimum, field, f"Give a {what} of at least {minimum} characters; this has {len(text)}."
    )
    complaints.check_text(field, text)
    complaints.raise_if_any()
    return text


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port_is_fine
        and len(url) <= 1000
        and not any(character.isspace() or ord(character) < 32 for character in url)
    )
