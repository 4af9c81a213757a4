"""The REST face of applications and stamps: parse, one service, present."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import ApiView
from core.errors import InvalidInput
from iep import selectors, services, wire
from iep.api import answers, forms
from iep.errors import PolicyRefused
from iep.models import Application, Module, Stamp
from iep.policies import judge
from iep.policies.base import Step
from iep.previews import make_link
from iep.selectors.conflicts import conflicts_of
from iep.selectors.diffs import compare_path
from iep.services.judgements import keep_after_all
from iep.states import Stage
from iep.types import Outcome

READ, WRITE, RELEASE = "iep:read", "iep:write", "iep:release"
_ETAG = re.compile(r'"([0-9]{1,9})"')
IF_MATCH = OpenApiParameter(
    "If-Match", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description='The stamp\'s ETag that was read, "0" when it must be new; 412 `revision_conflict` when it moved on.',
)  # fmt: skip
IF_PRODUCTION = OpenApiParameter(
    "If-Match-Production", OpenApiTypes.STR, OpenApiParameter.HEADER,
    description="Production's revision that was seen, in quotes; 412 when it moved on.",
)  # fmt: skip


class IepApiView(ApiView):
    """What these views have in common."""

    tag = "Import maps"
    scopes: ClassVar[str | dict[str, str]] = {"GET": READ, "POST": WRITE, "PUT": WRITE}

    def application(self, app: str) -> Application:
        return selectors.find_application(self.user, app)

    def stamp(self, app: str, ticket: str) -> Stamp:
        return selectors.find_stamp(self.application(app), ticket)

    def revision(self) -> int | None:
        """The stamp's revision that the caller read."""
        if self.request.headers.get("If-None-Match", "").strip() == "*":
            return 0
        return self._number("If-Match")

    def production(self) -> int | None:
        return self._number("If-Match-Production")

    def _number(self, header: str) -> int | None:
        given = self.request.headers.get(header, "").strip()
        if given in {"", "*"}:
            return None
        tag = _ETAG.fullmatch(given)
        if tag is None:
            raise InvalidInput({header: ['Send the one revision that you read, in its quotes, such as "7".']})
        return int(tag[1])

    def show(self, stamp: Stamp, status: int = 200, **more: Any) -> Response:
        return answer(wire.render_stamp(stamp, self.user) | more, stamp, status)


def answer(data: dict[str, Any], stamp: Stamp, status: int = 200) -> Response:
    return Response(data, status=status, headers={"ETag": f'"{stamp.revision}"'})


class ApplicationsView(IepApiView):
    @extend_schema(operation_id="list_applications", responses=answers.Application(many=True))
    def get(self, request: Request) -> Response:
        """The applications that I may see."""
        found = list(selectors.list_applications(self.user))
        counts = selectors.open_counts(found)
        return Response([wire.render_application(each, counts[each.pk], each.module_count) for each in found])  # type: ignore[attr-defined]


class ApplicationView(IepApiView):
    @extend_schema(operation_id="read_application", responses=answers.Application)
    def get(self, request: Request, app: str) -> Response:
        """One application: where its production stands, and what is under way."""
        found = self.application(app)
        counts = selectors.open_counts([found])[found.pk]
        return Response(wire.render_application(found, counts, found.modules.count()))


class ModulesView(IepApiView):
    @extend_schema(operation_id="list_modules", responses=answers.Modules)
    def get(self, request: Request, app: str) -> Response:
        """Every file of production with its digest."""
        found = self.application(app)
        rows = Module.objects.filter(application=found).order_by("path").values("path", "digest", "size")
        return Response({"production_revision": found.revision, "modules": list(rows)})


class ReleasesView(IepApiView):
    queries = {"GET": forms.ReleasesQuery}

    @extend_schema(operation_id="list_releases", parameters=[forms.ReleasesQuery], responses=answers.Release(many=True))
    def get(self, request: Request, app: str) -> Response:
        """Production's revisions, newest first."""
        found = selectors.list_releases(self.application(app))[: self.query["limit"]]
        return Response([wire.render_release(release) for release in found])


class StampsView(IepApiView):
    queries = {"GET": forms.StampsQuery}

    @extend_schema(operation_id="list_stamps", parameters=[forms.StampsQuery], responses=answers.Stamp(many=True))
    def get(self, request: Request, app: str) -> Response:
        """The stamps of an application, the last changed first: at most 200."""
        found = selectors.list_stamps(self.application(app), self.query["stage"])[:200]
        return Response([wire.render_stamp(stamp, self.user) for stamp in found])


class StampView(IepApiView):
    @extend_schema(operation_id="read_stamp", responses=answers.StampRead)
    def get(self, request: Request, app: str, ticket: str) -> Response:
        """What a ticket changes, where it stands, what stands against it, and what policies said when it was to go on."""
        stamp = self.stamp(app, ticket)
        return self.show(stamp, judgement=wire.render_judgement(selectors.last_judgement(stamp)))

    @extend_schema(
        operation_id="stamp_ticket", parameters=[IF_MATCH], request=forms.StampFields,
        responses={200: answers.Stamped, 201: answers.Stamped},
    )  # fmt: skip
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """Bring files into a ticket, opening its stamp (201) or changing it (200); see docs/import-maps.md."""
        form = self.body(forms.StampFields)
        brought = forms.inline_of(form)
        application, found = services.place_of(slug=app, key=ticket, by=self.user)
        stamped = services.stamp_ticket(
            application=application,
            ticket=found,
            manifest=forms.manifest_of(form),
            by=self.user,
            revision=self.revision(),
            brought=brought,
        )
        return answer(wire.render_stamped(stamped, self.user), stamped.stamp, 201 if stamped.created else 200)


class HistoryView(IepApiView):
    @extend_schema(operation_id="read_stamp_history", responses=answers.StampStep(many=True))
    def get(self, request: Request, app: str, ticket: str) -> Response:
        """Every step of a stamp, oldest first."""
        facts = selectors.stamp_history(self.user, self.stamp(app, ticket))
        return Response([wire.render_step(fact) for fact in facts])


class DiffView(IepApiView):
    queries = {"GET": forms.DiffQuery}

    @extend_schema(operation_id="read_stamp_diff", parameters=[forms.DiffQuery], responses=answers.Diff)
    def get(self, request: Request, app: str, ticket: str) -> Response:
        """A file as production has it, and as the ticket has it."""
        return Response(compare_path(self.stamp(app, ticket), self.query["path"]).as_json())


class PromoteView(IepApiView):
    def handle_exception(self, exc: Exception) -> Response:
        """A refusal undoes what a repeatable request began, but not the record of who was asked and said no."""
        if isinstance(exc, PolicyRefused):
            keep_after_all(exc)
        answer: Response = super().handle_exception(exc)
        return answer

    @extend_schema(
        operation_id="promote_stamp", parameters=[IF_MATCH, IF_PRODUCTION], request=forms.PromoteFields,
        responses={200: answers.Promoted, 202: answers.Promoted},
    )  # fmt: skip
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """One stage on; 202 when production was asked for and people have to agree first."""
        form = self.body(forms.PromoteFields)
        promoted = services.promote_stamp(
            stamp=self.stamp(app, ticket), by=self.user, revision=self.revision(), expected=self.production(),
            git=form["git"], message=form["message"],
        )  # fmt: skip
        return answer(wire.render_promoted(promoted, self.user), promoted.stamp, 202 if promoted.asked else 200)


class RevertView(IepApiView):
    @extend_schema(
        operation_id="revert_stamp", parameters=[IF_PRODUCTION], request=forms.ReasonFields, responses=answers.Stamp
    )
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """One stage back; from production by a new revision that undoes exactly this ticket."""
        form = self.body(forms.ReasonFields)
        stamp = services.revert_stamp(
            stamp=self.stamp(app, ticket), by=self.user, reason=form["reason"], expected=self.production()
        )
        return self.show(stamp)


class CloseView(IepApiView):
    @extend_schema(operation_id="close_stamp", request=forms.ReasonFields, responses=answers.Stamp)
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """End the work on a ticket; its files and history stay."""
        form = self.body(forms.ReasonFields)
        return self.show(services.close_stamp(stamp=self.stamp(app, ticket), by=self.user, reason=form["reason"]))


class ReopenView(IepApiView):
    @extend_schema(operation_id="reopen_stamp", request=forms.ReopenFields, responses=answers.Stamp)
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """Begin anew in dev."""
        self.body(forms.ReopenFields)
        return self.show(services.reopen_stamp(stamp=self.stamp(app, ticket), by=self.user))


class RebaseView(IepApiView):
    @extend_schema(
        operation_id="rebase_stamp", parameters=[IF_MATCH], request=forms.RebaseFields, responses=answers.Stamp
    )
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """Put a ticket onto production as it is now, deciding on each path that both changed."""
        form = self.body(forms.RebaseFields)
        stamp = services.rebase_stamp(
            stamp=self.stamp(app, ticket), by=self.user, mine=form["mine"], theirs=form["theirs"],
            revision=self.revision(),
        )  # fmt: skip
        return self.show(stamp)


class ApproveView(IepApiView):
    scopes = "requests:decide"

    @extend_schema(operation_id="approve_stamp", request=forms.CommentFields, responses=answers.Stamp)
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """Agree to the promotion request that a ticket waits for; never to one's own."""
        form = self.body(forms.CommentFields)
        return self.show(services.approve_stamp(stamp=self.stamp(app, ticket), by=self.user, comment=form["comment"]))


class CheckView(IepApiView):
    scopes = {"POST": READ}

    @extend_schema(operation_id="check_stamp", request=forms.CheckFields, responses=answers.Check)
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """What a promotion would say now, without promoting."""
        form, stamp = self.body(forms.CheckFields), self.stamp(app, ticket)
        following = {Stage.DEV: "qa", Stage.QA: "prod"}.get(Stage(stamp.stage))
        conflicts = conflicts_of(stamp)
        step = Step(stamp=stamp, target=following or "", by=self.user, git=form["git"] or stamp.git)
        verdicts = judge(step) if following else []
        clear = not any(conflict.blocks for conflict in conflicts)
        fine = all(verdict.outcome != Outcome.BLOCK for verdict in verdicts)
        return Response(
            {
                "next": following,
                "allowed": bool(following and stamp.delta and clear and fine and not stamp.sign_off),
                "verdicts": [verdict.as_json() for verdict in verdicts],
                "conflicts": [conflict.as_json() for conflict in conflicts],
            }
        )


class LinkView(IepApiView):
    @extend_schema(operation_id="link_stamp", request=forms.LinkFields, responses=answers.PreviewLink)
    def post(self, request: Request, app: str, ticket: str) -> Response:
        """An address that opens the preview without an account, for some hours."""
        form = self.body(forms.LinkFields)
        url, until = make_link(stamp=self.stamp(app, ticket), by=self.user, hours=form["hours"])
        return Response({"url": url, "expires_at": until})
