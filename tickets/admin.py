"""Admin pages of tickets, their work and workers: to search, and to act through the same services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.postgres.search import SearchQuery
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.enums import ActionVariant

from core.admin import Admin, Form, ReadOnlyAdmin, Verb
from tickets import permissions, services
from tickets.models import Comment, JiraProject, Project, StageTask, Ticket, Worker
from tickets.models.projects import PROJECT_SETTINGS
from tickets.models.tickets import SEARCH_VECTOR
from tickets.states import TICKET, TaskState
from tickets.validation import faults_of_jira_project as faults_of

STATE_COLOURS = {
    "open": "info", "reopened": "info", "in_progress": "info", "in_review": "info", "reviewed": "info",
    "testing": "info", "approval_in_progress": "warning", "approved": "success", "declined": "danger",
    "resolved": "success", "completed": "success", "stopped": "danger",
}  # fmt: skip
TASK_COLOURS = {
    "queued": "info", "claimed": "info", "failed": "warning", "dead": "danger", "waiting_for_person": "warning",
    "done": "success",
}  # fmt: skip
WORKER_COLOURS = {"active": "success", "idle": "info", "stopped": "danger"}


class ReasonForm(Form):
    reason = forms.CharField(widget=forms.Textarea, help_text="It goes on record.")


class CommentForm(Form):
    comment = forms.CharField(widget=forms.Textarea, required=False, help_text="It goes on record.")


class OptionalReasonForm(Form):
    reason = forms.CharField(widget=forms.Textarea, required=False, help_text="It goes on record.")


class ProjectForm(Form):
    """A project's settings; what is as everywhere is not kept, and follows when that changes."""

    resolve_on_deploy = forms.BooleanField(
        required=False, help_text="A deployed request resolves the tickets it names."
    )
    queue_next_stage = forms.BooleanField(required=False, help_text="Completing a stage queues the next one.")
    queue_first_stage = forms.BooleanField(required=False, help_text="Opening a ticket queues its first stage.")
    follow_events = forms.BooleanField(required=False, help_text="Tickets follow events from outside that name them.")
    smart_commits = forms.BooleanField(required=False, help_text="Commands in commit messages are obeyed.")
    key_pattern = forms.CharField(required=False, help_text="A regular expression that finds this project's keys.")
    lease_seconds = forms.IntegerField(help_text="How long a claim holds, in seconds.")
    max_attempts = forms.IntegerField(help_text="How often a stage is tried before a person has to retry it.")


def _set_project(project: Project, by: Any, **said: Any) -> Project:
    settings = {name: None if value == PROJECT_SETTINGS[name] else value for name, value in said.items()}
    return services.edit_project(project=project, by=by, settings=settings)


def _about(ticket: Ticket) -> list[tuple[str, str]]:
    """What is read before saying yes."""
    return [
        ("Ticket", f"{ticket.key} {ticket.title}"),
        ("State", ticket.get_state_display()),
        ("Plan", " → ".join(step.stage for step in ticket.steps) or "none"),
        ("Done", f"{ticket.progress} of {len(ticket.plan)}; last: {ticket.last_completed_stage}"),
    ]


def _allows(verb: str) -> Any:
    return lambda ticket, by: TICKET.find(ticket.state, verb) is not None


VERBS = (
    Verb(
        "queue",
        "Queue the next stage",
        run=lambda ticket, by: services.queue_task(ticket=ticket, by=by, even_without_worker=True),
        offered=lambda ticket, by: bool(ticket.stage) and not ticket.is_closed,
        about=_about,
        icon="playlist_add",
    ),
    Verb(
        "pass_gate",
        "Pass the gate",
        run=lambda ticket, by, **said: services.decide_gate(ticket=ticket, by=by, approve=True, **said),
        form=CommentForm,
        offered=lambda ticket, by: (
            ticket.at_gate and not permissions.reason_against(permissions.check_can_decide, by, ticket)
        ),
        about=_about,
        icon="check",
    ),
    Verb(
        "go_back",
        "Go back a stage",
        run=lambda ticket, by, **said: services.go_back_a_stage(ticket=ticket, by=by, **said),
        form=ReasonForm,
        offered=lambda ticket, by: ticket.progress > 0 and not ticket.is_closed,
        about=_about,
        icon="undo",
    ),
    Verb(
        "resolve",
        "Resolve",
        run=lambda ticket, by, **said: services.resolve_ticket(ticket=ticket, by=by, **said),
        form=CommentForm,
        offered=_allows("resolve"),
        about=_about,
        icon="done_all",
    ),
    Verb(
        "complete",
        "Close as completed",
        run=lambda ticket, by, **said: services.close_ticket(ticket=ticket, by=by, resolution="completed", **said),
        form=CommentForm,
        offered=_allows("complete"),
        about=_about,
        icon="task_alt",
    ),
    Verb(
        "stop",
        "Close as stopped",
        run=lambda ticket, by, **said: services.close_ticket(ticket=ticket, by=by, resolution="stopped", **said),
        form=CommentForm,
        offered=_allows("stop"),
        about=_about,
        icon="block",
        variant=ActionVariant.WARNING,
    ),
    Verb(
        "reopen",
        "Reopen",
        run=lambda ticket, by, **said: services.reopen_ticket(ticket=ticket, by=by, **said),
        form=CommentForm,
        offered=_allows("reopen"),
        about=_about,
        icon="refresh",
    ),
)


class TenantsOwnAdmin(ReadOnlyAdmin):
    """Staff who are not superusers see what their roles let them see anywhere else."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = self.model._default_manager
        found: QuerySet[Any] = rows.get_queryset().visible_to(request.user)
        return found


@admin.register(Ticket)
class TicketAdmin(TenantsOwnAdmin):
    """Tickets; what they say and how far they are changes through the verbs only."""

    verbs = VERBS
    list_display = ("key", "title", "status", "stage", "priority", "project", "tenant", "created_at")
    list_filter = (
        "state",
        "type",
        "priority",
        ("tenant", AutocompleteSelectFilter),
        ("project", AutocompleteSelectFilter),
    )
    list_select_related = ("project", "tenant")
    search_fields = ("key",)
    search_help_text = "Words of the key, title or description."
    ordering = ("-id",)
    fields = (
        "key", "tenant", "project", "author", "title", "description", "type", "priority", "labels", "due_date", "parent",
        "state", "plan", "progress", "stage", "last_completed_stage", "round", "version", "created_at", "updated_at",
        "closed_at",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Ticket], search_term: str
    ) -> tuple[QuerySet[Ticket], bool]:
        """By the text index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        query = SearchQuery(term, config="simple", search_type="websearch")
        return queryset.annotate(text=SEARCH_VECTOR).filter(text=query), False

    @display(description="State", label=STATE_COLOURS)
    def status(self, ticket: Ticket) -> str:
        return ticket.state


@admin.register(StageTask)
class StageTaskAdmin(TenantsOwnAdmin):
    """Stage tasks, also those that died and wait for someone to look."""

    verbs = (
        Verb(
            "retry",
            "Retry",
            run=lambda task, by: services.retry_task(task=task, by=by),
            offered=lambda task, by: task.state == TaskState.DEAD,
            about=lambda task: [("Stage", str(task)), ("Attempts", str(task.attempt)), ("Error", task.last_error)],
            icon="refresh",
        ),
    )
    list_display = ("ticket", "worker_type", "status", "attempt", "claimed_by", "lease_until", "next_at", "created_at")
    list_filter = ("state", ("tenant", AutocompleteSelectFilter), ("project", AutocompleteSelectFilter))
    list_select_related = ("ticket", "claimed_by")
    search_fields = ("ticket__key",)
    search_help_text = "The whole key of the ticket."
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[StageTask], search_term: str
    ) -> tuple[QuerySet[StageTask], bool]:
        term = search_term.strip()
        return (queryset.filter(ticket__key__iexact=term) if term else queryset), False

    @display(description="State", label=TASK_COLOURS)
    def status(self, task: StageTask) -> str:
        return task.state


@admin.register(Worker)
class WorkerAdmin(TenantsOwnAdmin):
    """Workers; stopping one gives what it holds back to the queue."""

    verbs = (
        Verb(
            "stop",
            "Stop",
            run=lambda worker, by, **said: services.stop_worker(worker=worker, by=by, **said),
            form=OptionalReasonForm,
            offered=lambda worker, by: worker.stopped_at is None,
            icon="stop_circle",
            variant=ActionVariant.WARNING,
        ),
    )
    list_display = ("worker_id", "worker_type", "presence", "tenant", "project", "owner", "last_seen_at")
    list_filter = ("worker_type", ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "project", "owner")
    search_fields = ("worker_id", "worker_type")
    ordering = ("worker_type", "worker_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        return Worker.objects.visible_to(request.user).with_load()  # type: ignore[arg-type]

    @display(description="Status", label=WORKER_COLOURS)
    def presence(self, worker: Worker) -> str:
        return worker.status


@admin.register(Project)
class ProjectAdmin(TenantsOwnAdmin):
    """Projects and their settings."""

    verbs = (
        Verb(
            "settings",
            "Change the settings",
            run=_set_project,
            form=ProjectForm,
            offered=lambda project, by: (
                not permissions.reason_against(permissions.check_is_decider, by, project.tenant)
            ),
            initial=lambda project: {name: project.setting(name) for name in PROJECT_SETTINGS},
            icon="settings",
        ),
    )
    list_display = ("key", "name", "prefix", "tenant", "created_at")
    list_filter = (("tenant", AutocompleteSelectFilter),)
    list_select_related = ("tenant",)
    search_fields = ("key", "prefix")


class JiraProjectForm(forms.ModelForm):
    """Which project goes along with which; the status map is read line by line."""

    class Meta:
        model = JiraProject
        fields = (
            "connection", "key", "project", "acts_as", "statuses", "ways", "opens_tickets", "opens_issues", "issue_type",
            "edits", "comments",
        )  # fmt: skip
        labels = {"ways": "Ways over several statuses"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "ways" in self.fields:
            self.fields["ways"].widget.attrs["rows"] = 4

    def clean(self) -> Any:
        found = super().clean() or {}
        for field, sentences in faults_of(found).items():
            if field in self.fields:
                self.add_error(field, sentences)
        return found


@admin.register(JiraProject)
class JiraProjectAdmin(Admin):
    """Projects of a Jira that tickets go along with, and how their states are called there."""

    form = JiraProjectForm
    list_display = ("key", "project", "connection", "acts_as", "opens_tickets", "opens_issues")
    list_select_related = ("project", "connection", "acts_as")
    search_fields = ("key", "project__key")
    autocomplete_fields = ("connection", "project", "acts_as")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("tickets.delete_jiraproject"))


@admin.register(Comment)
class CommentAdmin(TenantsOwnAdmin):
    """What was said on tickets."""

    list_display = ("ticket", "kind", "author", "worker_id", "stage", "created_at")
    list_filter = ("kind",)
    list_select_related = ("ticket", "author")
    search_fields = ("ticket__key",)
    search_help_text = "The whole key of the ticket."
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comment]:
        seen = Ticket.objects.visible_to(request.user).order_by().values("pk")  # type: ignore[arg-type]
        return Comment.objects.filter(ticket__in=seen)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Comment], search_term: str
    ) -> tuple[QuerySet[Comment], bool]:
        term = search_term.strip()
        return (queryset.filter(ticket__key__iexact=term) if term else queryset), False
