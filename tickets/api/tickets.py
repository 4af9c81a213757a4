"""The REST views of tickets: parse, one call, present."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import require_scope
from accounts.models import ApiToken
from accounts.rest import created
from tickets import selectors, services, wire
from tickets.api import answers, forms, work_forms
from tickets.api.base import (
    DECIDE,
    IF_MATCH,
    NEXT_PAGE,
    READ,
    VERSION,
    WRITE,
    OneTicketView,
    TicketsApiView,
    cut,
    etag,
    show,
    show_page,
)
from tickets.services.change import load
from tickets.states import DECISIONS


class TicketsView(TicketsApiView):
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": forms.TicketsQuery}

    @extend_schema(operation_id="list_tickets", responses=answers.TicketRow(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request) -> Response:
        """The tickets that I may see, newest first."""
        tickets, following = selectors.page_tickets(
            user=self.user,
            narrowed=forms.filter_from(self.query),
            before=self.query["cursor"],
            limit=self.query["limit"],
        )
        return show_page(request, [wire.render_ticket(ticket) for ticket in tickets], following)

    @extend_schema(
        operation_id="open_ticket", request=forms.OpenTicket, responses={201: answers.Ticket}, parameters=[VERSION]
    )
    def post(self, request: Request) -> Response:
        """Open a ticket with its execution plan; its project is made if there is none yet."""
        form = self.body(forms.OpenTicket)
        tenant = selectors.named_tenant(user=self.user, tenant=form["tenant"])
        project = services.ensure_project(key=form["project_id"], by=self.user, tenant=tenant)
        content = forms.content_from(form)
        ticket = services.open_ticket(project=project, content=content, by=self.user, key=form["ticket_id"])
        return created(wire.render_opened_ticket(ticket, content), f"/v1/tickets/{ticket.key}", etag(ticket))


class TicketView(OneTicketView):
    scopes = {"GET": READ, "PATCH": WRITE}

    @extend_schema(operation_id="read_ticket", responses=answers.Ticket, parameters=[VERSION])
    def get(self, request: Request, key: str) -> Response:
        """One ticket with its plan, relations, links and open tasks."""
        return show(self.ticket(key))

    @extend_schema(
        operation_id="edit_ticket", request=forms.EditTicket, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def patch(self, request: Request, key: str) -> Response:
        """Change what is sent, leave the rest."""
        ticket, form = self.ticket(key), self.body(forms.EditTicket)
        changes = forms.changes_from(form)
        return show(services.edit_ticket(ticket=ticket, by=self.user, version=self.version(form), **changes))


class CommentsView(OneTicketView):
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": forms.CommentsQuery, "POST": forms.TenantQuery}

    @extend_schema(operation_id="list_comments", responses=answers.Comment(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request, key: str) -> Response:
        """What was said, oldest first."""
        comments = self.ticket(key).comments.select_related("author", "ticket")
        later = comments.filter(pk__gt=self.query["cursor"] or 0)[: self.query["limit"] + 1]
        page, following = cut(list(later), self.query["limit"])
        return show_page(request, [wire.render_comment(comment) for comment in page], following)

    @extend_schema(operation_id="comment_on_ticket", request=forms.TicketCommentForm, responses={201: answers.Comment})
    def post(self, request: Request, key: str) -> Response:
        """Say something on the record."""
        ticket, form = self.ticket(key), self.body(forms.TicketCommentForm)
        comment = services.comment_on_ticket(ticket=ticket, by=self.user, **form)
        return Response(wire.render_comment(comment), status=201)


class MoveView(OneTicketView):
    scopes = WRITE

    @extend_schema(
        operation_id="move_ticket", request=forms.MoveForm, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def post(self, request: Request, key: str) -> Response:
        """Take a step of the ticket's life: start, request_review, …, approve, decline, resolve, reopen."""
        ticket, form = self.ticket(key), self.body(forms.MoveForm)
        if form["verb"] in DECISIONS and isinstance(request.auth, ApiToken):
            require_scope(request.auth, DECIDE)
        return show(
            services.move_ticket(
                ticket=ticket, verb=form["verb"], by=self.user, comment=form["comment"], version=self.version(form)
            )
        )


class CloseView(OneTicketView):
    scopes = WRITE

    @extend_schema(
        operation_id="close_ticket", request=forms.CloseForm, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def post(self, request: Request, key: str) -> Response:
        """End a ticket as completed or stopped; open tasks are canceled, also claimed ones."""
        ticket, form = self.ticket(key), self.body(forms.CloseForm)
        return show(
            services.close_ticket(
                ticket=ticket, by=self.user, resolution=form["status"], comment=form["comment"],
                version=self.version(form),
            )
        )  # fmt: skip


class QueueView(OneTicketView):
    scopes = WRITE

    @extend_schema(operation_id="queue_task", request=forms.QueueForm, responses=answers.QueuedTask)
    def post(self, request: Request, key: str) -> Response:
        """Queue the next stage for a worker of its type; queueing what is queued answers the same task."""
        ticket, form = self.ticket(key), self.body(forms.QueueForm)
        task, worker = services.queue_task(ticket=ticket, by=self.user, **form)
        task = selectors.find_task(user=self.user, task_id=task.pk)
        return Response({**wire.render_task(task), "hint_worker_id": worker.worker_id if worker else None})


class StageView(OneTicketView):
    scopes = WRITE

    @extend_schema(
        operation_id="set_stage", request=forms.StageForm, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def post(self, request: Request, key: str) -> Response:
        """Say by hand which stage was completed last."""
        ticket, form = self.ticket(key), self.body(forms.StageForm)
        return show(
            services.set_stage(
                ticket=ticket, last_completed_stage=form["last_completed_stage"], by=self.user,
                comment=form["comment"], version=self.version(form),
            )
        )  # fmt: skip


class BackView(OneTicketView):
    scopes = WRITE

    @extend_schema(
        operation_id="go_back_a_stage", request=forms.BackForm, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def post(self, request: Request, key: str) -> Response:
        """Send the ticket back to an earlier stage, with the reason; whoever works on it loses the task."""
        ticket, form = self.ticket(key), self.body(forms.BackForm)
        services.go_back_a_stage(
            ticket=ticket, by=self.user, reason=form["reason"], to_step=form["to_step"], version=self.version(form)
        )
        return show(load(ticket))


class GateView(OneTicketView):
    scopes = DECIDE

    @extend_schema(
        operation_id="decide_gate", request=forms.GateForm, responses=answers.Ticket, parameters=[VERSION, IF_MATCH]
    )
    def post(self, request: Request, key: str) -> Response:
        """Pass the gate that the plan waits at, or decline; a person's, never a worker's."""
        ticket, form = self.ticket(key), self.body(forms.GateForm)
        return show(
            services.decide_gate(
                ticket=ticket, by=self.user, approve=form["approve"], comment=form["comment"],
                back_to_step=form["back_to_step"], version=self.version(form),
            )
        )  # fmt: skip


class DependenciesView(OneTicketView):
    scopes = WRITE

    @extend_schema(operation_id="add_dependency", request=forms.DependencyForm, responses={201: answers.Ticket})
    def post(self, request: Request, key: str) -> Response:
        """Let the ticket wait for another; a circle is refused with the way round."""
        ticket, form = self.ticket(key), self.body(forms.DependencyForm)
        blocker = selectors.find_ticket(user=self.user, key=form["blocker"], tenant=ticket.tenant.slug)
        services.add_dependency(ticket=ticket, blocker=blocker, by=self.user)
        return show(ticket, status=201)


class DependencyView(OneTicketView):
    scopes = WRITE

    @extend_schema(operation_id="remove_dependency", responses={204: None})
    def delete(self, request: Request, key: str, blocker: str) -> Response:
        """Let the ticket wait for it no longer."""
        ticket = self.ticket(key)
        found = selectors.find_ticket(user=self.user, key=blocker, tenant=ticket.tenant.slug)
        services.remove_dependency(ticket=ticket, blocker=found, by=self.user)
        return Response(status=204)


class LinksView(OneTicketView):
    scopes = WRITE

    @extend_schema(operation_id="link_ticket", request=forms.LinkForm, responses={201: answers.Link})
    def post(self, request: Request, key: str) -> Response:
        """Say where else the ticket is spoken of."""
        link = services.link_ticket(ticket=self.ticket(key), by=self.user, **self.body(forms.LinkForm))
        return Response(wire.render_link(link), status=201)


class LinkView(OneTicketView):
    scopes = WRITE

    @extend_schema(operation_id="unlink_ticket", responses={204: None})
    def delete(self, request: Request, key: str, link: int) -> Response:
        """Take a link away."""
        services.unlink_ticket(ticket=self.ticket(key), link=link, by=self.user)
        return Response(status=204)


class ClaimableView(OneTicketView):
    scopes = READ
    queries = {"GET": work_forms.ClaimableQuery}

    @extend_schema(operation_id="explain_claim", responses=answers.ClaimAnswer)
    def get(self, request: Request, key: str) -> Response:
        """Whether the next stage can be claimed now, and every rule that stands against it."""
        ticket, query = self.ticket(key), self.query
        worker = None
        if query["worker_id"]:
            worker = selectors.find_worker(user=self.user, worker_id=query["worker_id"], tenant=ticket.tenant.slug)
        answer = selectors.explain_claim(user=self.user, ticket=ticket, worker=worker, worker_type=query["worker_type"])
        return Response(wire.render_claim_answer(answer))
