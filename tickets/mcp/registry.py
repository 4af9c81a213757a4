"""The tools: name, schemas, scope, what they do to the world, and who answers. Their modules fill it when imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import mcp_types as protocol

from accounts.models import User
from tickets.mcp.arguments import Checker
from tickets.mcp.schemas import Schema, closed

READ, WRITE, WORK, DECIDE = "tickets:read", "tickets:write", "tickets:work", "tickets:decide"

Form = dict[str, Any]
Document = dict[str, Any]
Handler = Callable[[User, Form], Document]


class Effect(Enum):
    """What a call does, as clients are told: (read-only, destructive, idempotent)."""

    READS = (True, False, True)
    ADDS = (False, False, False)
    SETS = (False, False, True)
    ENDS = (False, True, False)


def as_it_is(form: Form) -> Form:
    return form


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; `told` makes the sentence before the document, `translate` turns an alias's arguments into its own."""

    name: str
    title: str
    description: str
    takes: Schema
    answers: Schema
    scope: str
    effect: Effect
    handler: Handler
    told: Callable[[Document], str] | None = None
    translate: Callable[[Form], Form] = as_it_is
    waits: bool = False
    checker: Checker = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "checker", Checker(self.takes))

    def listed(self) -> protocol.Tool:
        """As `tools/list` shows it."""
        reads, ends, same = self.effect.value
        return protocol.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.takes,
            output_schema=self.answers,
            annotations=protocol.ToolAnnotations(
                title=self.title, read_only_hint=reads, destructive_hint=ends, idempotent_hint=same,
                open_world_hint=False,
            ),
        )  # fmt: skip


TOOLS: dict[str, Tool] = {}


def tool(
    title: str,
    *,
    takes: Mapping[str, Schema],
    needs: Iterable[str] = (),
    answers: Schema,
    scope: str,
    effect: Effect,
    told: Callable[[Document], str] | None = None,
    waits: bool = False,
) -> Callable[[Handler], Handler]:
    """Registers the function under its name; its docstring is the description."""

    def register(handler: Handler) -> Handler:
        description = " ".join((handler.__doc__ or "").split())
        TOOLS[handler.__name__] = Tool(
            handler.__name__, title, description, closed(dict(takes), needs), answers, scope, effect, handler, told,
            waits=waits,
        )  # fmt: skip
        return handler

    return register


def alias(
    name: str,
    of: str,
    *,
    takes: Mapping[str, Schema],
    needs: Iterable[str] = (),
    translate: Callable[[Form], Form] = as_it_is,
) -> None:
    """A name of later publications for a tool that is there; `translate` gives the tool's own arguments."""
    same = TOOLS[of]
    TOOLS[name] = Tool(
        name, same.title, f"The same as {of}, under a later name.", closed(dict(takes), needs), same.answers,
        same.scope, same.effect, same.handler, same.told,
        translate=lambda form: same.checker.check(translate(form)),
    )  # fmt: skip
