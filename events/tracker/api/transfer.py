"""Many events in one request: the batch that is recorded, the stream that is exported. Ours, not Tracker's."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt

from core.errors import InvalidInput
from events.tracker.access import READ, WRITE
from events.tracker.api.reading import read_json, read_query
from events.tracker.api.repeats import answering, once
from events.tracker.api.views import WrongMethod, caller_of, respond_json
from events.tracker.bulk import MAX_BATCH, record_events
from events.tracker.export import FORMATS, export_events
from events.tracker.operations.events import criteria_of
from events.tracker.wire.codec import Reading
from events.tracker.wire.messages import content_of, message


@csrf_exempt
def batch(request: HttpRequest) -> HttpResponse:
    """POST {"events": [...]}: up to a thousand events as POST /event takes them, all or none."""
    return answering(lambda: _record(request))


def _record(request: HttpRequest) -> HttpResponse:
    _only(request, "POST")
    caller = caller_of(request, WRITE)
    caller.require(WRITE)
    body = read_json(request.body)
    items = body.get("events") if isinstance(body, dict) else body
    if not isinstance(items, list) or not 0 < len(items) <= MAX_BATCH:
        raise InvalidInput({"events": [f'Send {{"events": [...]}} with 1 to {MAX_BATCH} events.']})
    tenant = caller.writable(str(body.get("tenant") or "") if isinstance(body, dict) else "")
    reading = caller.reading()
    contents = [_content(item, index, reading) for index, item in enumerate(items)]

    def record() -> HttpResponse:
        events = record_events(tenant=tenant, contents=contents, by=caller.actor)
        return respond_json({"ids": [str(event.id) for event in events], "count": len(events)})

    return once(request, caller, record)


def _content(item: Any, index: int, reading: Reading) -> dict[str, Any]:
    return content_of(message("event", "CreateEventRequest").parse(item, f"events[{index}]", reading))


@csrf_exempt
def export(request: HttpRequest) -> HttpResponse:
    """GET with the filters of a search and `format`: every event that matches, as NDJSON (default) or CSV."""
    return answering(lambda: _export(request))


def _export(request: HttpRequest) -> Any:
    _only(request, "GET")
    caller = caller_of(request, READ)
    caller.require(READ)
    format = request.GET.get("format", "ndjson")
    if format not in FORMATS:
        raise InvalidInput({"format": [f"format is one of {', '.join(FORMATS)}."]})
    codec = message("event", "SearchEventsRequest")
    criteria = criteria_of(caller, read_query(request.GET, codec, caller.reading()))
    response = StreamingHttpResponse(export_events(criteria, format), content_type=FORMATS[format])
    response.headers["Content-Disposition"] = f'attachment; filename="events.{format}"'
    return response


def _only(request: HttpRequest, method: str) -> None:
    if request.method != method:
        raise WrongMethod(f"{request.method} is not possible here; use {method}.")
