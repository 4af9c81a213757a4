"""What tickets may say, with a sentence for each fault; fields are named as on the wire."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from core.errors import InvalidInput
from tickets.models.outside import read_statuses, read_ways
from tickets.models.projects import PROJECT_SETTINGS
from tickets.states import State
from tickets.types import PLANNED, LinkKind, PlanStep, Priority, TicketContent, TicketType

MAX_TITLE = 300
MAX_TEXT = 50_000
MAX_STEPS = 100
MAX_LABELS = 50
MAX_PEOPLE = 50
MIN_REASON = 3
LEASE_SECONDS = (5, 24 * 3600)
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@:-]{0,199}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/ -]{0,99}")
_PREFIX = re.compile(r"[A-Z][A-Z0-9]{0,19}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f,]{1,50}")
# C0 controls other than tab, line feed and carriage return, which no text of ours needs and logs choke on.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|[\ud800-\udfff]")
RESERVED_STAGES = {PLANNED.lower(), "completed", "stopped"}


class Complaints:
    """Collects every fault before one error tells of all."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def unless(self, fine: bool, field: str, sentence: str) -> None:
        if not fine:
            self.errors.setdefault(field, []).append(sentence)

    def check_text(self, field: str, text: str, longest: int = MAX_TEXT) -> None:
        self.unless(len(text) <= longest, field, f"At most {longest} characters; this has {len(text)}.")
        self.unless(not _CONTROL.search(text), field, "Remove the control characters; they cannot be shown.")

    def raise_if_any(self) -> None:
        if self.errors:
            raise InvalidInput(self.errors)


def without_controls(text: str) -> str:
    """A text from outside as ours may be."""
    return _CONTROL.sub("", text)


def clean_text(field: str, text: str, *, minimum: int = 0, longest: int = MAX_TEXT, what: str = "text") -> str:
    """The text without blanks around it; InvalidInput when it is too short, too long or has control characters."""
    text, complaints = text.strip(), Complaints()
    complaints.unless(
        len(text) >= minimum, field, f"Give a {what} of at least {minimum} characters; this has {len(text)}."
    )
    complaints.check_text(field, text, longest)
    complaints.raise_if_any()
    return text


def clean_key(field: str, key: str) -> str:
    """A ticket's key as given; InvalidInput unless it can stand in an address."""
    return _clean(field, key, _KEY, "Use letters, digits, dot, dash and underscore, such as TICKET-001.")


def clean_project_key(key: str) -> str:
    return _clean("project_id", key, _PROJECT, "Name a project by its repository, such as test/project.")


def clean_worker_type(field: str, name: str) -> str:
    return _clean(field, name, _NAME, "Use letters, digits, dot, dash and underscore, such as architect.")


def clean_prefix(prefix: str) -> str:
    return _clean("prefix", prefix, _PREFIX, "Use capital letters and digits, at most 20, such as PROJ.")


def _clean(field: str, value: str, pattern: re.Pattern[str], sentence: str) -> str:
    value = value.strip()
    if not pattern.fullmatch(value):
        raise InvalidInput({field: [sentence]})
    return value


def clean_lease(seconds: int | None) -> int | None:
    """The seconds; None leaves it to the project."""
    least, most = LEASE_SECONDS
    if seconds is not None and not least <= seconds <= most:
        raise InvalidInput({"lease_seconds": [f"Choose between {least} and {most} seconds."]})
    return seconds


def clean_content(content: TicketContent) -> TicketContent:
    """InvalidInput with every fault at once, or nothing."""
    complaints = Complaints()
    complaints.unless(bool(content.title.strip()), "title", "Give the ticket a title.")
    complaints.check_text("title", content.title, MAX_TITLE)
    complaints.check_text("description", content.description)
    complaints.unless(content.type in TicketType.values, "type", f"Choose one of: {', '.join(TicketType.values)}.")
    complaints.unless(content.priority in Priority.values, "priority", f"Choose one of: {', '.join(Priority.words())}.")
    complaints.unless(len(content.assignees) <= MAX_PEOPLE, "assignees", f"At most {MAX_PEOPLE} people.")
    _check_labels(content.labels, complaints)
    _check_plan(content.plan, complaints)
    complaints.raise_if_any()
    return content


def _check_labels(labels: Sequence[str], complaints: Complaints) -> None:
    complaints.unless(len(labels) <= MAX_LABELS, "labels", f"At most {MAX_LABELS} labels.")
    fine = all(_LABEL.fullmatch(label) and label.strip() == label for label in labels)
    complaints.unless(fine, "labels", "A label is 1 to 50 characters without commas, such as frontend.")


def _check_plan(plan: Sequence[PlanStep], complaints: Complaints) -> None:
    complaints.unless(len(plan) <= MAX_STEPS, "execution_plan", f"At most {MAX_STEPS} stages; this has {len(plan)}.")
    for number, step in enumerate(plan):
        complaints.unless(
            bool(_NAME.fullmatch(step.stage)) and step.stage.strip() == step.stage,
            f"execution_plan[{number}]",
            "Name a worker type with letters, digits, dot, dash and underscore, such as architect.",
        )
        complaints.unless(
            step.stage.lower() not in RESERVED_STAGES,
            f"execution_plan[{number}]",
            f"{step.stage!r} means something else.",
        )


def check_link(kind: str, url: str, title: str) -> None:
    complaints = Complaints()
    complaints.unless(kind in LinkKind.values, "kind", f"Choose one of: {', '.join(LinkKind.values)}.")
    complaints.unless(_is_web_address(url), "url", "Give an http(s) address of at most 1000 characters.")
    complaints.check_text("title", title, 300)
    complaints.raise_if_any()


def clean_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """A project's settings; InvalidInput for unknown names and values of the wrong kind."""
    complaints = Complaints()
    for name, value in settings.items():
        known = PROJECT_SETTINGS.get(name)
        if known is None:
            complaints.unless(False, f"settings.{name}", f"Unknown. Known: {', '.join(PROJECT_SETTINGS)}.")
        elif isinstance(known, bool):
            complaints.unless(isinstance(value, bool), f"settings.{name}", "Choose true or false.")
        elif isinstance(known, str):
            complaints.unless(_is_harmless_pattern(value), f"settings.{name}", _PATTERN_HELP)
        else:
            least, most = LEASE_SECONDS if name == "lease_seconds" else (1, 100)
            fine = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
            complaints.unless(fine, f"settings.{name}", f"Choose a whole number between {least} and {most}.")
    complaints.raise_if_any()
    return dict(settings)


_PATTERN_HELP = (
    "Give a regular expression of at most 100 characters that finds a key, such as SHOP-[0-9]+ or #([0-9]+): at most one "
    "group, nothing repeated in it as a whole, and at most two of * and +."
)


def _is_harmless_pattern(pattern: Any) -> bool:
    """Whether it is a regular expression that is fast on any text; empty takes it away."""
    if not isinstance(pattern, str) or len(pattern) > 100:
        return False
    if re.search(r"\)[*+?{]|\(\?|\\[1-9]|[*+}][*+]", pattern) or len(re.findall(r"[*+]|\{\d*,", pattern)) > 2:
        return False
    try:
        return re.compile(pattern, re.ASCII).groups <= 1
    except (re.error, RecursionError, OverflowError):
        return False


def clean_names(field: str, names: Iterable[str]) -> list[str]:
    """Names without doubles, in the order given."""
    names = list(dict.fromkeys(names))
    complaints = Complaints()
    complaints.unless(len(names) <= 50, field, "At most 50.")
    complaints.unless(all(_NAME.fullmatch(name) for name in names), field, "Use plain names, such as python.")
    complaints.raise_if_any()
    return names


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not any(character.isspace() or ord(character) < 32 for character in url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port_is_fine and len(url) <= 1000 and plain


def faults_of_jira_project(given: dict[str, Any]) -> dict[str, list[str]]:
    """What is wrong with a pairing of projects, by field; models are given as they are."""
    complaints = Complaints()
    connection, project, text = given.get("connection"), given.get("project"), given.get("statuses", "")
    if connection and project:
        same = connection.tenant_id == project.tenant_id
        complaints.unless(same, "project", "The project and the connection have to be of the same tenant.")
        complaints.unless(connection.kind == "jira", "connection", "Choose a connection to a Jira.")
    try:
        read_ways(given.get("ways", ""))
    except ValueError as error:
        complaints.unless(False, "ways", str(error))
    words = set(State.values) | {f"stamp.{stage}" for stage in ("dev", "qa", "prod", "closed")}
    words |= {f"request.{step}" for step in ("approved", "rejected", "deployed", "failed", "rolled_back")}
    try:
        unknown = sorted({ours for ours, _ in read_statuses(text)} - words)
    except ValueError as error:
        complaints.unless(False, "statuses", str(error))
    else:
        told = f"There is no {', '.join(unknown)} here; known: {', '.join(sorted(words))}."
        complaints.unless(not unknown, "statuses", told)
    return complaints.errors
