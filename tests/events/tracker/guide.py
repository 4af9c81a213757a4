"""The commands of the events guide, word for word (guide.sh)."""

from __future__ import annotations

from pathlib import Path

_COMMANDS = Path(__file__).with_name("guide.sh").read_text(encoding="utf-8").split("\n\n")[1:]
CURL = [command.strip() for command in _COMMANDS if command.startswith("curl ")]
GRPCURL = [command.strip() for command in _COMMANDS if command.startswith("grpcurl ")]
assert (len(CURL), len(GRPCURL)) == (15, 5)
