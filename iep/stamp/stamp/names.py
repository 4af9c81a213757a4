"""Ticket numbers as people type them."""

from __future__ import annotations

import re

from stamp.errors import Usage

TICKET = re.compile(r"(?:([A-Za-z][A-Za-z0-9]*)[-_ ]|([A-Za-z]+))([0-9]{1,9})")


def ticket_key(typed: str, prefix: str = "") -> str:
    """`tkt001`, `tkt-001` and, with a prefix, `001` all name TKT-001; Usage for what can be no ticket."""
    text = typed.strip()
    if prefix and text.isdigit():
        return f"{prefix.upper()}-{text}"
    match = TICKET.fullmatch(text)
    if match is None:
        raise Usage(f"“{typed}” is no ticket number.", hint="It looks like TKT-001; tkt001 is understood too.")
    return f"{(match[1] or match[2]).upper()}-{match[3]}"


def ticket_in_branch(branch: str) -> str:
    """The ticket that a branch is named after, such as feature/TKT-001-prices; empty when there is none."""
    match = re.search(r"(?:^|[/_.-])([A-Za-z]{2}[A-Za-z0-9]{0,8})-([0-9]{1,9})(?![0-9A-Za-z])", branch)
    return f"{match[1].upper()}-{match[2]}" if match else ""
