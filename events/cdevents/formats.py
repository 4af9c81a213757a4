"""The three string formats that the schemas of CDEvents use; jsonschema checks none of them without further packages."""

from __future__ import annotations

import datetime as dt
import re

from jsonschema import FormatChecker

_MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
# RFC 3986: every character is one that an address may have, and each % begins an escape.
_CHARACTERS = re.compile(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")

CHECKER = FormatChecker(formats=())


@CHECKER.checks("date-time")
def is_moment(value: object) -> bool:
    """RFC 3339 with an offset from UTC; a leap second is fine."""
    return not isinstance(value, str) or parse_moment(value) is not None


def parse_moment(text: str) -> dt.datetime | None:
    """The moment in UTC, to the microsecond; None when `text` is no RFC 3339 date-time."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    date, hour, minute, second, fraction, offset = match.groups()
    leap = second == "60"
    try:
        moment = dt.datetime.fromisoformat(
            f"{date}T{hour}:{minute}:{'59' if leap else second}{(fraction or '')[:7]}{offset.upper()}"
        )
        return (moment + dt.timedelta(seconds=int(leap))).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


@CHECKER.checks("uri-reference")
def is_reference(value: object) -> bool:
    """An address, whole or relative."""
    return not isinstance(value, str) or _CHARACTERS.fullmatch(value) is not None


@CHECKER.checks("uri")
def is_address(value: object) -> bool:
    """An address with its scheme."""
    return not isinstance(value, str) or (_SCHEME.match(value) is not None and is_reference(value))
