"""Messages between three forms: protobuf's JSON, protobuf messages, and plain dictionaries by field name.

The plain form is what the services take and give: snake-case names, enums as numbers, times as aware datetimes, durations
as timedeltas, absent messages as None. Parsing JSON keeps apart what was absent (no key) and what was empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from events.tracker.wire import scalars
from events.tracker.wire.scalars import refuse, shown

Plain = dict[str, Any]

_KINDS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_UINT64: "uint64",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_DOUBLE: "float",
    FieldDescriptor.TYPE_ENUM: "enum",
}
_FIELD_MASK = "google.protobuf.FieldMask"
_DEFAULTS: dict[str, Any] = {"string": "", "bool": False, "float": 0.0}
_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "string": scalars.parse_text,
    "bool": scalars.parse_bool,
    "float": scalars.parse_float,
    "google.protobuf.Timestamp": scalars.parse_time,
    "google.protobuf.Duration": scalars.parse_duration,
    _FIELD_MASK: scalars.parse_mask,
    **{kind: scalars.parse_whole(kind) for kind in ("int32", "uint32", "int64", "uint64")},
}
_WRAPPERS = {
    "google.protobuf.StringValue": "string",
    "google.protobuf.BoolValue": "bool",
    "google.protobuf.Int32Value": "int32",
    "google.protobuf.UInt32Value": "uint32",
    "google.protobuf.Int64Value": "int64",
    "google.protobuf.UInt64Value": "uint64",
    "google.protobuf.DoubleValue": "float",
}
# Where the wire's JSON is read more widely than its type says: the guide sends the level of an impact, not a switch.
_WIDER: dict[str, Callable[[Any, str], Any]] = {}


def read_wider(field_name: str, parse: Callable[[Any, str], Any]) -> None:
    """Let JSON values of this field (by its full name) be read by `parse`."""
    _WIDER[field_name] = parse


@dataclass(frozen=True, slots=True)
class Reading:
    """How numbers of enums are read: `numbers(full name of the enum)` has those that mean another number."""

    numbers: Callable[[str], Mapping[int, int]] = field(default=lambda enum: {})


Parser = Callable[[Any, str, Reading], Any]


class EnumCodec:
    """The words of one enum."""

    def __init__(self, descriptor: EnumDescriptor) -> None:
        self.full_name = descriptor.full_name
        self.names = {value.number: value.name for value in descriptor.values}
        self.numbers = {value.name: value.number for value in descriptor.values}
        self.folded = {name.lower(): number for name, number in self.numbers.items()}

    def parse(self, value: Any, path: str, reading: Reading) -> int:
        """A name in any case, or a number (also as text) as `reading` counts."""
        if isinstance(value, str):
            known = self.numbers.get(value)
            if known is None:
                known = self.folded.get(value.lower())
            if known is not None:
                return known
            value = int(value) if value.isascii() and value.isdecimal() and len(value) < 10 else value
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is int:
            value = reading.numbers(self.full_name).get(value, value)
            if value in self.names:
                return int(value)
        raise refuse(
            path, f"invalid value for enum field {path}: {shown(value)} is not a valid value; one of {self.listed}"
        )

    @property
    def listed(self) -> str:
        return ", ".join(name for number, name in self.names.items() if number)


class FieldCodec:
    """One field: how it is called, parsed and rendered."""

    def __init__(self, descriptor: FieldDescriptor) -> None:
        self.name = descriptor.name
        self.json = descriptor.json_name
        self.full_name = descriptor.full_name
        self.number = descriptor.number
        self.repeated = descriptor.is_repeated
        self.kind = _KINDS.get(descriptor.type) or descriptor.message_type.full_name
        self.enum = EnumCodec(descriptor.enum_type) if self.kind == "enum" else None
        message = descriptor.message_type
        self.map = bool(message and message.GetOptions().map_entry)
        self.wrapped = _WRAPPERS.get(self.kind)
        self.plain = self.kind in _PARSERS or self.wrapped or self.map or self.enum
        self.message = None if self.plain else message
        self.is_message = message is not None

    def default(self) -> Any:
        if self.map:
            return {}
        if self.repeated:
            return []
        return None if self.is_message else _DEFAULTS.get(self.kind, 0)

    # From JSON

    def parser(self) -> Parser:
        """What makes the field's plain value of a JSON value; null is its default."""
        if self.map:
            return lambda value, path, reading: {} if value is None else self._parse_map(value, path)
        default = self.default()
        if not self.repeated and (parse := self._simple_parser()):
            return lambda value, path, reading: default if value is None else parse(value, path)
        one = self.item_parser()
        if self.repeated:
            return lambda value, path, reading: [] if value is None else _parse_list(one, value, path, reading)
        return lambda value, path, reading: default if value is None else one(value, path, reading)

    def item_parser(self) -> Parser:
        """The same for one item of a list; null is no item."""
        if parse := self._simple_parser():
            return lambda value, path, reading: parse(value, path)
        if self.enum:
            return self.enum.parse
        assert self.message
        return codec_of(self.message).parse

    def _simple_parser(self) -> Callable[[Any, str], Any] | None:
        """The parser of a value that reads the same for everybody and has no parts."""
        return _WIDER.get(self.full_name) or _PARSERS.get(self.wrapped or self.kind)

    def _parse_map(self, value: Any, path: str) -> dict[str, str]:
        if not isinstance(value, dict):
            raise refuse(path, f"{path} must be an object, not {shown(value)}")
        return {scalars.parse_text(key, path): scalars.parse_text(item, f"{path}.{key}") for key, item in value.items()}

    # To JSON

    def renderer(self) -> Callable[[Any], Any]:
        one = self._renderer_of_one()
        if not self.repeated or self.map:
            return one
        return (lambda values: values) if one is _as_it_is else (lambda values: [one(value) for value in values])

    def _renderer_of_one(self) -> Callable[[Any], Any]:
        if self.enum:
            return self.enum.names.__getitem__
        if self.message:
            inner = codec_of(self.message)
            return lambda value: None if value is None else inner.render(value)
        if self.kind == "google.protobuf.Timestamp":
            return lambda value: None if value is None else scalars.format_time(value)
        if self.kind == "google.protobuf.Duration":
            return lambda value: None if value is None else scalars.format_duration(value)
        if self.kind == _FIELD_MASK:
            return lambda value: None if value is None else scalars.format_mask(value)
        if (self.wrapped or self.kind) in {"int64", "uint64"}:
            return lambda value: None if value is None else str(value)
        return _as_it_is

    # From and to protobuf

    def from_proto(self, message: Any) -> Any:
        if self.map:
            return {key: scalars.parse_text(value, self.name) for key, value in getattr(message, self.name).items()}
        if self.repeated:
            return [self._one_from_proto(item) for item in getattr(message, self.name)]
        if self.is_message and not message.HasField(self.name):
            return None
        return self._one_from_proto(getattr(message, self.name))

    def _one_from_proto(self, value: Any) -> Any:
        if self.kind == "string":
            return scalars.parse_text(value, self.json)
        if not self.is_message:
            return value
        if self.message:
            return codec_of(self.message).from_proto(value)
        if self.kind == _FIELD_MASK:
            return list(value.paths)
        if self.wrapped:
            return value.value
        return _from_well_known(self.kind, value, self.name)

    def to_proto(self, message: Any, value: Any) -> None:
        """Set the field; an absent message (None) and a scalar's default stay unset."""
        if value is None:
            return
        if not self.is_message and not self.repeated:
            setattr(message, self.name, value)
            return
        target = getattr(message, self.name)
        if self.map:
            target.update(value)
        elif self.repeated:
            self._extend(target, value)
        else:
            target.SetInParent()
            self._fill(target, value)

    def _extend(self, target: Any, values: list[Any]) -> None:
        if not self.message:
            target.extend(values)
            return
        for item in values:
            codec_of(self.message).fill(target.add(), item)

    def _fill(self, target: Any, value: Any) -> None:
        if self.message:
            codec_of(self.message).fill(target, value)
        elif self.kind == "google.protobuf.Timestamp":
            target.FromDatetime(value)
        elif self.kind == "google.protobuf.Duration":
            target.FromTimedelta(value)
        elif self.kind == _FIELD_MASK:
            target.paths.extend(value)
        else:
            target.value = value


def _parse_list(one: Parser, value: Any, path: str, reading: Reading) -> list[Any]:
    if not isinstance(value, list):
        raise refuse(path, f"{path} must be a list, not {shown(value)}")
    return [one(item, f"{path}[{index}]", reading) for index, item in enumerate(value)]


def _as_it_is(value: Any) -> Any:
    return value


def _from_well_known(kind: str, value: Any, name: str) -> Any:
    try:
        if kind == "google.protobuf.Duration":
            return value.ToTimedelta()
        return value.ToDatetime(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        raise refuse(name, f"{name} is outside of what a calendar shows (years 1 to 9999).") from None


class MessageCodec:
    """One message."""

    def __init__(self, descriptor: Descriptor) -> None:
        self.full_name = descriptor.full_name
        self.make: Any = GetMessageClass(descriptor)
        self.fields = [FieldCodec(field) for field in descriptor.fields]
        self.by_key = {key: field for field in self.fields for key in (field.name, field.json)}
        self._parsers: dict[str, tuple[str, str, Parser]] | None = None
        self._renderers: list[tuple[str, str, Callable[[Any], Any], Any]] | None = None

    def parse(self, value: Any, path: str = "", reading: Reading | None = None) -> Plain:
        """What a JSON object says: only the keys it has; unknown ones are ignored. InvalidInput names the place."""
        if not isinstance(value, dict):
            raise refuse(path or "body", f"{path or 'the body'} must be a JSON object, not {shown(value)}")
        if self._parsers is None:
            self._parsers = {key: (each.name, each.json, each.parser()) for key, each in self.by_key.items()}
        reading = reading or Reading()
        plain: Plain = {}
        known = self._parsers
        above = f"{path}." if path else ""
        for key, item in value.items():
            if key not in known:
                continue
            name, json, parse = known[key]
            inner = above + json
            if name in plain:
                raise refuse(inner, f"duplicate field {inner}: it is given as {json} and as {name}")
            plain[name] = parse(item, inner, reading)
        return plain

    def render(self, plain: Plain) -> Plain:
        """The message as protobuf's JSON with everything emitted; missing keys are defaults."""
        if self._renderers is None:
            self._renderers = [(field.json, field.name, field.renderer(), field.default()) for field in self.fields]
        return {json: render(plain.get(name, default)) for json, name, render, default in self._renderers}

    def from_proto(self, message: Any) -> Plain:
        """All fields of a protobuf message, unset ones with their defaults."""
        return {field.name: field.from_proto(message) for field in self.fields}

    def set_fields(self, message: Any) -> Plain:
        """Only the fields that are set in a protobuf message; nested messages are whole."""
        return {each.name: self.by_key[each.name].from_proto(message) for each, _ in message.ListFields()}

    def to_proto(self, plain: Plain) -> Any:
        message = self.make()
        self.fill(message, plain)
        return message

    def fill(self, message: Any, plain: Plain) -> None:
        for each in self.fields:
            if each.name in plain:
                each.to_proto(message, plain[each.name])


@cache
def codec_of(descriptor: Descriptor) -> MessageCodec:
    return MessageCodec(descriptor)
