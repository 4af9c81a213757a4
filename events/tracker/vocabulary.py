"""Tracker's words and their numbers: a member's name is what the wire says, its value what gRPC and the tables hold."""

from __future__ import annotations

from enum import IntEnum


class Type(IntEnum):
    """What kind of occurrence an event is."""

    TYPE_UNSPECIFIED = 0
    deployment = 1
    operation = 2
    drift = 3
    incident = 4
    rpa_usage = 5


class Priority(IntEnum):
    """How urgent: P1 is critical, P5 trivial."""

    PRIORITY_UNSPECIFIED = 0
    P1 = 1
    P2 = 2
    P3 = 3
    P4 = 4
    P5 = 5


class Status(IntEnum):
    """How far it has come. `recommandation` is how Tracker spells it."""

    STATUS_UNSPECIFIED = 0
    start = 1
    failure = 2
    success = 3
    warning = 4
    error = 5
    snapshot = 6
    user_update = 7
    recommandation = 8
    open = 9
    close = 10
    done = 11
    in_progress = 12
    planned = 13
    waiting_approval = 14


class Environment(IntEnum):
    """Where it happens."""

    ENVIRONMENT_UNSPECIFIED = 0
    development = 1
    integration = 2
    TNR = 3
    UAT = 4
    recette = 5
    preproduction = 6
    production = 7
    mco = 8


class ChangeType(IntEnum):
    """What a line of an event's changelog tells."""

    CHANGE_TYPE_UNSPECIFIED = 0
    created = 1
    updated = 2
    status_changed = 3
    approved = 4
    rejected = 5
    commented = 6
    linked = 7
    locked = 8
    unlocked = 9


class CatalogType(IntEnum):
    """What an entry of the catalogue is."""

    TYPE_UNSPECIFIED = 0
    module = 1
    library = 2
    workflow = 3
    project = 4
    chart = 5
    package = 6
    container = 7


MAX_IMPACT = 3

# The guide's numbers of a status where they differ from the wire's; the names agree.
GUIDE_STATUS_NUMBERS = {
    4: Status.failure,
    5: Status.warning,
    6: Status.error,
    7: Status.open,
    8: Status.close,
    9: Status.done,
}

RUNNING = frozenset({Status.start, Status.in_progress})
ENDED = frozenset({Status.success, Status.failure})
RELEASES_LOCKS = frozenset({Status.success, Status.failure, Status.done})
TAKES_LOCKS = frozenset({Type.deployment, Type.operation})


def choices_of(words: type[IntEnum]) -> list[tuple[int, str]]:
    """The words as choices of a model field; zero is shown as a dash."""
    return [(word.value, word.name if word else "—") for word in words]


def name_of(words: type[IntEnum], number: int) -> str:
    """The word for a number as people read it: empty for zero."""
    return words(number).name if number else ""
