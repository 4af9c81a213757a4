"""The table of operations: package and method -> function, and the scope a token needs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from events.tracker.access import Caller
from events.tracker.wire.codec import MessageCodec, Plain, codec_of
from events.tracker.wire.messages import FILES

Function = Callable[[Caller, Plain], Plain]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of a service."""

    package: str
    name: str
    scope: str
    function: Function
    request: MessageCodec
    response: MessageCodec

    def call(self, caller: Caller, request: Plain) -> Plain:
        """The answer; refused by the kinds of core/errors.py."""
        caller.require(self.scope)
        return self.function(caller, request)


OPERATIONS: dict[tuple[str, str], Operation] = {}


def operation(package: str, name: str, scope: str) -> Callable[[Function], Function]:
    """List the function as this method of the package's service."""

    def add(function: Function) -> Function:
        method = next(iter(FILES[package].services_by_name.values())).methods_by_name[name]
        OPERATIONS[package, name] = Operation(
            package, name, scope, function, codec_of(method.input_type), codec_of(method.output_type)
        )
        return function

    return add
