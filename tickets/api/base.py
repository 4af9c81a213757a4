"""What the REST views of tickets share: finding what an address names, versions, pages."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView
from core.errors import InvalidInput
from tickets import selectors
from tickets.api.fields import cursor_text
from tickets.api.forms import TenantQuery
from tickets.models import Ticket
from tickets.wire import render_ticket_in_full

READ, WRITE, WORK, DECIDE = "tickets:read", "tickets:write", "tickets:work", "tickets:decide"
_ETAG = re.compile(r'"([1-9][0-9]{0,9})"')

NEXT_PAGE = OpenApiParameter(
    "Link", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200],
    description='`<…>; rel="next"`: the address of the next page; absent on the last one.',
)  # fmt: skip
VERSION = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200, 201],
    description="`version` in quotes; send it as If-Match to change exactly what you read.",
)  # fmt: skip
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag that was read; 412 `version_conflict` when the ticket changed since.",
)  # fmt: skip


class TicketsApiView(ApiView):
    """What these views have in common."""

    tag = "Tickets"


class OneTicketView(TicketsApiView):
    """A view of the ticket that the address names; `tenant` says which where a key is in several."""

    queries = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), TenantQuery)

    def ticket(self, key: str) -> Ticket:
        return selectors.find_ticket(user=self.user, key=key, tenant=self.query.get("tenant", ""))

    def version(self, form: dict[str, Any]) -> int | None:
        """The version that the caller read, from the body or If-Match; None when neither says."""
        if_match, version = self.request.headers.get("If-Match"), form.get("version")
        if if_match is None or if_match.strip() == "*":
            return version
        tag = _ETAG.fullmatch(if_match.strip())
        if tag is None:
            raise InvalidInput({"If-Match": ["Send the one ETag that you got with the ticket, in its quotes."]})
        if version is not None and version != int(tag[1]):
            raise InvalidInput({"version": ["The body and If-Match name different versions; send one of them."]})
        return int(tag[1])


def show(ticket: Ticket, status: int = 200) -> Response:
    """The whole ticket, with its version as the ETag."""
    return Response(render_ticket_in_full(ticket), status=status, headers=etag(ticket))


def etag(ticket: Ticket) -> dict[str, str]:
    return {"ETag": f'"{ticket.version}"'}


def show_page(request: Request, rows: list[dict[str, Any]], following: int | None) -> Response:
    """A page, and where the next one is."""
    headers = {}
    if following is not None:
        query = request.GET.copy()
        query["cursor"] = cursor_text(following)
        headers["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
    return Response(rows, headers=headers)


def cut(found: list[Any], limit: int) -> tuple[list[Any], int | None]:
    """The page of rows read with one more than `limit`, and the cursor of the next one."""
    return found[:limit], found[limit - 1].pk if len(found) > limit else None
