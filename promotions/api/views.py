"""The REST views of promotion requests: parse, one call, present."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView, created
from core.errors import InvalidInput
from promotions import services
from promotions.api.answers import (
    DeploymentDocument,
    LogPiece,
    PromotionRequestDocument,
    StatsDocument,
    render_deployment,
)
from promotions.api.forms import (
    ApproveAfterwards,
    ApproveRequest,
    BreakGlass,
    CommentForm,
    CreatePromotionRequest,
    EditPromotionRequest,
    ListQuery,
    LogQuery,
    Nothing,
    ObjectToRequest,
    OptionalReason,
    RejectRequest,
    RollbackReason,
    content_from,
    cursor_text,
    wanted_from,
)
from promotions.models import PromotionRequest
from promotions.selectors import (
    Page,
    deployment_of,
    deployments_of,
    list_decidable_requests,
    list_my_requests,
    list_requests,
    log_piece,
    render_requests,
    stats_of,
    tenant_for_new_request,
)
from promotions.services.transition import visible_request
from promotions.states import DEPLOYMENT_ACTIVE

BASE = "/v1/requests/prod"
READ, WRITE, DECIDE = "requests:read", "requests:write", "requests:decide"
_ETAG = re.compile(r'"([0-9a-f]{64})"')

NEXT_PAGE = OpenApiParameter(
    "Link",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200],
    description='`<…>; rel="next"`: the address of the next page; absent on the last one.',
)
DIGEST = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, response=[200, 201],
    description="`status.digest` in quotes: what an approval is bound to.",
)  # fmt: skip
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="The ETag of what was reviewed; otherwise 409 `content_changed`.",
)  # fmt: skip


class RequestsApiView(ApiView):
    """What these views have in common."""

    tag = "Promotion requests"


def show(promotion: PromotionRequest, status: int = 200) -> Response:
    """One request's document, with the digest as its ETag."""
    return Response(render_requests([promotion])[0], status=status, headers=_etag(promotion))


def _etag(promotion: PromotionRequest) -> dict[str, str]:
    return {"ETag": f'"{promotion.digest}"'}


def show_page(request: Request, page: Page) -> Response:
    """The documents of a page, and where the next one is."""
    headers = {}
    if page.next is not None:
        query = request.GET.copy()
        query["cursor"] = cursor_text(page.next)
        headers["Link"] = f'<{request.build_absolute_uri(request.path)}?{query.urlencode()}>; rel="next"'
    return Response(render_requests(page.promotions), headers=headers)


class RequestsView(RequestsApiView):
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": ListQuery}

    @extend_schema(operation_id="list_requests", responses=PromotionRequestDocument(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request) -> Response:
        """The requests that I may see, newest first."""
        return show_page(request, list_requests(**_page_of(self)))

    @extend_schema(
        operation_id="create_request",
        request=CreatePromotionRequest,
        responses={201: PromotionRequestDocument},
        parameters=[DIGEST],
    )
    def post(self, request: Request) -> Response:
        """Ask to bring a version from staging to production."""
        form = self.body(CreatePromotionRequest)
        promotion = services.create_request(
            tenant=tenant_for_new_request(self.user, form["tenant"]), content=content_from(form), by=self.user
        )
        return _made(promotion)


def _page_of(view: ApiView) -> dict[str, Any]:
    query = view.query
    return {"user": view.user, "wanted": wanted_from(query), "limit": query["limit"], "before": query["cursor"]}


def _made(promotion: PromotionRequest) -> Response:
    return created(render_requests([promotion])[0], f"{BASE}/{promotion.number}", _etag(promotion))


class MyRequestsView(RequestsApiView):
    scopes = READ
    queries = {"GET": ListQuery}

    @extend_schema(
        operation_id="list_my_requests", responses=PromotionRequestDocument(many=True), parameters=[NEXT_PAGE]
    )
    def get(self, request: Request) -> Response:
        """The requests that I made, newest first."""
        return show_page(request, list_my_requests(**_page_of(self)))


class PendingRequestsView(RequestsApiView):
    scopes = READ
    queries = {"GET": ListQuery}

    @extend_schema(
        operation_id="list_decidable_requests",
        responses=PromotionRequestDocument(many=True),
        parameters=[NEXT_PAGE],
    )
    def get(self, request: Request) -> Response:
        """The pending requests that I may approve or reject, newest first; never my own."""
        return show_page(request, list_decidable_requests(**_page_of(self)))


class StatsView(RequestsApiView):
    scopes = READ

    @extend_schema(operation_id="stats", responses=StatsDocument)
    def get(self, request: Request) -> Response:
        """How many wait, were decided today and deployed this week, of those that I may list."""
        stats = stats_of(self.user)
        return Response(
            {
                "pending": stats.pending,
                "approvedToday": stats.approved_today,
                "rejectedToday": stats.rejected_today,
                "deployedThisWeek": stats.deployed_this_week,
            }
        )


class RequestView(RequestsApiView):
    scopes = {"GET": READ, "PUT": WRITE}

    @extend_schema(operation_id="read_request", responses=PromotionRequestDocument, parameters=[DIGEST])
    def get(self, request: Request, number: str) -> Response:
        """One request, with its whole history."""
        return show(visible_request(self.user, number))

    @extend_schema(
        operation_id="edit_request",
        request=EditPromotionRequest,
        responses=PromotionRequestDocument,
        parameters=[DIGEST, IF_MATCH],
    )
    def put(self, request: Request, number: str) -> Response:
        """Replace what my pending request asks for; whoever reviewed it has to review it again.

        Say in `If-Match` what you read, and an edit that came in between is not overwritten.
        """
        promotion = visible_request(self.user, number)
        content = content_from(self.body(EditPromotionRequest))
        digest = _reviewed(None, request.headers.get("If-Match"))
        return show(services.edit_request(promotion=promotion, content=content, by=self.user, digest=digest))


class ApproveView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(
        operation_id="approve_request",
        request=ApproveRequest,
        responses=PromotionRequestDocument,
        parameters=[IF_MATCH],
    )
    def post(self, request: Request, number: str) -> Response:
        """Approve someone else's pending request; it deploys now, or at its scheduled date.

        Say in `digest` or `If-Match` what you reviewed, and nothing else can be approved by it; otherwise the content as
        this call finds it is.
        """
        promotion = visible_request(self.user, number)
        form = self.body(ApproveRequest)
        digest = _reviewed(form["digest"], request.headers.get("If-Match"))
        return show(
            services.approve_request(promotion=promotion, by=self.user, comment=form["comment"] or "", digest=digest)
        )


def _reviewed(digest: str | None, if_match: str | None) -> str | None:
    """The digest that the caller reviewed, from the body or the header; None when neither says."""
    if if_match is None or if_match.strip() == "*":
        return digest
    tag = _ETAG.fullmatch(if_match.strip())
    if tag is None:
        raise InvalidInput({"If-Match": ["Send the one ETag that you got with the request, in its quotes."]})
    if digest is not None and digest != tag[1]:
        raise InvalidInput({"digest": ["The body and If-Match name different contents; send one of them."]})
    return tag[1]


class RejectView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(operation_id="reject_request", request=RejectRequest, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Reject someone else's pending or scheduled request, with the reason."""
        promotion = visible_request(self.user, number)
        form = self.body(RejectRequest)
        return show(services.reject_request(promotion=promotion, by=self.user, reason=form["reason"]))


class BreakGlassView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(
        operation_id="break_glass", request=BreakGlass, responses=PromotionRequestDocument, parameters=[IF_MATCH]
    )
    def post(self, request: Request, number: str) -> Response:
        """Deploy a pending request at once, before anyone approved it; CPI admins only, and reviewed afterwards."""
        promotion = visible_request(self.user, number)
        form = self.body(BreakGlass)
        digest = _reviewed(form["digest"], request.headers.get("If-Match"))
        return show(services.break_glass(promotion=promotion, by=self.user, reason=form["reason"], digest=digest))


class ApproveAfterwardsView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(operation_id="approve_afterwards", request=ApproveAfterwards, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Approve what was deployed by breaking the glass; never one's own, nor whose glass one broke."""
        promotion = visible_request(self.user, number)
        form = self.body(ApproveAfterwards)
        return show(services.approve_afterwards(promotion=promotion, by=self.user, comment=form["comment"] or ""))


class ObjectView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(operation_id="object_to_request", request=ObjectToRequest, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Object to what was deployed by breaking the glass, with the reason; ask for a rollback apart."""
        promotion = visible_request(self.user, number)
        form = self.body(ObjectToRequest)
        return show(services.object_to_request(promotion=promotion, by=self.user, reason=form["reason"]))


class WithdrawView(RequestsApiView):
    scopes = WRITE

    @extend_schema(operation_id="withdraw_request", request=OptionalReason, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Take my own pending or scheduled request back."""
        promotion = visible_request(self.user, number)
        form = self.body(OptionalReason)
        return show(services.withdraw_request(promotion=promotion, by=self.user, reason=form["reason"] or ""))


class RetryView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(operation_id="retry_deployment", request=Nothing, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Try a failed deployment again, under the approval that it has."""
        promotion = visible_request(self.user, number)
        self.body(Nothing)
        return show(services.retry_deployment(promotion=promotion, by=self.user))


class CancelView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(operation_id="cancel_deployment", request=OptionalReason, responses=PromotionRequestDocument)
    def post(self, request: Request, number: str) -> Response:
        """Stop the running deployment; the request fails once it has stopped."""
        promotion = visible_request(self.user, number)
        form = self.body(OptionalReason)
        return show(services.cancel_deployment(promotion=promotion, by=self.user, reason=form["reason"] or ""))


class RollbackView(RequestsApiView):
    scopes = DECIDE

    @extend_schema(
        operation_id="roll_back_request",
        request=RollbackReason,
        responses={201: PromotionRequestDocument},
    )
    def post(self, request: Request, number: str) -> Response:
        """Ask to bring back what production ran before this deployed request: a new request with its own approval."""
        promotion = visible_request(self.user, number)
        form = self.body(RollbackReason)
        return _made(services.roll_back_request(promotion=promotion, by=self.user, reason=form["reason"]))


class CommentsView(RequestsApiView):
    scopes = WRITE

    @extend_schema(operation_id="comment_on_request", request=CommentForm, responses={201: PromotionRequestDocument})
    def post(self, request: Request, number: str) -> Response:
        """Say something on the record; it becomes a line of the history."""
        promotion = visible_request(self.user, number)
        form = self.body(CommentForm)
        return show(services.comment_on_request(promotion=promotion, by=self.user, comment=form["comment"]), status=201)


class DeploymentsView(RequestsApiView):
    scopes = READ

    @extend_schema(operation_id="list_deployments", responses=DeploymentDocument(many=True))
    def get(self, request: Request, number: str) -> Response:
        """The attempts to deploy this request, newest first."""
        promotion = visible_request(self.user, number)
        return Response([render_deployment(deployment) for deployment in deployments_of(promotion)])


class DeploymentView(RequestsApiView):
    scopes = READ

    @extend_schema(operation_id="read_deployment", responses=DeploymentDocument)
    def get(self, request: Request, number: str, attempt: int) -> Response:
        """One attempt to deploy this request."""
        return Response(render_deployment(deployment_of(visible_request(self.user, number), attempt)))


class DeploymentLogView(RequestsApiView):
    scopes = READ
    queries = {"GET": LogQuery}

    @extend_schema(operation_id="read_deployment_log", responses=LogPiece)
    def get(self, request: Request, number: str, attempt: int) -> Response:
        """The attempt's output from a character on, a piece at a time."""
        deployment = deployment_of(visible_request(self.user, number), attempt)
        offset = self.query["offset"]
        text = log_piece(deployment, offset)
        ended = deployment.state not in DEPLOYMENT_ACTIVE
        end = offset + len(text)
        return Response(
            {
                "offset": offset,
                "nextOffset": end,
                "text": text,
                "complete": ended and end >= deployment.log_length,  # type: ignore[attr-defined]
            }
        )
