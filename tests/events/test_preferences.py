"""Quiet hours and digest times in a person's own zone, through nights and clock changes."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest

from events.models import NoticeSettings
from events.preferences import end_of_quiet, next_digest

PARIS = zoneinfo.ZoneInfo("Europe/Paris")
NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def quiet(begin: str = "", end: str = "", digest: str = "08:00") -> NoticeSettings:
    return NoticeSettings(
        quiet_from=dt.time.fromisoformat(begin) if begin else None,
        quiet_until=dt.time.fromisoformat(end) if end else None,
        digest_at=dt.time.fromisoformat(digest),
    )


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("begin", "end", "zone", "moment", "expected"),
    [
        ("", "", PARIS, "2026-01-10 03:00", None),
        ("20:00", "20:00", PARIS, "2026-01-10 19:30", None),
        ("20:00", "08:00", PARIS, "2026-01-10 12:00", None),
        ("20:00", "08:00", PARIS, "2026-01-10 19:00", "2026-01-11 07:00"),
        ("20:00", "08:00", PARIS, "2026-01-11 05:00", "2026-01-11 07:00"),
        ("20:00", "08:00", PARIS, "2026-01-11 07:00", None),
        ("20:00", "08:00", PARIS, "2026-07-10 18:00", "2026-07-11 06:00"),
        ("20:00", "08:00", NEW_YORK, "2026-01-10 12:00", "2026-01-10 13:00"),
        ("12:00", "14:00", PARIS, "2026-01-10 11:30", "2026-01-10 13:00"),
        # The night the clocks go forward, and the one they go back.
        ("20:00", "08:00", PARIS, "2026-03-28 22:00", "2026-03-29 06:00"),
        ("20:00", "08:00", PARIS, "2026-10-24 22:00", "2026-10-25 07:00"),
    ],
)
def test_when_quiet_hours_end(begin, end, zone, moment, expected):
    assert end_of_quiet(quiet(begin, end), zone, utc(moment)) == (utc(expected) if expected else None)


@pytest.mark.parametrize(
    ("settings", "moment", "expected"),
    [
        (quiet(), "2026-01-10 06:00", "2026-01-10 07:00"),
        (quiet(), "2026-01-10 07:00", "2026-01-11 07:00"),
        (quiet("20:00", "09:30"), "2026-01-10 06:00", "2026-01-10 08:30"),
    ],
)
def test_when_the_next_digest_comes(settings, moment, expected):
    assert next_digest(settings, PARIS, utc(moment)) == utc(expected)
