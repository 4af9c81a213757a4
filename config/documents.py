"""The generated part of docs/: states, facts, roles and configuration, written from the tables in the code."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from accounts.roles import EVERYWHERE, ROLES, Capability, Role
from accounts.scopes import SCOPES
from config.env import VARIABLES
from core.transitions import TransitionTable
from events.cdevents.facts import FACTS as RECEIVED
from events.chain import freezes
from events.channels import channels
from events.tracker.facts import FACTS
from events.types import FACTS_OF_DELIVERY
from iep.states import OTHER_FACTS
from promotions.wire import ACTIONS
from tickets.selectors.events import EVENT_NAMES

APPS = ("promotions", "iep", "tickets", "events", "accounts")


def states() -> str:
    """docs/states.md: a diagram and a table for each transition table."""
    return _page("States", "the tables in `<app>/states.py`", "\n".join(_states()))


def _states() -> Iterator[str]:
    yield "Whatever is not listed is refused. Each step is one compare-and-set in the database and leaves one fact.\n"
    for module, table in transition_tables():
        edges = list(table)
        yield f"## {table.name.capitalize()}\n"
        yield "```mermaid\nstateDiagram-v2"
        yield f"    [*] --> {edges[0].source}"
        yield from (f"    {edge.source} --> {edge.target}: {edge.verb}" for edge in edges)
        ends = {edge.target for edge in edges} - {edge.source for edge in edges}
        yield from (f"    {state} --> [*]" for state in sorted(ends))
        yield "```\n"
        yield _table(
            ("From", "Verb", "To", "Fact"),
            ([edge.source, edge.verb, edge.target, f"`{edge.fact}`"] for edge in edges),
        )
        if forceable := getattr(module, "FORCEABLE", ()):
            yield f"An operator may force, with a reason and a fact of its own, only to: {', '.join(forceable)}.\n"


def transition_tables() -> list[tuple[ModuleType, TransitionTable]]:
    """Every transition table of the apps, with the module that holds it."""
    modules = [import_module(f"{app}.states") for app in APPS if find_spec(f"{app}.states")]
    return [
        (module, value) for module in modules for value in vars(module).values() if isinstance(value, TransitionTable)
    ]


def facts() -> str:
    """docs/facts.md: every fact type, the steps that leave it, and the channels that hear of it."""
    left_by = facts_left()
    rows = (
        [f"`{fact}`", "<br>".join(steps) or "no step of a table", ", ".join(_heard_by(fact)) or "nobody yet"]
        for fact, steps in sorted(left_by.items())
    )
    text = "A fact is written in the transaction of what it tells of, and delivered afterwards, at least once.\n\n"
    return _page(
        "Facts",
        "the transition tables, `promotions/wire.py`, `tickets/selectors/events.py`, `events/tracker/facts.py`, "
        "`events/cdevents/facts.py`, `events/chain/freezes.py`, `events/types.py`, `iep/states.py` and the "
        "`SUBSCRIBERS` setting",
        text + _table(("Fact", "Left by", "Heard by"), rows),
    )


def facts_left() -> dict[str, list[str]]:
    """Every fact type, with the steps of the tables that leave it."""
    known = (*ACTIONS, *EVENT_NAMES, *FACTS, *RECEIVED, *FACTS_OF_DELIVERY, *freezes.FACTS, *OTHER_FACTS)
    left_by: dict[str, list[str]] = {fact: [] for fact in known}
    for _, table in transition_tables():
        for edge in table:
            left_by.setdefault(edge.fact, []).append(f"{table.name}: {edge.verb} ({edge.source} to {edge.target})")
    return left_by


def _heard_by(fact: str) -> list[str]:
    return [name for name, channel in channels().items() if channel.wants(fact)]


def roles() -> str:
    """docs/roles.md: which role holds which capability, and what a token may be limited to."""
    holders = list(Role)
    matrix = _table(
        ("Capability", *(role.value for role in holders)),
        ([f"`{capability}`", *(_reach(role, capability) for role in holders)] for capability in Capability),
    )
    scopes = _table(("Scope", "Allows"), ([f"`{scope}`", text] for scope, text in SCOPES.items()))
    rule = "Nobody decides on their own request, whatever this table says; the database refuses it too.\n"
    text = f"{rule}\n{matrix}\n## Scopes of API tokens\n\nA token never does more than its person may.\n\n{scopes}"
    return _page("Roles and scopes", "`accounts/roles.py` and `accounts/scopes.py`", text)


def _reach(role: Role, capability: Capability) -> str:
    if capability not in ROLES[role]:
        return ""
    return "every tenant" if role in EVERYWHERE else "own tenant"


def configuration() -> str:
    """docs/configuration.md: every environment variable."""
    rows = (
        [
            f"`{variable.name}`",
            "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty",
            variable.help + (" Secret." if variable.secret else ""),
        ]
        for variable in VARIABLES
    )
    text = (
        "Everything that differs from place to place comes from the environment. `script/up` sets what is required by "
        "itself; elsewhere a missing required variable stops the start with its name.\n\n"
    )
    return _page("Configuration", "`config/env.py`", text + _table(("Variable", "Default", "Meaning"), rows))


def _page(title: str, source: str, text: str) -> str:
    return f"# {title}\n\n_Generated by `manage.py document` from {source}; change it there._\n\n{text.rstrip()}\n"


def _table(head: tuple[str, ...], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
