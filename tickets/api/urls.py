"""Addresses of the REST face of tickets; fixed words before ids."""

from __future__ import annotations

from core.rest import both_spellings
from tickets.api import tickets, work

_ONE = "v1/tickets/<str:key>"
_TASK = "v1/tasks/<int:task_id>"
_WORKER = "v1/workers/<str:worker_id>"

urlpatterns = [
    *both_spellings("v1/tickets", tickets.TicketsView.as_view(), "api_tickets"),
    *both_spellings(_ONE, tickets.TicketView.as_view(), "api_ticket"),
    *both_spellings(f"{_ONE}/comments", tickets.CommentsView.as_view(), "api_ticket_comments"),
    *both_spellings(f"{_ONE}/move", tickets.MoveView.as_view(), "api_ticket_move"),
    *both_spellings(f"{_ONE}/close", tickets.CloseView.as_view(), "api_ticket_close"),
    *both_spellings(f"{_ONE}/queue", tickets.QueueView.as_view(), "api_ticket_queue"),
    *both_spellings(f"{_ONE}/stage", tickets.StageView.as_view(), "api_ticket_stage"),
    *both_spellings(f"{_ONE}/back", tickets.BackView.as_view(), "api_ticket_back"),
    *both_spellings(f"{_ONE}/gate", tickets.GateView.as_view(), "api_ticket_gate"),
    *both_spellings(f"{_ONE}/claimable", tickets.ClaimableView.as_view(), "api_ticket_claimable"),
    *both_spellings(f"{_ONE}/dependencies", tickets.DependenciesView.as_view(), "api_ticket_dependencies"),
    *both_spellings(f"{_ONE}/dependencies/<str:blocker>", tickets.DependencyView.as_view(), "api_ticket_dependency"),
    *both_spellings(f"{_ONE}/links", tickets.LinksView.as_view(), "api_ticket_links"),
    *both_spellings(f"{_ONE}/links/<int:link>", tickets.LinkView.as_view(), "api_ticket_link"),
    *both_spellings("v1/tasks", work.TasksView.as_view(), "api_tasks"),
    *both_spellings("v1/tasks/claim", work.ClaimView.as_view(), "api_claim"),
    *both_spellings(_TASK, work.TaskView.as_view(), "api_task"),
    *both_spellings(f"{_TASK}/heartbeat", work.HeartbeatView.as_view(), "api_task_heartbeat"),
    *both_spellings(f"{_TASK}/complete", work.CompleteView.as_view(), "api_task_complete"),
    *both_spellings(f"{_TASK}/fail", work.FailView.as_view(), "api_task_fail"),
    *both_spellings(f"{_TASK}/release", work.ReleaseView.as_view(), "api_task_release"),
    *both_spellings(f"{_TASK}/retry", work.RetryView.as_view(), "api_task_retry"),
    *both_spellings("v1/queues", work.QueuesView.as_view(), "api_queues"),
    *both_spellings("v1/workers", work.WorkersView.as_view(), "api_workers"),
    *both_spellings(_WORKER, work.WorkerView.as_view(), "api_worker"),
    *both_spellings(f"{_WORKER}/heartbeat", work.WorkerHeartbeatView.as_view(), "api_worker_heartbeat"),
    *both_spellings(f"{_WORKER}/stop", work.WorkerStopView.as_view(), "api_worker_stop"),
    *both_spellings("v1/projects", work.ProjectsView.as_view(), "api_projects"),
    *both_spellings("v1/projects/<path:key>", work.ProjectView.as_view(), "api_project"),
    *both_spellings("v1/ticket-events", work.EventsView.as_view(), "api_ticket_events"),
    *both_spellings("v1/ticket-events/processed", work.ProcessedView.as_view(), "api_ticket_events_processed"),
]
