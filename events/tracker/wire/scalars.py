"""Single values as protobuf's JSON has them: times, durations, numbers, texts; each parser says what it wants."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

from core.errors import InvalidInput

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,20}", re.ASCII)
_RANGES = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}
_EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)  # any zone can show it


def refuse(path: str, sentence: str) -> InvalidInput:
    return InvalidInput({path: [sentence]})


def parse_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise refuse(path, f"invalid value for string field {path}: {shown(value)}")
    if "\x00" in value or not (value.isascii() or _is_unicode(value)):
        raise refuse(path, f"{path} holds characters that are no text (NUL or half a surrogate pair). Remove them.")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_bool(value: Any, path: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise refuse(path, f"invalid value for bool field {path}: {shown(value)}")


def parse_whole(kind: str) -> Callable[[Any, str], int]:
    """The parser of a whole number of this kind; texts of digits are numbers too, as protobuf's JSON has them."""
    low, high = _RANGES[kind]

    def parse(value: Any, path: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise refuse(path, f"invalid value for {kind} field {path}: {shown(value)}")
        if not low <= value <= high:
            raise refuse(path, f"value out of range for {kind} field {path}: {value}")
        return value

    return parse


def parse_float(value: Any, path: str) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise refuse(path, f"invalid value for double field {path}: {shown(value)}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise refuse(path, f"invalid value for double field {path}: {shown(value)}")
    return float(value)


def parse_time(value: Any, path: str) -> dt.datetime:
    """RFC 3339 with a zone; kept to the microsecond."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    try:
        if match is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        micro = int((match[7] or "0")[:6].ljust(6, "0"))
        moment = dt.datetime(year, month, day, hour, minute, second, micro, tzinfo=_zone(match[8])).astimezone(dt.UTC)
        if moment < _EARLIEST:
            raise ValueError
    except (ValueError, OverflowError):
        raise refuse(
            path, f"invalid value for timestamp field {path}: {shown(value)}; write it like 2024-01-15T10:00:00Z"
        ) from None
    return moment


def _zone(text: str) -> dt.tzinfo:
    if text in "Zz":
        return dt.UTC
    offset = dt.timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return dt.timezone(-offset if text[0] == "-" else offset)


def parse_duration(value: Any, path: str) -> dt.timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[2]) > 315_576_000_000:
        raise refuse(path, f"invalid value for duration field {path}: {shown(value)}; write it like 301.500s")
    length = dt.timedelta(seconds=int(match[2]), microseconds=int((match[3] or "0")[:6].ljust(6, "0")))
    return -length if match[1] else length


_CAPITAL, _UNDERSCORE = re.compile(r"[A-Z]"), re.compile(r"_([a-z])")


def parse_mask(value: Any, path: str) -> list[str]:
    """Paths of fields, separated by commas; camelCase as JSON has them, or as they are."""
    text = _CAPITAL.sub(lambda match: f"_{match[0].lower()}", parse_text(value, path))
    return [part.strip() for part in text.split(",") if part.strip()]


def format_mask(paths: list[str]) -> str:
    return _UNDERSCORE.sub(lambda match: match[1].upper(), ",".join(paths))


def shown(value: Any) -> str:
    """The value as an error quotes it: short, and as JSON writes it."""
    text = f'"{value}"' if isinstance(value, str) else str(value).replace("True", "true").replace("False", "false")
    text = "null" if value is None else text
    text = text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\u0000")
    return text if len(text) <= 100 else text[:97] + "..."


def format_time(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with a Z, and 0, 3 or 6 digits of a second."""
    text = moment.isoformat() if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC).isoformat()
    if moment.microsecond == 0:
        return text[:19] + "Z"
    return text[:23] + "Z" if moment.microsecond % 1000 == 0 else text[:26] + "Z"


def format_duration(length: dt.timedelta) -> str:
    """Seconds with 0, 3 or 6 digits behind the point, and an s."""
    return format_microseconds(length // dt.timedelta(microseconds=1))


def format_microseconds(micros: int) -> str:
    """The same of a number of microseconds."""
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    seconds, rest = divmod(micros, 1_000_000)
    if rest == 0:
        return f"{sign}{seconds}s"
    return f"{sign}{seconds}.{rest // 1000:03d}s" if rest % 1000 == 0 else f"{sign}{seconds}.{rest:06d}s"
