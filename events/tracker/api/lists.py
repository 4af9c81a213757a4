"""Lists of events: the operations of the same names, written as text at once because they are read so often."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpResponse

from events.tracker.access import Caller
from events.tracker.operations.events import criteria_of, criteria_of_today
from events.tracker.search import Criteria, find_page_of
from events.tracker.wire.codec import Plain
from events.tracker.wire.pages import LINES

LISTS: dict[str, Callable[[Caller, Plain], Criteria]] = {
    "SearchEvents": criteria_of,
    "ListEvents": criteria_of,
    "TodayEvents": criteria_of_today,
}


def respond_list(name: str, caller: Caller, request: Plain) -> HttpResponse:
    """The answer of one of LISTS."""
    page = find_page_of(
        LINES, LISTS[name](caller, request),
        per_page=request.get("per_page"), page=request.get("page"), cursor=request.get("cursor", ""),
    )  # fmt: skip
    body = (
        f'{{"events":[{",".join([line for line, *_ in page.events])}],"totalCount":{page.total},'
        f'"nextCursor":"{page.next_cursor}","totalCountCapped":{"true" if page.capped else "false"}}}'
    )
    return HttpResponse(body, content_type="application/json")
