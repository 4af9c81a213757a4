"""What people type into the pages of tickets; the rules themselves live in tickets/validation.py."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core import forms as core_forms
from core.forms import plain_lines
from tickets.models import Ticket
from tickets.pages.looks import LINKS, PRIORITIES, TYPES
from tickets.types import LinkKind, PlanStep, TicketContent

FORM_FIELDS = {
    "tenant": "tenant",
    "project_id": "project",
    "ticket_id": "key",
    "title": "title",
    "description": "description",
    "type": "type",
    "priority": "priority",
    "labels": "labels",
    "assignees": "assignees",
    "due_date": "due_date",
    "parent": "parent",
    "execution_plan": "plan",
    "comment": "comment",
    "content": "comment",
    "reason": "comment",
    "to_step": "back_to_step",
    "back_to_step": "back_to_step",
    "url": "url",
    "kind": "kind",
    "blocker": "blocker",
}


class DomainForm(core_forms.DomainForm):
    """A form about tickets."""

    names = FORM_FIELDS


class TicketForm(DomainForm):
    """Everything a coordinator fills in."""

    tenant = forms.CharField(widget=forms.Select)
    project = forms.CharField(
        label="Project", help_text="Such as finance/payment-api; made if it is new.",
        widget=forms.TextInput(attrs={"list": "known-projects", "autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip
    key = forms.CharField(
        label="Key", help_text="Such as TICKET-001. Empty: the project's next number.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "input mono"}),
    )  # fmt: skip
    title = forms.CharField(label="Title", widget=forms.TextInput(attrs={"autocomplete": "off"}))
    description = forms.CharField(
        label="Description", strip=False,
        widget=forms.Textarea(attrs={"rows": 7, "class": "textarea textarea--tall"}),
        help_text="What is wanted. Markdown is welcome.",
    )  # fmt: skip
    type = forms.ChoiceField(
        label="Type", choices=[(str(kind), look.label) for kind, look in TYPES.items()], widget=forms.RadioSelect
    )
    priority = forms.ChoiceField(
        label="Priority", choices=[(str(int(value)), look.label) for value, look in PRIORITIES.items()],
        widget=forms.RadioSelect,
    )  # fmt: skip
    plan = forms.CharField(
        label="Execution plan", strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "class": "textarea textarea--tall", "spellcheck": "false"}),
        help_text="One stage a line, in order: the worker type it is for. A question mark in front makes it a gate "
        "that waits for a person, such as ?sign-off.",
    )  # fmt: skip
    labels = forms.CharField(label="Labels", help_text="Separated by commas.")
    assignees = forms.CharField(label="Assignees", help_text="E-mail addresses, separated by commas.")
    due_date = forms.DateField(
        label="Due", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The day it is needed.", error_messages={"invalid": "Write the date as 2026-01-31."},
    )  # fmt: skip
    parent = forms.CharField(
        label="Parent", help_text="The key of the ticket it is a part of.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "input mono"}),
    )  # fmt: skip
    version = forms.CharField(widget=forms.HiddenInput)
    # Whose draft this is: a draft that outlived its session is given back to the same person only.
    drafted_by = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = tenants_where(user, Capability.EDIT_TICKETS).order_by("slug")
        self.tenants = list(tenants[:300])
        self.fields["tenant"].widget.choices = [
            (tenant.slug, f"{tenant.name} ({tenant.slug})") for tenant in self.tenants
        ]
        self.initial.setdefault("drafted_by", str(user.public_id))
        if "tenant" not in self.initial and (home := home_tenant(user, self.tenants)):
            self.initial["tenant"] = home.slug

    def content(self) -> TicketContent:
        """What was typed, as the domain takes it."""
        typed = self.cleaned_data
        priority = typed.get("priority", "")
        return TicketContent(
            title=typed.get("title", ""),
            description=plain_lines(typed.get("description", "")).strip(),
            plan=read_plan(typed.get("plan", "")),
            type=typed.get("type") or self.data.get("type", ""),
            priority=int(priority) if priority else -1,
            labels=tuple(dict.fromkeys(split(typed.get("labels", "")))),
            assignees=tuple(sorted(dict.fromkeys(split(typed.get("assignees", ""))))),
            due_date=typed.get("due_date"),
            parent=typed.get("parent", ""),
        )


def split(text: str) -> list[str]:
    """Parts between commas, without blanks around them."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_plan(text: str) -> tuple[PlanStep, ...]:
    """One step a line; a question mark in front makes a gate."""
    names = [line.strip() for line in plain_lines(text).replace(",", "\n").split("\n") if line.strip()]
    return tuple(PlanStep(name.removeprefix("?").strip(), name.startswith("?")) for name in names)


def write_plan(steps: list[PlanStep]) -> str:
    """As `read_plan` reads it."""
    return "\n".join(f"{'?' if step.gate else ''}{step.stage}" for step in steps)


def initial_of(ticket: Ticket) -> dict[str, Any]:
    """What the form shows of a ticket that is to be edited."""
    return {
        "tenant": ticket.tenant.slug,
        "project": ticket.project.key,
        "key": ticket.key,
        "title": ticket.title,
        "description": ticket.description,
        "type": ticket.type,
        "priority": ticket.priority,
        "plan": write_plan(ticket.steps),
        "labels": ", ".join(ticket.labels),
        "assignees": ", ".join(sorted(person.email for person in ticket.assignees.all())),
        "due_date": ticket.due_date,
        "parent": ticket.parent.key if ticket.parent else "",
        "version": ticket.version,
    }


class VerbForm(DomainForm):
    """A word to go with a step, bound to the version of the ticket that was shown."""

    comment = forms.CharField(label="Comment", strip=False, widget=forms.Textarea(attrs={"rows": 2}))
    version = forms.CharField(widget=forms.HiddenInput)


class ReasonForm(VerbForm):
    """A step that takes a reason."""

    comment = forms.CharField(
        label="Reason", strip=False, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="It goes on record; whoever takes the ticket up next reads it.",
    )  # fmt: skip


class ReturnForm(ReasonForm):
    """Back to a stage that is done already, and why."""

    back_to_step = forms.CharField(label="Go back to", widget=forms.Select)

    def offer(self, ticket: Ticket, *, also_none: bool) -> None:
        """The stages that are done as choices, the last one first."""
        done = [(str(number), f"{number + 1}. {step.stage}") for number, step in enumerate(ticket.steps)]
        choices = done[: ticket.progress][::-1]
        self.fields["back_to_step"].widget.choices = (
            [("", "Nowhere yet: it stays declined"), *choices] if also_none else choices
        )


class NothingForm(DomainForm):
    """Nothing to fill in."""

    version = forms.CharField(widget=forms.HiddenInput)


class StopWorkerForm(DomainForm):
    """Why a worker works no more."""

    comment = forms.CharField(label="Reason", widget=forms.TextInput(attrs={"autocomplete": "off", "maxlength": 500}))


class CommentForm(DomainForm):
    """Something to say on the record."""

    comment = forms.CharField(
        label="Comment", strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "Say something on the record. Markdown is welcome."}),
    )  # fmt: skip


class DependencyForm(DomainForm):
    """Another ticket that has to be done first."""

    blocker = forms.CharField(
        label="Waits for", widget=forms.TextInput(attrs={"placeholder": "TICKET-001", "class": "input mono"})
    )


class LinkForm(DomainForm):
    """Where else the ticket is spoken of."""

    url = forms.CharField(label="Address", widget=forms.URLInput(attrs={"placeholder": "https://…"}))
    kind = forms.CharField(label="Kind", initial=LinkKind.ISSUE, widget=forms.Select(choices=list(LINKS.items())))
    title = forms.CharField(label="Title")
