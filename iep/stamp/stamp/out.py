"""How a command speaks: results on stdout, talk on stderr, one JSON object (or a line per event) with --json."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from stamp.errors import Stop

VERSION = 1  # of the JSON; grows when a key changes its meaning


@dataclass(frozen=True)
class Out:
    """The mouth of one command."""

    command: str = ""
    json: bool = False
    quiet: bool = False
    verbose: bool = False

    def result(self, data: dict[str, Any], text: str = "") -> None:
        """What the command was asked for."""
        if self.json:
            self._line({"v": VERSION, "ok": True, "command": self.command, **data})
        elif text:
            click.echo(text)

    def event(self, name: str, data: dict[str, Any], text: str) -> None:
        """Something that happened while the command goes on: a line of JSON, or a line for people with the time."""
        if self.json:
            self._line({"v": VERSION, "event": name, **data})
        else:
            click.echo(f"{click.style(time.strftime('%H:%M:%S'), dim=True)}  {text}")

    def talk(self, text: str) -> None:
        if not self.quiet:
            click.echo(text, err=True)

    def detail(self, text: str) -> None:
        if self.verbose:
            click.secho(text, err=True, dim=True)

    def warn(self, text: str) -> None:
        click.echo(f"{click.style('Note:', fg='yellow')} {text}", err=True)

    def stop(self, stop: Stop) -> None:
        """Why the command ends here."""
        if self.json:
            error = {"code": stop.code or stop.exit.name.lower(), "message": stop.message, "hint": stop.hint}
            more = {"lines": list(stop.lines)} | ({"details": stop.details} if stop.details else {})
            told = {"v": VERSION, "ok": False, "command": self.command, "exit": int(stop.exit)}
            self._line(told | {"error": error | more})
            return
        click.echo(f"{click.style('Error:', fg='red', bold=True)} {stop.message}", err=True)
        for line in stop.lines:
            click.echo(f"  {line}", err=True)
        if stop.hint:
            click.echo(f"{click.style('Try:', bold=True)} {stop.hint}", err=True)

    def _line(self, data: dict[str, Any]) -> None:
        click.echo(json.dumps(data, ensure_ascii=False))


def is_terminal() -> bool:
    """Whether somebody watches what is said."""
    return sys.stderr.isatty()


def table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> str:
    """Columns as wide as their longest word."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([click.style(text[0], bold=True), *text[1:]])


def modules(count: int) -> str:
    return "1 module" if count == 1 else f"{count} modules"


def size(count: int) -> str:
    """Bytes as people say them."""
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
