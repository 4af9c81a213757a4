"""The REST views of stage tasks, workers, projects and events for coordinators: parse, one call, present."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.rest import created
from tickets import selectors, services, wire
from tickets.api import answers, forms, work_forms
from tickets.api.base import DECIDE, NEXT_PAGE, READ, WORK, WRITE, TicketsApiView, cut, show_page
from tickets.models import StageTask, Worker

# Threads that may wait in a claim at once, of the few that the server has; the rest are answered at once.
MOST_WAITING = 2
LOOK_EVERY = 0.25
_waiting = threading.BoundedSemaphore(MOST_WAITING)


class WorkApiView(TicketsApiView):
    """What these views have in common."""

    tag = "Workers and their tasks"


class TasksView(WorkApiView):
    scopes = READ
    queries = {"GET": work_forms.TasksQuery}

    @extend_schema(operation_id="list_tasks", responses=answers.Task(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request) -> Response:
        """Stage tasks, newest first; the open ones if no state is named."""
        query = self.query
        ticket = worker = None
        if query["ticket_id"]:
            ticket = selectors.find_ticket(user=self.user, key=query["ticket_id"], tenant=query["tenant"])
        if query["worker_id"]:
            worker = selectors.find_worker(user=self.user, worker_id=query["worker_id"], tenant=query["tenant"])
        tasks = selectors.list_tasks(
            user=self.user, states=tuple(query["state"]), worker_type=query["worker_type"], ticket=ticket, worker=worker
        )
        if query["cursor"]:
            tasks = tasks.filter(pk__lt=query["cursor"])
        page, following = cut(list(tasks.order_by("-id")[: query["limit"] + 1]), query["limit"])
        return show_page(request, [wire.render_task(task) for task in page], following)


class ClaimView(WorkApiView):
    scopes = WORK

    @extend_schema(
        operation_id="claim_task", request=work_forms.ClaimForm, responses={200: answers.ClaimedTask, 204: None}
    )
    def post(self, request: Request) -> Response:
        """The next task of the worker's type, held by lease; 204 when there is none now.

        Send the `fence` of the answer with everything you do to the task. With `wait` the answer may take some seconds;
        the event stream tells of new work without asking.
        """
        form = self.body(work_forms.ClaimForm)
        worker = selectors.find_worker(user=self.user, worker_id=form["worker_id"], tenant=form["tenant"])
        only: dict[str, Any] = {}
        if form["ticket_id"]:
            only["ticket"] = selectors.find_ticket(user=self.user, key=form["ticket_id"], tenant=worker.tenant.slug)
        if form["project_id"]:
            only["project"] = selectors.find_project(user=self.user, key=form["project_id"], tenant=worker.tenant.slug)
        task = services.claim_task(worker=worker, by=self.user, lease_seconds=form["lease_seconds"], **only)
        if task is None and form["wait"]:
            task = self.wait(form["wait"], worker, form["lease_seconds"], only)
        if task is None:
            return Response(status=204, headers={"Retry-After": "1"})
        return Response(wire.render_claimed_task(task))

    def wait(self, seconds: int, worker: Worker, lease: int | None, only: dict[str, Any]) -> StageTask | None:
        """Look again until the time is over, without keeping a connection; None at once when enough others wait."""
        if connection.in_atomic_block or not _waiting.acquire(blocking=False):
            return None
        try:
            end, task = time.monotonic() + seconds, None
            while task is None and time.monotonic() < end:
                connection.close()
                time.sleep(LOOK_EVERY)
                task = services.claim_task(worker=worker, by=self.user, lease_seconds=lease, **only)
            return task
        finally:
            _waiting.release()


class OneTaskView(WorkApiView):
    """A view of the task that the address names."""

    def task(self, task_id: int) -> StageTask:
        return selectors.find_task(user=self.user, task_id=task_id)


class TaskView(OneTaskView):
    scopes = READ

    @extend_schema(operation_id="read_task", responses=answers.Task)
    def get(self, request: Request, task_id: int) -> Response:
        """One stage task."""
        return Response(wire.render_task(self.task(task_id)))


class HeartbeatView(OneTaskView):
    scopes = WORK

    @extend_schema(operation_id="heartbeat_task", request=work_forms.HeartbeatForm, responses=answers.Task)
    def post(self, request: Request, task_id: int) -> Response:
        """Keep the task for longer; a refusal says to stop working on it."""
        task, form = self.task(task_id), self.body(work_forms.HeartbeatForm)
        return Response(wire.render_task(services.heartbeat_task(task=task, by=self.user, **form)))


class CompleteView(OneTaskView):
    scopes = WORK

    @extend_schema(operation_id="complete_stage", request=work_forms.CompleteForm, responses=answers.Completion)
    def post(self, request: Request, task_id: int) -> Response:
        """The stage is done: comment, stage, next task and event, all or nothing."""
        task, form = self.task(task_id), self.body(work_forms.CompleteForm)
        return Response(wire.render_completion(services.complete_stage(task=task, by=self.user, **form)))


class FailView(OneTaskView):
    scopes = WORK

    @extend_schema(operation_id="fail_task", request=work_forms.FailForm, responses=answers.Task)
    def post(self, request: Request, task_id: int) -> Response:
        """The attempt failed; it is tried again after a growing wait, or a person has to look."""
        task, form = self.task(task_id), self.body(work_forms.FailForm)
        services.fail_task(task=task, by=self.user, **form)
        return Response(wire.render_task(self.task(task_id)))


class ReleaseView(OneTaskView):
    scopes = WORK

    @extend_schema(operation_id="release_task", request=work_forms.ReleaseForm, responses=answers.Task)
    def post(self, request: Request, task_id: int) -> Response:
        """Give the task back untouched; the attempt is not counted."""
        task, form = self.task(task_id), self.body(work_forms.ReleaseForm)
        services.release_task(task=task, by=self.user, **form)
        return Response(wire.render_task(self.task(task_id)))


class RetryView(OneTaskView):
    scopes = WRITE

    @extend_schema(operation_id="retry_task", request=forms.NoFields, responses=answers.Task)
    def post(self, request: Request, task_id: int) -> Response:
        """Give a dead task new attempts; a person's."""
        task = self.task(task_id)
        self.body(forms.NoFields)
        services.retry_task(task=task, by=self.user)
        return Response(wire.render_task(self.task(task_id)))


class QueuesView(WorkApiView):
    scopes = READ

    @extend_schema(operation_id="list_queues", responses=answers.Queue(many=True))
    def get(self, request: Request) -> Response:
        """Per worker type, how much waits, is claimed, failed, died or waits for a person."""
        return Response(selectors.queue_lengths(user=self.user))


class WorkersView(WorkApiView):
    scopes = {"GET": READ, "POST": WORK}
    queries = {"GET": work_forms.WorkersQuery}

    @extend_schema(operation_id="list_workers", responses=answers.Worker(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request) -> Response:
        """The workers, newest first."""
        query = self.query
        workers = selectors.list_workers(user=self.user, worker_type=query["worker_type"], status=query["status"])
        if query["cursor"]:
            workers = workers.filter(pk__lt=query["cursor"])
        page, following = cut(list(workers.order_by("-id")[: query["limit"] + 1]), query["limit"])
        return show_page(request, [wire.render_worker(worker) for worker in page], following)

    @extend_schema(operation_id="register_worker", request=work_forms.RegisterForm, responses={201: answers.Worker})
    def post(self, request: Request) -> Response:
        """Register a worker under my account; registering again lets a stopped one come back."""
        form = self.body(work_forms.RegisterForm)
        tenant = selectors.working_tenant(user=self.user, tenant=form.pop("tenant"))
        key = form.pop("project_id")
        project = selectors.find_project(user=self.user, key=key, tenant=tenant.slug) if key else None
        worker = services.register_worker(tenant=tenant, project=project, by=self.user, **form)
        return created(wire.render_worker(worker), f"/v1/workers/{worker.worker_id}")


class OneWorkerView(WorkApiView):
    """A view of the worker that the address names."""

    queries = dict.fromkeys(("GET", "POST"), forms.TenantQuery)

    def worker(self, worker_id: str) -> Worker:
        return selectors.find_worker(user=self.user, worker_id=worker_id, tenant=self.query["tenant"])


class WorkerView(OneWorkerView):
    scopes = READ

    @extend_schema(operation_id="read_worker", responses=answers.Worker)
    def get(self, request: Request, worker_id: str) -> Response:
        """One worker and whether it is there."""
        return Response(wire.render_worker(self.worker(worker_id)))


class WorkerHeartbeatView(OneWorkerView):
    scopes = WORK

    @extend_schema(operation_id="heartbeat_worker", request=forms.NoFields, responses=answers.Worker)
    def post(self, request: Request, worker_id: str) -> Response:
        """It is still there."""
        worker = self.worker(worker_id)
        self.body(forms.NoFields)
        return Response(wire.render_worker(services.heartbeat_worker(worker=worker, by=self.user)))


class WorkerStopView(OneWorkerView):
    scopes = WORK

    @extend_schema(operation_id="stop_worker", request=work_forms.StopForm, responses=answers.Worker)
    def post(self, request: Request, worker_id: str) -> Response:
        """It works no more; what it holds is queued again."""
        worker, form = self.worker(worker_id), self.body(work_forms.StopForm)
        return Response(wire.render_worker(services.stop_worker(worker=worker, by=self.user, reason=form["reason"])))


class ProjectsView(TicketsApiView):
    scopes = {"GET": READ, "POST": WRITE}
    queries = {"GET": forms.PageQuery}

    @extend_schema(operation_id="list_projects", responses=answers.Project(many=True), parameters=[NEXT_PAGE])
    def get(self, request: Request) -> Response:
        """The projects, newest first."""
        projects, limit = selectors.list_projects(user=self.user), self.query["limit"]
        if self.query["cursor"]:
            projects = projects.filter(pk__lt=self.query["cursor"])
        page, following = cut(list(projects.order_by("-id")[: limit + 1]), limit)
        return show_page(request, [wire.render_project(project) for project in page], following)

    @extend_schema(operation_id="create_project", request=work_forms.ProjectForm, responses={201: answers.Project})
    def post(self, request: Request) -> Response:
        """Make a project; one that is there already is answered as it is."""
        form = self.body(work_forms.ProjectForm)
        tenant = selectors.working_tenant(user=self.user, tenant=form["tenant"])
        project = services.create_project(
            key=form["project_id"], tenant=tenant, by=self.user, name=form["name"], prefix=form["prefix"]
        )
        return created(wire.render_project(project), f"/v1/projects/{project.key}")


class ProjectView(TicketsApiView):
    scopes = {"GET": READ, "PATCH": DECIDE}
    queries = dict.fromkeys(("GET", "PATCH"), forms.TenantQuery)

    @extend_schema(operation_id="read_project", responses=answers.Project)
    def get(self, request: Request, key: str) -> Response:
        """One project with its settings."""
        project = selectors.find_project(user=self.user, key=key, tenant=self.query["tenant"])
        return Response(wire.render_project(project))

    @extend_schema(operation_id="edit_project", request=work_forms.EditProjectForm, responses=answers.Project)
    def patch(self, request: Request, key: str) -> Response:
        """Change its name and settings; null sets a setting back."""
        project = selectors.find_project(user=self.user, key=key, tenant=self.query["tenant"])
        form = self.body(work_forms.EditProjectForm)
        return Response(wire.render_project(services.edit_project(project=project, by=self.user, **form)))


class EventsView(TicketsApiView):
    scopes = READ
    queries = {"GET": work_forms.EventsQuery}

    @extend_schema(operation_id="list_ticket_events", responses=answers.EventPage)
    def get(self, request: Request) -> Response:
        """Events for coordinators in the order they happened; go on from `cursor` and nothing is missed."""
        query = self.query
        ticket = None
        if query["ticket_id"]:
            ticket = selectors.find_ticket(user=self.user, key=query["ticket_id"], tenant=query["tenant"])
        page = selectors.get_events(
            user=self.user, processed=query["processed"], consumer=query["consumer"],
            types=query["event_type"] or None, ticket=ticket, after=query["after"], limit=query["limit"],
        )  # fmt: skip
        return Response(
            {"events": [wire.render_event(event) for event in page.events], "cursor": page.cursor, "more": page.more}
        )


class ProcessedView(TicketsApiView):
    scopes = WRITE

    @extend_schema(
        operation_id="mark_events_processed", request=work_forms.ProcessedForm, responses=answers.MarkedEvents
    )
    def post(self, request: Request) -> Response:
        """Say that events were dealt with, and how; per consumer, once."""
        form = self.body(work_forms.ProcessedForm)
        return Response({"processed": services.mark_events_processed(by=self.user, **form)})
