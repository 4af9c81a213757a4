"""Tables of projects, tickets, their work and the coordinators' reading marks."""

from tickets.models.coordination import ConsumerPosition, EventMark
from tickets.models.outside import JiraProject, JiraStep, TicketIssue
from tickets.models.projects import Project
from tickets.models.tickets import Comment, Dependency, Ticket, TicketLink, TicketQuerySet
from tickets.models.work import StageTask, StageTaskQuerySet, Worker, WorkerQuerySet

__all__ = [
    "Comment",
    "ConsumerPosition",
    "Dependency",
    "EventMark",
    "JiraProject",
    "JiraStep",
    "Project",
    "StageTask",
    "StageTaskQuerySet",
    "Ticket",
    "TicketIssue",
    "TicketLink",
    "TicketQuerySet",
    "Worker",
    "WorkerQuerySet",
]
