"""Tracker's REST face in the OpenAPI document, made from its routes and messages."""

from __future__ import annotations

import re
from typing import Any

from accounts.openapi import IDEMPOTENCY_KEY
from events.tracker.api.routes import ROUTES, Route
from events.tracker.bulk import MAX_BATCH
from events.tracker.export import FORMATS
from events.tracker.operations import catalog, events, locks
from events.tracker.operations.table import OPERATIONS
from events.tracker.wire.codec import FieldCodec, MessageCodec, codec_of
from events.tracker.wire.messages import message

__all__ = ["catalog", "events", "locks", "with_tracker"]

Json = dict[str, Any]

PREFIX = "/api/v1alpha1/"
REFUSALS = {
    400: "A field or parameter is wrong; `details` names each.",
    401: "No token where one is needed, or an unknown, expired or revoked one.",
    403: "Your role or this token's scope does not allow it.",
    404: "It does not exist, or not for you.",
    405: "This address does not know the method.",
    409: "Someone holds the lock (`already locked`), or something else happened first.",
    413: "The body is too large.",
    422: "The Idempotency-Key was used with another content before.",
    503: "A part this needs does not answer, or the search takes too long; Retry-After says when to try again.",
}
SECURITY: list[Json] = [{"bearer": []}, {"apiKey": []}, {}]
_WHOLE = {"int32": (-(2**31), 2**31 - 1), "uint32": (0, 2**32 - 1)}
_SCALARS: dict[str, Json] = {
    "string": {"type": "string"},
    "bool": {"type": "boolean"},
    "float": {"type": "number"},
    "int64": {"type": "string", "pattern": "^-?[0-9]{1,19}$"},
    "uint64": {"type": "string", "pattern": "^[0-9]{1,20}$"},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{3,9})?s$"},
    "google.protobuf.FieldMask": {"type": "string"},
}
_SUMMARIES = {
    "CreateEvent": "Record an event",
    "UpdateEvent": "Change what is sent of an event, keep the rest",
    "GetEvent": "Read an event by its id or its Slack id",
    "DeleteEvents": "Delete an event",
    "GetEventChangelog": "Read the changelog of an event",
    "AddChangelogEntry": "Write a line into the changelog of an event",
    "AddSlackId": "Tie an event to a Slack message",
    "ListEvents": "List events, newest first",
    "SearchEvents": "Find events by filters and words",
    "TodayEvents": "List the events that begin today",
    "GetEventStats": "Count events of a time",
    "GetEventStatsByMonth": "Count events of a time by month",
    "CreateLock": "Hold a service",
    "GetLock": "Read a lock",
    "UpdateLock": "Change a lock",
    "UnLock": "Release a lock",
    "ListLocks": "List the locks that are held",
    "CreateUpdateCatalog": "Enter a service, or change it",
    "GetCatalog": "Read an entry of the catalog",
    "DeleteCatalog": "Delete an entry of the catalog",
    "ListCatalogs": "List the catalog",
    "GetVersionCompliance": "Judge whether projects use current versions",
    "UpdateVersions": "Set the versions of an entry",
    "UpdateDependencies": "Set the dependencies of an entry",
}
# What answers with one thing have beside it, as the guide shows them.
_BESIDE = {
    "event": {"id": {"type": "string"}, "title": {"type": "string"}, "createdAt": {"type": "string"}},
    "lock": {"id": {"type": "string"}},
}


def with_tracker(result: Json, **_: Any) -> Json:
    """The document with all addresses below /api/v1alpha1/."""
    schemas = result["components"].setdefault("schemas", {})
    schemas["TrackerError"] = _error()
    result["components"].setdefault("securitySchemes", {})["apiKey"] = {
        "type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same token, as Tracker's clients send it.",
    }  # fmt: skip
    for route in ROUTES:
        address = PREFIX + re.sub(r"<path_id:(\w+)>", r"{\1}", route.path)
        result["paths"].setdefault(address, {})[route.method.lower()] = _operation(route, schemas)
    result["paths"][PREFIX + "events/batch"] = {"post": _batch(schemas)}
    result["paths"][PREFIX + "events/export"] = {"get": _export()}
    return result


def _error() -> Json:
    return {
        "type": "object",
        "description": "A refusal with the number of gRPC's code, a sentence that says what to do, and what is at fault.",
        "properties": {
            "code": {"type": "integer"}, "message": {"type": "string"},
            "details": {"type": "array", "items": {"type": "object"}},
        },
        "required": ["code", "message", "details"],
    }  # fmt: skip


def _operation(route: Route, schemas: Json) -> Json:
    operation = OPERATIONS[route.package, route.operation]
    captured = re.findall(r"<path_id:(\w+)>", route.path)
    name = _snake(route.operation) + ("_by_get" if route.path.startswith("unlock") else "")
    answer = _answer(route, operation.response, schemas)
    described = _described(route.method, name, _SUMMARIES[route.operation], operation.scope, answer)
    described["parameters"] += [_in_path(one) for one in captured]
    if route.body:
        schema = _of_message(operation.request, schemas, asking=True)
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    else:
        fields = [field for field in operation.request.fields if not field.message and field.name not in captured]
        described["parameters"] += [_in_query(field) for field in fields]
    return described


def _described(method: str, name: str, summary: str, scope: str, answer: Json) -> Json:
    statuses = set(REFUSALS) - (set() if method in {"POST", "PUT"} else {413})
    statuses -= set() if method == "POST" else {422}
    statuses -= {409} if method == "GET" and name != "un_lock_by_get" else set()
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/TrackerError"}}}
    refusals = {str(one): {"description": REFUSALS[one], "content": error} for one in sorted(statuses)}
    tenant = {"in": "header", "name": "X-Tenant", "schema": {"type": "string"},
              "description": "The tenant that is meant, for callers of several."}  # fmt: skip
    key = {
        "in": "header", "name": IDEMPOTENCY_KEY.name, "schema": {"type": "string"},
        "description": f"{IDEMPOTENCY_KEY.description} For callers with a token.",
    }  # fmt: skip
    return {
        "operationId": f"tracker_{name}",
        "summary": summary,
        "description": f"{summary}.\n\nScope: `{scope}`.",
        "tags": ["Tracker"],
        "security": SECURITY,
        "parameters": [tenant, *([key] if method == "POST" else [])],
        "responses": {"200": answer, **refusals},
    }


def _answer(route: Route, codec: MessageCodec, schemas: Json) -> Json:
    schema = _of_message(codec, schemas, asking=False)
    if route.beside({"event": _ANYTHING, "lock": _ANYTHING}):
        beside = _BESIDE["event" if route.package == "event" else "lock"]
        schema = {"allOf": [schema, {"type": "object", "properties": beside, "required": list(beside)}]}
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


class _Anything(dict[str, Any]):
    """Has every key, so that a route can be asked what it puts beside an answer."""

    def __missing__(self, key: str) -> Any:
        return self


_ANYTHING = _Anything()


def _of_message(codec: MessageCodec, schemas: Json, *, asking: bool) -> Json:
    """A reference to the schema of a message: as it is asked (anything may be missing) or answered (nothing is)."""
    name = "Tracker" + codec.full_name.rpartition(".")[2] + ("Asked" if asking else "")
    if name not in schemas:
        schemas[name] = {"type": "object"}
        schemas[name]["properties"] = {field.json: _of_field(field, schemas, asking) for field in codec.fields}
        if not asking:
            schemas[name]["required"] = [field.json for field in codec.fields]
    return {"$ref": f"#/components/schemas/{name}"}


def _of_field(field: FieldCodec, schemas: Json, asking: bool) -> Json:
    if field.map:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    one = _of_one(field, schemas, asking)
    if field.repeated:
        return {"type": "array", "items": one}
    return {"anyOf": [one, {"type": "null"}]} if field.is_message or asking else one


def _of_one(field: FieldCodec, schemas: Json, asking: bool) -> Json:
    if field.message:
        return _of_message(codec_of(field.message), schemas, asking=asking)
    return _plain(field, asking)


def _plain(field: FieldCodec, asking: bool) -> Json:
    if field.json == "impact" and asking:
        return {"oneOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 3}]}
    if field.enum:
        words: Json = {"type": "string", "enum": list(field.enum.numbers)}
        return {"oneOf": [words, {"type": "integer", "description": "Its number."}]} if asking else words
    kind = field.wrapped or field.kind
    if kind in _WHOLE:
        least, most = _WHOLE[kind]
        return {"type": "integer", "minimum": least, "maximum": most}
    return _SCALARS[kind]


def _in_path(name: str) -> Json:
    return {
        "in": "path", "name": name, "required": True, "schema": {"type": "string", "minLength": 1, "maxLength": 400},
    }  # fmt: skip


def _in_query(field: FieldCodec) -> Json:
    one = _plain(field, asking=True)
    schema = {"type": "array", "items": one} if field.repeated else one
    return {"in": "query", "name": field.json, "required": False, "schema": schema}


def _batch(schemas: Json) -> Json:
    answer = {
        "type": "object",
        "properties": {"ids": {"type": "array", "items": {"type": "string"}}, "count": {"type": "integer"}},
        "required": ["ids", "count"],
    }
    content = {"application/json": {"schema": answer}}
    described = _described(
        "POST", "record_batch", "Record many events, all or none", "events:write",
        {"description": "All were recorded.", "content": content},
    )  # fmt: skip
    event = _of_message(message("event", "CreateEventRequest"), schemas, asking=True)
    asked = {
        "type": "object",
        "properties": {
            "events": {"type": "array", "items": event, "minItems": 1, "maxItems": MAX_BATCH},
            "tenant": {"type": "string"},
        },
        "required": ["events"],
    }
    return described | {"requestBody": {"required": True, "content": {"application/json": {"schema": asked}}}}


def _export() -> Json:
    content = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in FORMATS.values()}
    described = _described(
        "GET", "export_events", "Stream every event that matches", "events:read",
        {"description": "One event a line.", "content": content},
    )  # fmt: skip
    fields = message("event", "SearchEventsRequest").fields
    described["parameters"] += [
        _in_query(field) for field in fields if field.name not in {"per_page", "page", "cursor"}
    ]
    formats = {"in": "query", "name": "format", "schema": {"type": "string", "enum": list(FORMATS)}}
    return described | {"parameters": [*described["parameters"], formats]}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
