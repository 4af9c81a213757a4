"""Events as JSON text that the database writes: what the general codec says, without an object for any of them.

A page of fifty events has two thousand values. PostgreSQL puts them in their places for a little more than it takes to
send them, and here nothing is left to do. A test holds the texts to what the general codec says.
"""

from __future__ import annotations

import re
from enum import IntEnum

from events.tracker import vocabulary as words

# The JSON of an event and of a line of its changelog; what stands in <> is written by the expression of that name.
_EVENT = (
    '{"title":<title>,"attributes":{"message":<message>,"source":<source>,"type":"<type>","priority":"<priority>",'
    '"relatedId":"<related_id>","service":<service>,"status":"<status>","environment":"<environment>","impact":<impact>,'
    '"startDate":<started>,"endDate":<ended>,"owner":<owner>,"stakeHolders":<stakeholders>,"notification":<notification>,'
    '"notifications":<notifications>,"impactLevel":<impact_level>},'
    '"links":{"pullRequestLink":<pull_request_link>,"ticket":<ticket>},'
    '"metadata":{"createdAt":"<created>","duration":<duration>,"id":"<id>","slackId":<slack_id>,"tenant":<slug>,'
    '"updatedAt":"<updated>"},'
    '"changelog":[{"timestamp":"<created>","user":<created_by>,"changeType":"created","field":"","oldValue":"",'
    '"newValue":"","comment":"Event created"}<changes>]}'
)
_CHANGE = (
    ',{"timestamp":"<moment>","user":<user>,"changeType":"<type>","field":<field>,"oldValue":<old_value>,'
    '"newValue":<new_value>,"comment":<comment>}'
)
_TEXTS = ("title", "message", "source", "service", "owner", "pull_request_link", "ticket", "slack_id", "created_by")
_TEXTS_OF_CHANGE = ("user", "field", "old_value", "new_value", "comment")


def _written(template: str, expressions: dict[str, str]) -> str:
    """The expression that writes the template."""
    pieces = re.split("<(.*?)>", template)
    pieces[::2] = [f"'{text}'" for text in pieces[::2]]
    pieces[1::2] = [expressions[name] for name in pieces[1::2]]
    return f"concat({','.join(pieces)})"


def _text(column: str) -> str:
    return f"to_json({column})"


def _list(column: str) -> str:
    return f"CASE {column} WHEN '{{}}' THEN '[]' ELSE to_json({column})::text END"


def _word(column: str, names: type[IntEnum]) -> str:
    listed = ",".join([names(number).name for number in range(len(names))])
    return f"('{{{listed}}}'::text[])[{column} + 1]"


def _switch(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 'true' ELSE 'false' END"


def _utc(column: str) -> str:
    """A time as `_padded` takes it."""
    return f"replace(({column} AT TIME ZONE 'UTC')::text, ' ', 'T')"


def _padded(text: str) -> str:
    """The time with 0, 3 or 6 digits of a second, as `format_time` writes it."""
    more = f"rpad({text}, CASE WHEN length({text}) < 24 THEN 23 ELSE 26 END, '0')"
    return f"CASE length({text}) WHEN 26 THEN {text} WHEN 19 THEN {text} ELSE {more} END || 'Z'"


def _or_null(text: str) -> str:
    return f"""coalesce('"' || {text} || '"', 'null')"""


def _seconds(text: str) -> str:
    """Seconds of six digits behind the point, as `format_duration` writes them."""
    short = (
        f"WHEN right({text}, 6) = '000000' THEN left({text}, -7) WHEN right({text}, 3) = '000' THEN left({text}, -3)"
    )
    return f"CASE {short} ELSE {text} END || 's'"


_CHANGED = _written(
    _CHANGE,
    {name: _text(f"c.{name}") for name in _TEXTS_OF_CHANGE}
    | {"moment": _padded("c.moment"), "type": _word("c.type", words.ChangeType)},
)
_CHANGES = (
    f"CASE WHEN e.updated IS NOT NULL THEN (SELECT string_agg({_CHANGED}, '') FROM"  # noqa: S608 (our own columns)
    f" (SELECT *, {_utc('at')} AS moment FROM events_eventchange WHERE event_id = e.id ORDER BY id) AS c) END"
)
_LINE = _written(
    _EVENT,
    {name: _text(f"e.{name}") for name in _TEXTS}
    | {name: _list(f"e.{name}") for name in ("stakeholders", "notifications")}
    | {
        "type": _word("e.type", words.Type),
        "priority": _word("e.priority", words.Priority),
        "status": _word("e.status", words.Status),
        "environment": _word("e.environment", words.Environment),
        "related_id": "e.related_id",
        "impact": _switch("e.impact > 0"),
        "impact_level": "e.impact",
        "notification": _switch("e.notification"),
        "started": _or_null(_padded("e.started")),
        "ended": _or_null(_padded("e.ended")),
        "created": _padded("e.created"),
        "updated": _padded("coalesce(e.updated, e.created)"),
        "duration": _or_null(_seconds("e.lasted")),
        "id": "e.id",
        "slug": _text("e.slug"),
        "changes": _CHANGES,
    },
)
# What a window of events has beside its columns and the tenant's `slug`: expressions that are needed more than once.
BESIDE = {
    "started": _utc("started_at"),
    "ended": _utc("ended_at"),
    "created": _utc("created_at"),
    "lasted": "extract(epoch FROM duration)::text",
    "updated": f"CASE WHEN updated_at <> created_at THEN {_utc('updated_at')} END",
}


def selecting_lines(window: str, ascending: bool) -> str:
    """The statement that gives of each event of `window` its JSON, its id, and when it happened in UTC.

    Kept under 4,096 characters: of longer ones psycopg looks for the parameters anew each time.
    """
    way = "ASC" if ascending else "DESC"
    return (
        f"SELECT {_LINE}, e.id::text, (e.happened_at AT TIME ZONE 'UTC')::text"  # noqa: S608 (our own columns)
        f" FROM ({window}) AS e ORDER BY e.happened_at {way}, e.id {way}"
    )
