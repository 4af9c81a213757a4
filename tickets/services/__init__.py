"""The verbs on tickets, their work, their workers and their events.

Every verb takes keywords only, the acting account as `by`, and is one transaction with its facts; refusals are the
kinds of core/errors.py with a stable code. Verbs take loaded objects: `tickets.selectors` finds them by what callers
say (`find_ticket(user=, key=, tenant="")`, `find_task(user=, task_id=)`, `find_worker(user=, worker_id=, tenant="")`,
`find_project(user=, key=, tenant="")`, `working_tenant(user=, tenant="")`), and `tickets.wire` shows what comes back.

Tickets
    ensure_project(key, by, tenant=None) -> Project                       found, or made in the caller's tenant
    create_project(key, tenant, by, name="", prefix="") -> Project
    edit_project(project, by, name=None, settings=None) -> Project
    open_ticket(project, content: TicketContent, by, key="") -> Ticket
    edit_ticket(ticket, by, version=None, title=…, description=…, type=…, priority=…, labels=…, assignees=…,
                due_date=…, parent=…, plan=…) -> Ticket                    None leaves a field as it is
    comment_on_ticket(ticket, by, content, worker_type="", worker_id="", stage_number=None) -> Comment
    move_ticket(ticket, verb, by, comment="", version=None) -> Ticket      verb: one of states.MOVES
    resolve_ticket, reopen_ticket(ticket, by, comment="", version=None) -> Ticket
    close_ticket(ticket, by, resolution="completed", comment="", version=None) -> Ticket       or "stopped", any case
    add_dependency, remove_dependency(ticket, blocker, by)
    link_ticket(ticket, url, by, kind="other", title="") -> TicketLink;  unlink_ticket(ticket, link: int, by)

The plan
    queue_task(ticket, by, worker_type="", even_without_worker=False) -> (StageTask, Worker | None)
    set_stage(ticket, last_completed_stage, by, comment="", version=None) -> Ticket      the seed's update_ticket_stage
    go_back_a_stage(ticket, by, reason, to_step=None, version=None) -> Completion
    decide_gate(ticket, by, approve: bool, comment="", back_to_step=None, version=None) -> Ticket
    retry_task(task, by) -> StageTask                                      a person revives a dead task

Workers
    register_worker(worker_id, worker_type, tenant, by, project=None, capabilities=(), silence_seconds=600) -> Worker
    heartbeat_worker(worker, by) -> Worker;  stop_worker(worker, by, reason="") -> Worker
    claim_task(worker, by, lease_seconds=None, ticket=None, project=None) -> StageTask | None
    heartbeat_task(task, fence, by, lease_seconds=None) -> StageTask
    complete_stage(task, fence, by, comment="", data=None) -> Completion(ticket, task, comment, next_task, late)
    fail_task(task, fence, by, error, retry=True) -> StageTask
    release_task(task, fence, by, reason="") -> StageTask

Events
    mark_events_processed(event_ids, by, consumer="coordinator", resolution="") -> int
    follow_event(ticket, fact) -> str                                      the verb that an outside event brought about
    obey_command(ticket, command, text, by) -> str                         one command of a commit message
    follow_issue(connection, heard) -> list[str]                           what a Jira tells of an issue
    selectors.get_events(user, processed=None, consumer="coordinator", types=None, ticket=None, after=0, limit=100)
"""

from tickets.services.claims import claim_task, heartbeat_task
from tickets.services.coordination import mark_events_processed
from tickets.services.following import follow_event, obey_command
from tickets.services.gates import decide_gate
from tickets.services.issues import follow_issue
from tickets.services.moves import (
    close_ticket,
    move_ticket,
    reopen_ticket,
    resolve_deployed_ticket,
    resolve_ticket,
    take_back_deployed_ticket,
)
from tickets.services.projects import create_project, edit_project, ensure_project
from tickets.services.queue import queue_task, retry_task
from tickets.services.relations import add_dependency, link_ticket, remove_dependency, unlink_ticket
from tickets.services.reminders import remind_of_overdue_tickets
from tickets.services.stages import complete_stage, fail_task, go_back_a_stage, release_task, set_stage
from tickets.services.tickets import comment_on_ticket, edit_ticket, open_ticket
from tickets.services.workers import heartbeat_worker, register_worker, stop_silent_workers, stop_worker

__all__ = [
    "add_dependency",
    "claim_task",
    "close_ticket",
    "comment_on_ticket",
    "complete_stage",
    "create_project",
    "decide_gate",
    "edit_project",
    "edit_ticket",
    "ensure_project",
    "fail_task",
    "follow_event",
    "follow_issue",
    "go_back_a_stage",
    "heartbeat_task",
    "heartbeat_worker",
    "link_ticket",
    "mark_events_processed",
    "move_ticket",
    "obey_command",
    "open_ticket",
    "queue_task",
    "register_worker",
    "release_task",
    "remind_of_overdue_tickets",
    "remove_dependency",
    "reopen_ticket",
    "resolve_deployed_ticket",
    "resolve_ticket",
    "retry_task",
    "set_stage",
    "stop_silent_workers",
    "stop_worker",
    "take_back_deployed_ticket",
    "unlink_ticket",
]
