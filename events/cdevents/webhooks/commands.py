"""Commands in commit messages: `CORE-7 CORE-8 #comment Looks fine #time 2h #resolve`."""

from __future__ import annotations

import re

MAX_COMMANDS = 20
_LINE = re.compile(r"((?:\b[A-Za-z][A-Za-z0-9_]{0,30}-\d{1,9}[ ,]+)+)(#[a-z].*)", re.ASCII | re.IGNORECASE)
_COMMAND = re.compile(r"#([a-z][a-z-]{0,30})\b([^#]*)", re.ASCII | re.IGNORECASE)


def commands_in(message: str, email: str) -> list[dict[str, str]]:
    """Each command of each line for each ticket that stands before it, with the e-mail of who wrote the commit."""
    found = [
        {"ticket": key.upper(), "command": command.lower(), "text": text.strip()[:2000], "email": email}
        for line in message.splitlines()[:100]
        if (match := _LINE.search(line[:2000]))
        for key in re.split(r"[ ,]+", match[1].strip(" ,"))
        for command, text in _COMMAND.findall(match[2])
    ]
    return found[:MAX_COMMANDS]
