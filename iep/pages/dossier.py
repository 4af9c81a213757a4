"""One stamp in full, and the panel of an application: what changes, what stands against it, what may be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.looks import Look
from events.models import DomainEvent
from iep import permissions
from iep.models import Application, Stamp
from iep.pages.lines import Row, side_by_side
from iep.pages.looks import CHANGES, FACTS, STAGES, WAITING
from iep.selectors.conflicts import conflict_counts
from iep.selectors.diffs import compare_path
from iep.states import OPEN, Stage
from iep.types import Conflict
from iep.wire import kind_of, preview_of
from tickets.models import Ticket
from tickets.pages.dossier import Related

SHOWN_FILES, OPEN_DIFFS, SHOWN_CARDS = 200, 20, 60


@dataclass(slots=True)
class Card:
    """A ticket in its stage."""

    stamp: Stamp
    address: str
    preview: str | None
    files: int
    conflicts: int
    state: Look


@dataclass(slots=True)
class Column:
    stage: str
    look: Look
    cards: list[Card] = field(default_factory=list)


def board(application: Application, stamps: Sequence[Stamp]) -> list[Column]:
    """The stamps by stage: dev, QA, and what production had last."""
    counts = conflict_counts(application, [stamp for stamp in stamps if stamp.is_open])
    columns = {stage: Column(stage, STAGES[stage]) for stage in (*OPEN, Stage.PROD)}
    for stamp in stamps:
        if column := columns.get(Stage(stamp.stage)):
            column.cards.append(card(stamp, counts.get(stamp.pk, 0)))
    return list(columns.values())


def card(stamp: Stamp, conflicts: int) -> Card:
    look = WAITING if stamp.sign_off else STAGES[stamp.stage]
    return Card(stamp, address_of(stamp), preview_of(stamp), len(stamp.delta), conflicts, look)


def address_of(stamp: Stamp) -> str:
    return reverse("iep_stamp", args=[stamp.application.slug, stamp.ticket.key])


@dataclass(slots=True)
class Changed:
    """One path of the delta, with both sides where they are to be shown at once."""

    path: str
    look: Look
    size: int
    conflicts: list[Conflict]
    rows: list[Row] | None = None
    shown: bool = False
    one_sided: bool = False


def changes_of(stamp: Stamp, conflicts: Sequence[Conflict]) -> list[Changed]:
    """Every path, at most SHOWN_FILES; the first OPEN_DIFFS with their lines."""
    found = []
    for number, (path, entry) in enumerate(sorted(stamp.delta.items())[:SHOWN_FILES]):
        clashes = [conflict for conflict in conflicts if conflict.path == path]
        kind = kind_of(entry)
        changed = Changed(path, CHANGES[kind], entry["size"], clashes, one_sided=kind != "modified")
        if number < OPEN_DIFFS:
            changed.rows, changed.shown = side_by_side(compare_path(stamp, path)), True
        found.append(changed)
    return found


@dataclass(slots=True)
class Action:
    """A verb as a button: allowed, or with the reason why not."""

    verb: str
    label: str
    shape: str
    look: str = ""
    reason: str = ""


def actions_of(user: User, stamp: Stamp, conflicts: Sequence[Conflict]) -> list[Action]:
    """What the stage permits; what the person may not do says why."""
    may_stamp = permissions.reason_against(permissions.check_can_stamp, user, stamp.application)
    may_release = permissions.reason_against(permissions.check_can_release, user, stamp.application)
    waits = f"{stamp.sign_off} is not decided yet." if stamp.sign_off else ""
    clash = "Production changed under this ticket. Rebase it first." if any(c.blocks for c in conflicts) else ""
    return list(_actions(stamp, may_stamp, may_release, waits, clash))


def _actions(stamp: Stamp, may_stamp: str, may_release: str, waits: str, clash: str) -> Iterator[Action]:
    if stamp.stage == Stage.DEV:
        empty = "" if stamp.delta else "It changes nothing yet."
        yield Action("promote", "Promote to QA", "arrow-right", "primary", may_stamp or clash or empty)
    if stamp.stage == Stage.QA:
        signed = stamp.application.sign_off
        label = "Ask for production" if signed else "Release to production"
        yield Action(
            "promote", label, "arrow-right", "primary", (may_stamp if signed else may_release) or waits or clash
        )
        yield Action("revert", "Send back to dev", "rotate-cw", "", may_stamp or waits)
    if stamp.stage == Stage.PROD:
        yield Action("revert", "Take out of production", "rotate-cw", "danger-strong", may_release)
    if stamp.is_open:
        yield Action("share", "Share a link", "copy", "", may_stamp)
    if clash:
        yield Action("rebase", "Rebase", "rotate-cw", "", may_stamp or waits)
    if stamp.stage in {Stage.PROD, Stage.CLOSED}:
        yield Action("reopen", "Reopen in dev", "rotate-cw", "", may_stamp)
    if stamp.stage != Stage.CLOSED:
        yield Action("close", "Close", "ban", "", may_stamp or waits)


def timeline_of(facts: Sequence[DomainEvent]) -> list[dict[str, Any]]:
    """The newest first, as components/timeline.html draws them."""
    return [_entry(fact) for fact in reversed(facts)]


def _entry(fact: DomainEvent) -> dict[str, Any]:
    look, data = FACTS.get(fact.type, Look(fact.type, "grey")), fact.data
    details = [f"revision {data['revision']}"] if data.get("revision") else []
    details += [f"production r{data['release']}"] if data.get("release") else []
    details += [str(data["request"])] if data.get("request") else []
    details += (
        [f"{data['changed_count']} file{'' if data['changed_count'] == 1 else 's'}"]
        if data.get("changed_count")
        else []
    )
    return {
        "what": look.label, "who": fact.actor_label, "at": fact.occurred_at, "tone": look.tone, "shape": look.shape,
        "detail": " · ".join(details), "said": data.get("reason", ""),
    }  # fmt: skip


def stamps_of(user: User, ticket: Ticket) -> list[Related]:
    """What the page of a ticket shows of its modules: one line for each application it was stamped on."""
    if not has_capability(user, Capability.VIEW_APPLICATIONS, ticket.tenant_id):
        return []
    stamps = Stamp.objects.filter(ticket=ticket).select_related("application").order_by("application__slug")[:20]
    related: Callable[[Stamp], Related] = lambda stamp: Related(  # noqa: E731
        kind="Modules",
        label=stamp.application.slug,
        title=_summary(stamp),
        address=reverse("iep_stamp", args=[stamp.application.slug, ticket.key]),
        state=WAITING if stamp.sign_off else STAGES[stamp.stage],
        at=stamp.updated_at,
    )
    return [related(stamp) for stamp in stamps]


def _summary(stamp: Stamp) -> str:
    names = sorted(stamp.delta)
    size = sum(entry["size"] for entry in stamp.delta.values())
    shown = ", ".join(path.rpartition("/")[2] for path in names[:3]) + (" …" if len(names) > 3 else "")
    count = f"{len(names)} module{'' if len(names) == 1 else 's'}, {size:,} bytes"
    return f"{count}: {shown}" if names else "nothing changed yet"
