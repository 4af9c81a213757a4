"""The JSON of every message, to the letter: golden files of each message empty and full, and how input is read."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from google.protobuf import json_format

from core.errors import InvalidInput
from events.tracker.vocabulary import GUIDE_STATUS_NUMBERS
from events.tracker.wire.codec import Reading, codec_of
from events.tracker.wire.messages import FILES, STATUS, message
from events.tracker.wire.scalars import format_duration, format_time

GOLDEN = Path(__file__).with_name("golden.json")
ALL = sorted((package, name) for package, file in FILES.items() for name in file.message_types_by_name)
MOMENT = dt.datetime(2024, 1, 15, 10, 0, 0, 250_000, tzinfo=dt.UTC)
SCALARS = {
    "string": "text", "bool": True, "int32": -7, "uint32": 7, "int64": -(2**53) - 1, "uint64": 2**53 + 1, "float": 1.5,
    "google.protobuf.Timestamp": MOMENT, "google.protobuf.Duration": dt.timedelta(seconds=301, milliseconds=500),
    "google.protobuf.FieldMask": ["attributes.status", "title"],
}  # fmt: skip


def full(codec, depth=3):
    """A message with every field set."""
    plain = {}
    for field in codec.fields:
        if field.message and depth == 0:
            continue
        if field.map:
            plain[field.name] = {"key": "value"}
            continue
        one = (
            full(codec_of(field.message), depth - 1) if field.message
            else max(field.enum.names) if field.enum
            else SCALARS[field.wrapped or field.kind]
        )  # fmt: skip
        plain[field.name] = [one, one] if field.repeated else one
    return plain


def current():
    return {
        f"{package}.{name}": {
            "empty": message(package, name).render({}),
            "full": message(package, name).render(full(message(package, name))),
        }
        for package, name in ALL
    }


def test_json_of_every_message_is_as_it_was():
    """On a wanted change: python -m tests.events.tracker.golden, and read the difference."""
    assert current() == json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("package", "name"), ALL)
def test_json_agrees_with_the_reference_implementation(package, name):
    """What protobuf's own library prints with all fields, but for the nulls it leaves out and we emit."""
    codec = message(package, name)
    for plain in ({}, full(codec)):
        reference = json_format.MessageToDict(codec.to_proto(plain), always_print_fields_with_no_presence=True)
        assert without_nulls(codec.render(plain)) == reference


def without_nulls(value):
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("package", "name"), ALL)
def test_nothing_is_lost_on_the_way_there_and_back(package, name):
    codec = message(package, name)
    plain = full(codec)
    assert codec.from_proto(codec.make.FromString(codec.to_proto(plain).SerializeToString())) == plain
    if "impact" not in plain:
        assert codec.parse(json.loads(json.dumps(codec.render(plain)))) == plain


EVENT = message("event", "CreateEventRequest")
AS_ON_THE_WIRE = Reading()
AS_IN_THE_GUIDE = Reading(lambda enum: GUIDE_STATUS_NUMBERS if enum == STATUS else {})


def attributes(reading=AS_IN_THE_GUIDE, **given):
    return EVENT.parse({"attributes": given}, reading=reading)["attributes"]


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({"startDate": "2024-01-15T10:00:00.25Z"}, {"start_date": MOMENT}),
        ({"start_date": "2024-01-15T11:00:00.250+01:00"}, {"start_date": MOMENT}),
        ({"startDate": "2024-01-15t10:00:00.250000999z"}, {"start_date": MOMENT}),
        ({"startDate": None}, {"start_date": None}),
        ({"type": "deployment"}, {"type": 1}),
        ({"type": "DEPLOYMENT"}, {"type": 1}),
        ({"environment": "tnr"}, {"environment": 3}),
        ({"type": 1}, {"type": 1}),
        ({"type": "1"}, {"type": 1}),
        ({"type": 1.0}, {"type": 1}),
        ({"type": None}, {"type": 0}),
        ({"impact": True}, {"impact": True}),
        ({"impact": 3}, {"impact": 3}),
        ({"impact": "2"}, {"impact": 2}),
        ({"stakeHolders": ["a"]}, {"stake_holders": ["a"]}),
        ({"stakeHolders": None}, {"stake_holders": []}),
        ({"message": ""}, {"message": ""}),
        ({"unheardOf": 1}, {}),
    ],
)
def test_how_input_is_read(given, plain):
    assert attributes(**given) == plain


GUIDE = {1: "start", 3: "success", 4: "failure", 5: "warning", 6: "error", 7: "open", 8: "close", 9: "done"}


def test_numbers_of_a_status_mean_what_the_guide_says():
    names = codec_of(FILES["event"].message_types_by_name["EventAttributes"]).by_key["status"].enum.names
    assert {number: names[attributes(status=number)["status"]] for number in GUIDE} == GUIDE
    assert attributes(status="9")["status"] == attributes(status="done")["status"] == 11


def test_numbers_of_a_status_mean_what_the_wire_says_where_that_is_asked():
    for number in range(15):
        assert attributes(reading=AS_ON_THE_WIRE, status=number)["status"] == number


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "nope"}, 'invalid value for enum field attributes.type: "nope"'),
        ({"type": 99}, "99"),
        ({"type": True}, "true"),
        ({"type": []}, "attributes.type"),
        ({"startDate": "2024-01-15"}, "attributes.startDate"),
        ({"startDate": "2024-01-15T10:00:00"}, "attributes.startDate"),
        ({"startDate": "2024-02-30T10:00:00Z"}, "attributes.startDate"),
        ({"startDate": "0001-01-01T00:00:00+23:59"}, "attributes.startDate"),
        ({"startDate": 5}, "attributes.startDate"),
        ({"service": 5}, "invalid value for string field attributes.service"),
        ({"service": "a\x00b"}, "NUL"),
        ({"service": "\ud800"}, "surrogate"),
        ({"stakeHolders": "a"}, "must be a list"),
        ({"stakeHolders": [1]}, "attributes.stakeHolders[0]"),
        ({"notification": "yes"}, "bool field"),
        ({"impact": 4}, "0 to 3"),
        ({"impact": []}, "attributes.impact"),
        ({"startDate": None, "start_date": None}, "duplicate field attributes.startDate"),
    ],
)
def test_what_is_refused_is_named(given, words):
    with pytest.raises(InvalidInput) as refused:
        attributes(**given)
    assert words in refused.value.message


@pytest.mark.parametrize("body", [[], "x", 5, True])
def test_a_body_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidInput, match="JSON object"):
        EVENT.parse(body)


def test_times_and_durations_have_0_3_or_6_digits():
    assert format_time(MOMENT.replace(microsecond=0)) == "2024-01-15T10:00:00Z"
    assert format_time(MOMENT) == "2024-01-15T10:00:00.250Z"
    assert format_time(MOMENT.replace(microsecond=1)) == "2024-01-15T10:00:00.000001Z"
    assert format_time(MOMENT.astimezone(dt.timezone(dt.timedelta(hours=5)))) == "2024-01-15T10:00:00.250Z"
    assert format_duration(dt.timedelta(seconds=301, milliseconds=500)) == "301.500s"
    assert format_duration(dt.timedelta(seconds=-1, microseconds=-1)) == "-1.000001s"
    assert format_duration(dt.timedelta()) == "0s"
