"""The activity page: the audit log for people, with search and export."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.pages import person_of
from core.canonical import utc_text
from core.console import is_partial
from core.errors import NotFound
from core.paging import page_of
from events import activity, deliveries
from events.models import DomainEvent

PER_PAGE = 50
MOST_EXPORTED = 50_000
COLUMNS = ("sequence", "time", "type", "tenant", "subject", "label", "actor", "through", "hash")


@require_safe
@login_required
def activity_page(request: HttpRequest) -> HttpResponse:
    """Every fact this person may see, newest first."""
    user = person_of(request)
    wanted = activity.ActivityFilter.of(request.GET)
    facts = activity.for_lines(activity.find_facts(user, wanted))
    page = page_of(facts, request.GET, size=PER_PAGE, key="sequence")
    context = {
        "wanted": wanted,
        "page": page,
        "lines": activity.as_lines(page.rows),
        "mark": activity.chain_mark(),
        "administers": deliveries.may_see_any(user),
        "kinds": sorted({kind.partition(".")[0] for kind in activity.PAGES} | {"deployment"}),
    }
    template = "activity/page.html#list" if is_partial(request) and request.GET.get("part") else "activity/page.html"
    return render(request, template, context)


@require_safe
@login_required
def activity_export(request: HttpRequest, form: str) -> StreamingHttpResponse:
    """The same facts as a file, newest first, at most 50,000."""
    user = person_of(request)
    writers = {"csv": (csv_lines, "text/csv; charset=utf-8"), "ndjson": (json_lines, "application/x-ndjson")}
    if form not in writers:
        raise NotFound("Exports are csv or ndjson.")
    write, content_type = writers[form]
    facts = activity.find_facts(user, activity.ActivityFilter.of(request.GET)).select_related("tenant")
    rows = facts.order_by("-sequence")[:MOST_EXPORTED].iterator(chunk_size=1000)
    return StreamingHttpResponse(
        write(rows),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="stagepass-activity.{form}"'},
    )


def csv_lines(facts: Iterator[DomainEvent]) -> Iterator[str]:
    """Comma-separated lines in which no cell can act as a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in _rows(facts):
        writer.writerow([harmless(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def _rows(facts: Iterator[DomainEvent]) -> Iterator[tuple[object, ...]]:
    yield COLUMNS
    for fact in facts:
        yield (
            fact.sequence, utc_text(fact.occurred_at), fact.type, fact.tenant.slug if fact.tenant else "",
            f"{fact.subject_type}:{fact.subject_id}", fact.subject_label, fact.actor_label, fact.surface, fact.hash,
        )  # fmt: skip


def harmless(cell: object) -> object:
    """Text that a spreadsheet would run gets a leading apostrophe, as spreadsheets themselves mark plain text."""
    if (isinstance(cell, str) and cell.lstrip().startswith(("=", "+", "-", "@"))) or str(cell)[:1] in {
        "\t",
        "\r",
        "\n",
    }:
        return f"'{cell}"
    return cell


def json_lines(facts: Iterator[DomainEvent]) -> Iterator[str]:
    """One JSON object a line, with the fact's data."""
    for fact in facts:
        row = {
            "sequence": fact.sequence, "id": str(fact.id), "time": utc_text(fact.occurred_at), "type": fact.type,
            "tenant": fact.tenant.slug if fact.tenant else None,
            "subject": {"type": fact.subject_type, "id": fact.subject_id, "label": fact.subject_label},
            "actor": fact.actor_label, "through": fact.surface, "data": fact.data, "hash": fact.hash,
        }  # fmt: skip
        yield json.dumps(row, ensure_ascii=False) + "\n"
