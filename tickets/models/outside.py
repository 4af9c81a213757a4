"""Issues of a Jira that tickets go along with."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Upper
from django.utils import timezone

from accounts.models import User
from events.models import Connection
from tickets.models.projects import Project
from tickets.models.tickets import Ticket

STATUSES = """\
open = To Do
in_progress = In Progress
in_review = In Progress
testing = In Progress
resolved = Done
completed = Done
reopened = In Progress
stamp.qa = In Progress
stamp.prod = Done
"""


def read_statuses(text: str) -> list[tuple[str, str]]:
    """The lines `ours = theirs` of a status map, in their order; ValueError for a line that is none."""
    pairs = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        ours, sign, theirs = line.partition("=")
        if not sign or not ours.strip() or not theirs.strip():
            raise ValueError(f"{line.strip()[:60]!r} is no line such as: in_progress = In Progress")
        pairs.append((ours.strip().lower(), theirs.strip()))
    return pairs


def read_ways(text: str) -> list[list[str]]:
    """The lines `To Do > In Progress > Done` of statuses to go through; ValueError for a line that is none."""
    ways = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        way = [status.strip() for status in line.split(">")]
        if len(way) < 2 or not all(way):
            raise ValueError(f"{line.strip()[:60]!r} is no line such as: To Do > In Progress > Done")
        ways.append(way)
    return ways


class JiraProject(models.Model):
    """A project of a Jira whose issues go along with the tickets of a project here, and how their states are called."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="jira_projects")
    key = models.CharField("key in Jira", max_length=40, help_text="Such as SHOP.")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="jira_projects")
    acts_as = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+",
        help_text="In whose name tickets follow their issues; what this account may not do is not done.",
    )  # fmt: skip
    statuses = models.TextField(
        "status map", default=STATUSES,
        help_text="A line for each state: ours = theirs. Ours are states of tickets, stamp.dev, stamp.qa, stamp.prod, "
        "request.approved, request.deployed, request.rolled_back. What is not named moves nothing; where several of ours "
        "have the same one, an issue that gets there takes the ticket to the first.",
    )  # fmt: skip
    ways = models.TextField(
        blank=True,
        help_text="A line for each way that issues may be led over several statuses: To Do > In Progress > Done. "
        "Otherwise only ways are taken that issues of the same type went before.",
    )  # fmt: skip
    opens_tickets = models.BooleanField(default=True, help_text="An issue that is made there opens a ticket here.")
    opens_issues = models.BooleanField(default=False, help_text="A ticket that is opened here makes an issue there.")
    issue_type = models.CharField(max_length=60, default="Task", help_text="Of the issues that are made.")
    comments = models.BooleanField(default=True, help_text="What is said, and releases, become comments, both ways.")

    edits = models.BooleanField(
        "tells edits", default=True,
        help_text="A title, description, priority, due date or labels that are changed here are changed there.",
    )  # fmt: skip

    class Meta:
        ordering = ["connection_id", "key"]
        constraints = [models.UniqueConstraint("connection", Upper("key"), name="jira_project_once")]

    def __str__(self) -> str:
        return f"{self.key} and {self.project}"

    def status_for(self, word: str) -> str:
        """What Jira calls it; empty when the map does not name it."""
        return next((theirs for ours, theirs in read_statuses(self.statuses) if ours == word), "")

    def states_for(self, status: str) -> list[str]:
        """Our words that go with a status of Jira's, the preferred one first."""
        return [ours for ours, theirs in read_statuses(self.statuses) if theirs.casefold() == status.strip().casefold()]


class JiraStep(models.Model):
    """A step from status to status that an issue of this type took, by a person or by us."""

    jira = models.ForeignKey(JiraProject, on_delete=models.CASCADE, related_name="steps")
    kind = models.CharField("type of issue", max_length=60)
    before = models.CharField(max_length=100)
    after = models.CharField(max_length=100)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["jira", "kind", "before", "after"], name="jira_step_once")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.before} > {self.after}"


class TicketIssue(models.Model):
    """The issue of a ticket in a Jira; known by its id, for its key changes when it moves."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="issues")
    jira = models.ForeignKey(JiraProject, on_delete=models.CASCADE, related_name="issues")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="+")
    issue_id = models.CharField(max_length=40)
    key = models.CharField(max_length=100)
    status = models.CharField(max_length=100, blank=True, help_text="As Jira calls it, when we last knew.")
    linked = models.BooleanField(default=False, help_text="Whether the issue shows a link to the ticket.")
    deleted = models.BooleanField(default=False, help_text="In Jira; nothing is told there any more.")
    heard_at = models.DateTimeField(null=True, help_text="When that happened which was last heard of it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "issue_id"], name="issue_once"),
            models.UniqueConstraint(fields=["ticket", "connection"], name="issue_one_per_ticket_and_jira"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def url(self) -> str:
        return f"{self.connection.url.rstrip('/')}/browse/{self.key}"
