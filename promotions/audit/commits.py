"""What a commit of the audit trail says: path, author, subject and trailers, from a fact and back."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from accounts.models import User
from core.canonical import canonical_json
from events.models import DomainEvent
from promotions.audit.document import to_yaml
from promotions.wire import ACTIONS

FOLDER = "requests/prod"
SYSTEM = "Stagepass"
_NUMBER = re.compile(r"PR-\d{4}-\d{4,9}")
_CREATED = re.compile(r"(\d{4})-(\d{2})-\d{2}T")
_UNFIT_FOR_NAMES = re.compile(r"[\x00-\x1f\x7f-\x9f<>\u2028\u2029]")
_TRAILER = re.compile(r"([A-Z][A-Za-z-]*): (.*)")


class NotRecordable(ValueError):
    """A document whose place in the repository cannot be told; recording it would never work."""


@dataclass(frozen=True, slots=True)
class Person:
    """A name and an address as git wants them."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One step as it goes into the repository."""

    path: str
    content: bytes
    author: Person
    at: dt.datetime
    message: str
    fact_id: str
    fact_sequence: int


def entry_of(fact: DomainEvent) -> Entry:
    """The commit that records `fact`; NotRecordable when its document has no valid id or creation time."""
    document = fact.data["document"]
    return Entry(
        path=path_of(document),
        content=to_yaml(document),
        author=_author(fact),
        at=fact.occurred_at,
        message=_message(fact),
        fact_id=str(fact.id),
        fact_sequence=fact.sequence,
    )


def path_of(document: dict[str, Any]) -> str:
    """requests/prod/YYYY/MM/PR-YYYY-NNNN.yaml, from the id and creation time alone."""
    metadata = document.get("metadata") or {}
    number, created = str(metadata.get("id")), _CREATED.match(str(metadata.get("createdAt")))
    if not _NUMBER.fullmatch(number) or created is None:
        raise NotRecordable(f"{number[:40]!r} is not the id of a promotion request with a creation time.")
    return f"{FOLDER}/{created[1]}/{created[2]}/{number}.yaml"


def committer() -> Person:
    return Person(SYSTEM, f"stagepass@{settings.AUDIT_AUTHOR_DOMAIN}")


def _author(fact: DomainEvent) -> Person:
    if fact.actor_id is None:
        return Person("system", f"system@{settings.AUDIT_AUTHOR_DOMAIN}")
    name = User.objects.filter(public_id=fact.actor_id).values_list("name", flat=True).first()
    return Person(clean_name(name or fact.actor_label), f"{fact.actor_id}@{settings.AUDIT_AUTHOR_DOMAIN}")


def clean_name(name: str) -> str:
    """A name without what would break out of git's header line."""
    return _UNFIT_FOR_NAMES.sub("", name).strip(" .,:;\"'") or "unknown"


def action_of(fact_type: str) -> str:
    return ACTIONS.get(fact_type, fact_type)


def trailers_of(fact: DomainEvent) -> dict[str, str]:
    """The trailers of a fact; with `Fact-Content` and the file, the hash can be checked from a clone alone."""
    content = fact.hashed_content()
    content["data"] = {key: value for key, value in fact.data.items() if key != "document"}
    return {
        "Request-Id": fact.subject_id,
        "Action": action_of(fact.type),
        "Actor-Id": str(fact.actor_id or "system"),
        "Fact-Id": str(fact.id),
        "Fact-Sequence": str(fact.sequence),
        "Fact-Hash": fact.hash,
        "Previous-Fact-Hash": fact.previous_hash,
        "Fact-Content": canonical_json(content),
    }


def _message(fact: DomainEvent) -> str:
    subject = _UNFIT_FOR_NAMES.sub(" ", f"{fact.subject_label}: {action_of(fact.type).replace('_', ' ')}")
    trailers = "\n".join(f"{name}: {value}" for name, value in trailers_of(fact).items())
    return f"{subject}\n\n{trailers}\n"


def parse_trailers(message: str) -> dict[str, str]:
    """The trailers of a commit message's last paragraph; empty for a commit that is not ours."""
    last = message.rstrip("\n").rpartition("\n\n")[2]
    matches = [_TRAILER.fullmatch(line) for line in last.split("\n")]
    trailers = {match[1]: match[2] for match in matches if match}
    return trailers if "Fact-Id" in trailers else {}
