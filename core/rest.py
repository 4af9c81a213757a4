"""What every REST face shares: strict JSON, strict fields, answers in JSON alone, both spellings of a path."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from django.conf import settings
from django.http import HttpRequest, QueryDict
from django.urls import URLPattern, path
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from core.canonical import canonical_json

LONGEST_NAME = 60


class TooLarge(APIException):
    """The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """RFC 8259 in UTF-8: no NaN, no repeated keys, no lone surrogates, bounded in size and depth."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 2 * 1024 * 1024
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"Send at most {limit} bytes at a time.")
        if not raw.strip():
            return {}
        try:
            value = json.loads(raw.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
            canonical_json(value).encode()
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"This is not JSON in UTF-8: {str(error)[:200]!a}.") from None
        return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name is given twice in one object")
    return value


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


class AlwaysFirst(BaseContentNegotiation):
    """Answers in the view's first form and reads bodies by their content type; the Accept header changes nothing."""

    def select_parser(self, request: Any, parsers: Any) -> BaseParser | None:
        content_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(
        self, request: Any, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class TextField(serializers.CharField):
    """Text and nothing that could be turned into text; blank and untrimmed, because the services say what is too short."""

    default_error_messages = {"invalid": "Give a text, in quotes.", "null": "Give a text; null is not one."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**({"allow_blank": True, "trim_whitespace": False} | options))

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return data


class WordField(serializers.ChoiceField):
    """One of a few words; which ones are allowed is for the services to say."""

    default_error_messages = {"invalid_word": "Give a text, in quotes.", "null": "Give a text; null is not one."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid_word")
        return data


class FlagField(serializers.BooleanField):
    """true or false; no text or number stands for them."""

    default_error_messages = {"invalid": "Say true or false, without quotes.", "null": "Say true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return bool(data)


class MomentField(serializers.DateTimeField):
    """RFC 3339 with its offset from UTC; a time without one is refused, for nobody can know what it means."""

    default_error_messages = {
        "invalid": "Give a time such as 2030-12-24T10:00:00Z.",
        "naive": "Say the offset from UTC too, such as 2030-12-24T10:00:00Z or 2030-12-24T10:00:00+01:00.",
    }

    def to_internal_value(self, value: Any) -> dt.datetime:
        if not isinstance(value, str) or "T" not in value.upper():
            self.fail("invalid", format="RFC 3339")
        try:
            moment = dt.datetime.fromisoformat(value)
            if moment.tzinfo is None:
                self.fail("naive")
            return moment.astimezone(dt.UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            self.fail("invalid", format="RFC 3339")


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not have, by name."""

    default_error_messages = {"not_an_object": "Send a JSON object.", "null": "Send a JSON object; null is not one."}
    what = "field"

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": [self.error_messages["not_an_object"]]})
        known = ", ".join(self.fields) or "none"
        errors: dict[str, Any] = {
            str(name)[:LONGEST_NAME]: [f"There is no such {self.what}; known: {known}."]
            for name in data
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**error.detail, **errors}) from None  # type: ignore[dict-item]
        if errors:
            raise serializers.ValidationError(errors)
        return value

    @classmethod
    def checked(cls, data: Any) -> dict[str, Any]:
        """The validated fields of the data; ValidationError names every one that is wrong."""
        try:
            return dict(cls._only_one().run_validation(data))
        except serializers.ValidationError:
            form = cls(data=data)  # which puts the errors into their usual shape
            form.is_valid(raise_exception=True)
            return dict(form.validated_data)

    @classmethod
    @cache
    def _only_one(cls) -> Self:
        """To check with, which changes nothing about it: making the fields anew takes longer than all they check."""
        return cls()


class ManyField(serializers.ListField):
    """A query parameter that may be repeated, or hold several values with commas between them."""

    def to_internal_value(self, data: Any) -> list[Any]:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            first = next(iter(error.detail.values())) if isinstance(error.detail, dict) else error.detail
            raise serializers.ValidationError(first) from None


class StrictQuery(StrictSerializer):
    """The query parameters that a view understands; any other is refused by name."""

    what = "parameter"

    @classmethod
    def read(cls, request: HttpRequest) -> dict[str, Any]:
        """The validated parameters; those not given are left out. ValidationError names what is wrong."""
        return cls.checked(cls._values(request.GET))

    @classmethod
    def _values(cls, given: QueryDict) -> dict[str, Any]:
        fields = cls._only_one().fields
        return {
            name: [part for value in values for part in value.split(",") if part]
            if isinstance(fields.get(name), ManyField)
            else cls._only(name, values)
            for name, values in given.lists()
        }

    @classmethod
    def _only(cls, name: str, values: list[Any]) -> Any:
        if len(values) != 1:
            raise serializers.ValidationError({name[:LONGEST_NAME]: ["Give this parameter once."]})
        return values[0]


class NoQuery(StrictQuery):
    """No query parameters."""


def both_spellings(route: str, view: Any, name: str) -> list[URLPattern]:
    """The path without and with a slash at its end; links are made without."""
    return [path(route, view, name=name), path(f"{route}/", view)]
