"""Compares the rows of requests with what their newest facts say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, Protocol

from events.models import DomainEvent
from promotions.models import PromotionRequest
from promotions.services.transition import SUBJECT_TYPE
from promotions.wire import ACTIONS, content_digest, render_history, render_promotion

CHUNK = 200


class Counts(Protocol):
    requests: int


def compare_rows(counts: Counts) -> Iterator[tuple[str, str]]:
    """(place, what differs) for each row, in the order of their making; requests without a row besides."""
    rows = PromotionRequest.objects.with_document()
    walk = rows.order_by("pk").iterator(chunk_size=CHUNK)
    while chunk := list(islice(walk, CHUNK)):
        facts = _facts_of([row.number for row in chunk])
        for row in chunk:
            counts.requests += 1
            yield from ((row.number, text) for text in _compare(row, facts.get(row.number, [])))
    known = PromotionRequest.objects.values("number")
    lost = DomainEvent.objects.filter(subject_type=SUBJECT_TYPE, data__has_key="document").exclude(subject_id__in=known)
    for number in lost.order_by("subject_id").values_list("subject_id", flat=True).distinct():
        yield str(number), "its facts are on record, but the database has no such request"


def _facts_of(numbers: list[str]) -> dict[str, list[DomainEvent]]:
    found: dict[str, list[DomainEvent]] = {}
    for fact in DomainEvent.objects.about(SUBJECT_TYPE, *numbers).filter(type__in=list(ACTIONS)).order_by("sequence"):
        found.setdefault(fact.subject_id, []).append(fact)
    return found


def _compare(row: PromotionRequest, facts: list[DomainEvent]) -> Iterator[str]:
    if not facts:
        yield "no fact tells of this request"
        return
    recorded = facts[-1].data["document"]
    yield from _compare_people(row, facts)
    if row.digest != content_digest(row.content, row.reverses.number if row.reverses else None):
        yield "the row's digest is not that of its content"
    rendered = render_promotion(row, render_history(facts))
    # Addresses and tenant names may change later; who and which was compared by identity.
    for section, name in (
        ("metadata", "createdBy"), ("metadata", "tenant"), ("status", "approvedBy"), ("status", "rejectedBy"),
    ):  # fmt: skip
        if bool(rendered[section][name]) == bool(recorded[section][name]):
            rendered[section][name] = recorded[section][name]
    broken, noted = rendered["status"].get("breakGlass"), recorded["status"].get("breakGlass")
    if broken and noted:
        for name in ("by", "objectedBy"):
            broken[name] = noted[name] if bool(broken[name]) == bool(noted[name]) else broken[name]
    yield from (f"{text} (fact {facts[-1].sequence})" for text in differences(rendered, recorded))
    yield from _compare_quiet_columns(row, facts)


def _compare_people(row: PromotionRequest, facts: list[DomainEvent]) -> Iterator[str]:
    actors, status = {fact.type: fact.actor_id for fact in facts}, facts[-1].data["document"]["status"]
    broken = status.get("breakGlass") or {}
    approval = "promotion.approved_afterwards" if broken else "promotion.approved"
    for name, person, kind, counts in (
        ("author", row.author, "promotion.created", True),
        # An operator may have put the request back to where nobody had decided.
        ("approved_by", row.approved_by, approval, status["approvedBy"]),
        ("rejected_by", row.rejected_by, "promotion.rejected", status["rejectedBy"]),
        ("glass_broken_by", row.glass_broken_by, "promotion.glass_broken", broken),
        ("objected_by", row.objected_by, "promotion.objected", broken.get("objectedBy")),
    ):
        expected = actors.get(kind) if counts else None
        if (person.public_id if person else None) != expected:
            yield f"{name} of the row is {person or 'nobody'}, the facts say account {expected or 'nobody'}"
    if row.tenant_id != facts[-1].tenant_id:
        yield f"the row belongs to {row.tenant}, fact {facts[-1].sequence} to another tenant"


def _compare_quiet_columns(row: PromotionRequest, facts: list[DomainEvent]) -> Iterator[str]:
    """What the document does not show."""
    last = {fact.type: fact.data for fact in facts}
    status = facts[-1].data["document"]["status"]
    broken = last.get("promotion.glass_broken", {}) if "breakGlass" in status else {}
    approval = "promotion.approved_afterwards" if broken else "promotion.approved"
    approved = last.get(approval, {}) if status["approvedBy"] else {}
    expected = {
        "glass_digest": broken.get("digest", ""),
        "approval_comment": approved.get("entry", {}).get("comment") or "",
        "approved_digest": approved.get("digest", ""),
    }
    if "promotion.forced" not in last:  # which may set it without saying so
        expected["replaced_version"] = last.get("deployment.succeeded", {}).get("replaced_version", "")
    for name, value in expected.items():
        if getattr(row, name) != value:
            yield f"{name} of the row is {getattr(row, name)[:80]!r}, the facts say {value[:80]!r}"


def differences(row: Any, recorded: Any, place: str = "") -> Iterator[str]:
    """Each dotted place where the two documents differ."""
    if isinstance(row, dict) and isinstance(recorded, dict):
        for key in sorted(row.keys() | recorded.keys()):
            yield from differences(row.get(key), recorded.get(key), f"{place}.{key}".lstrip("."))
    elif isinstance(row, list) and isinstance(recorded, list) and len(row) == len(recorded):
        for index, (one, other) in enumerate(zip(row, recorded, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif row != recorded:
        yield f"{place} is {str(row)[:80]!r} in the database, {str(recorded)[:80]!r} on record"
