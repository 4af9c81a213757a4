"""The activity page: what one may see, searched, exported without harm, and the mark that the chain holds."""

from __future__ import annotations

import csv
import io
import json

import pgtrigger
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.activity import chain_mark
from events.models import DomainEvent
from events.views import harmless
from promotions.services import approve_request, comment_on_request, reject_request


def labels(response) -> list[str]:
    return [line.fact.type for line in response.context["lines"]]


def test_people_see_only_facts_they_may(browse, make_request, devops, other_devops, cpi, outsider, viewer, worker):
    make_request(by=devops)
    for user, count in ((devops, 1), (cpi, 1), (viewer, 1), (other_devops, 0), (outsider, 0), (worker, 0)):
        response = browse(user).get("/activity/")
        assert (user.email, len(response.context["lines"])) == (user.email, count)
        exported = b"".join(browse(user).get("/activity/export.ndjson")).decode()
        assert exported.count("\n") == count


def test_search_by_text_kind_person_and_date(browse, make_request, cpi, devops, target):
    first = make_request()
    approve_request(promotion=first, by=cpi)
    second = make_request(target_name="ledger")
    reject_request(promotion=second, by=cpi, reason="Not in this month please")
    client = browse(cpi)
    for address, types in {
        "?q=approv": ["promotion.approved"],
        "?q=ledger+rejected": ["promotion.rejected"],
        f"?q={first.number.lower()}": ["promotion.approved", "promotion.created"],
        "?q=cpi@example": ["promotion.rejected", "promotion.approved"],
        "?actor=me": ["promotion.rejected", "promotion.approved"],
        "?actor=system": [],
        "?type=deployment": [],
        "?type=promotion.created": ["promotion.created", "promotion.created"],
        "?since=2999-01-01": [],
        "?until=2999-01-01&type=promotion.rejected": ["promotion.rejected"],
        "?since=nonsense&q=ledger+created": ["promotion.created"],
        "?q=%27%21%26": [],
    }.items():
        assert (address, labels(client.get("/activity/" + address))) == (address, types)


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1"])
def test_no_cell_of_a_spreadsheet_acts_as_a_formula(evil):
    assert harmless(evil) == f"'{evil}"
    assert harmless("payment-api") == "payment-api"
    assert harmless(7) == 7


def test_exports_hold_what_the_page_shows(browse, make_request, cpi):
    make_request()
    make_request(target_name="ledger")
    text = b"".join(browse(cpi).get("/activity/export.csv?q=ledger")).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["type"] for row in rows] == ["promotion.created"]
    assert rows[0]["hash"] == DomainEvent.objects.latest("sequence").hash
    line = json.loads(b"".join(browse(cpi).get("/activity/export.ndjson?q=ledger")))
    assert line["subject"]["type"] == "promotion"
    assert browse(cpi).get("/activity/export.xlsx").status_code == 404


def test_the_chain_mark_moves_on_and_tells_of_a_break(pending, devops):
    assert chain_mark().complete
    comment_on_request(promotion=pending, by=devops, comment="One more")
    assert chain_mark().complete
    with pgtrigger.ignore("events.DomainEvent:append_only"):
        DomainEvent.objects.filter(sequence=2).update(actor_label="someone else")
    from django.core.cache import cache

    cache.clear()
    mark = chain_mark()
    assert "changed after it was written" in mark.reason
    assert not mark.complete


def test_the_page_makes_at_most_eight_queries(browse, pending, devops, cpi):
    for number in range(60):
        comment_on_request(promotion=pending, by=devops, comment=f"Comment {number}")
    client = browse(cpi)
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/activity/")
    assert len(queries) <= 8
    assert len(response.context["lines"]) == 50
    older = client.get(f"/activity/?before={response.context['page'].older}")
    assert len(older.context["lines"]) == 11
    back = client.get(f"/activity/?after={older.context['page'].newer}")
    assert labels(back) == labels(response)
