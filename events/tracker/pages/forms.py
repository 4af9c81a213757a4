"""What people type about events and locks; the rules themselves live in content.py and locks.py."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import home_tenant, tenants_where
from core import forms as core_forms
from core.forms import plain_lines
from events.models import CatalogEntry, Event
from events.tracker.content import ENUMS, LISTS, TEXTS, TIMES, parse_id
from events.tracker.pages.looks import ENVIRONMENTS, IMPACTS, PRIORITY_WORDS, STATUSES, TYPES
from events.tracker.vocabulary import Status, Type

WHEN = "%Y-%m-%dT%H:%M"
STATUS_ORDER = (
    Status.STATUS_UNSPECIFIED, Status.planned, Status.waiting_approval, Status.start, Status.in_progress, Status.open,
    Status.success, Status.failure, Status.warning, Status.error, Status.done, Status.close,
)  # fmt: skip
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class UtcField(forms.DateTimeField):
    """A moment in UTC, whatever the time zone of the person is: people of several zones record into one log."""

    def to_python(self, value: Any) -> dt.datetime | None:
        with timezone.override(dt.UTC):
            return super().to_python(value)


def moment_field(label: str, text: str) -> UtcField:
    return UtcField(
        label=label, help_text=text, input_formats=[WHEN, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=WHEN),
        error_messages={"invalid": "Write it as 2026-01-31T14:00."},
    )  # fmt: skip


class EventForm(core_forms.DomainForm):
    """Everything a person may say about an event."""

    names = {
        **{wire: column for column, (wire, _) in {**TEXTS, **ENUMS}.items()},
        **{wire: column for column, wire in {**LISTS, **TIMES}.items()},
        "attributes.impact": "impact", "attributes.relatedId": "related_id", "tenant": "tenant", "service": "service",
    }  # fmt: skip

    CHOICES = ("type", "environment", "status", "priority", "impact")

    tenant = forms.CharField(widget=forms.Select)
    type = forms.ChoiceField(
        label="What is it?", choices=[(str(int(kind)), look.label) for kind, look in TYPES.items()],
        widget=forms.RadioSelect,
    )  # fmt: skip
    title = forms.CharField(
        label="Title", help_text="What happened, so that it can be told from others in a list.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    message = forms.CharField(
        label="Message", strip=False, help_text="What others should know. Markdown is welcome.",
        widget=forms.Textarea(attrs={"rows": 6, "class": "textarea textarea--tall"}),
    )  # fmt: skip
    service = forms.CharField(
        label="Service", help_text="The service or component it is about.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "known-services"}),
    )  # fmt: skip
    environment = forms.ChoiceField(label="Environment", choices=list(ENVIRONMENTS.items()))
    status = forms.ChoiceField(label="Status", choices=[(int(one), STATUSES[one].label) for one in STATUS_ORDER])
    priority = forms.ChoiceField(label="Priority", choices=[(0, "No priority"), *PRIORITY_WORDS.items()])
    impact = forms.ChoiceField(label="Impact", choices=list(IMPACTS.items()))
    started_at = moment_field("Began", "In UTC. Empty: when it is recorded.")
    ended_at = moment_field("Ended", "In UTC. Empty: it goes on, or nobody knows.")
    owner = forms.CharField(label="Owner", help_text="The team or person who answers for it.")
    stakeholders = forms.CharField(label="Stakeholders", help_text="Teams that are affected, separated by commas.")
    ticket = forms.CharField(label="Ticket", help_text="Such as PAY-142.", widget=forms.TextInput(attrs=_PLAIN))
    pull_request_link = forms.CharField(
        label="Pull request", widget=forms.URLInput(attrs={"placeholder": "https://…", **_PLAIN})
    )
    related_id = forms.CharField(
        label="Follows from", help_text="The id of the event that led to it, as its page shows it.",
        widget=forms.TextInput(attrs={**_PLAIN, "class": "input mono"}),
    )  # fmt: skip
    seen = forms.CharField(widget=forms.HiddenInput)
    # Whose draft this is: a draft that outlived its session is given back to the same person only.
    drafted_by = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: User, event: Event | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("drafted_by", str(user.public_id))
        self.event = event
        self._keep_status(event)
        self.tenants = [] if event else list(tenants_where(user, Capability.RECORD_EVENTS).order_by("slug")[:300])
        self.fields["tenant"].widget.choices = [
            (tenant.slug, f"{tenant.name} ({tenant.slug})") for tenant in self.tenants
        ]
        if "tenant" not in self.initial and (home := home_tenant(user, self.tenants)):
            self.initial["tenant"] = home.slug

    def _keep_status(self, event: Event | None) -> None:
        """A status that only machines give stays a choice for an event that has it."""
        if event is not None and event.status not in STATUS_ORDER:
            self.fields["status"].choices += [(event.status, STATUSES[event.status].label)]  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        """What was typed, as the domain takes it."""
        typed = self.cleaned_data
        content: dict[str, Any] = {
            name: typed.get(name, "").strip() for name in ("title", "service", "owner", "ticket", "pull_request_link")
        }
        content["message"] = plain_lines(typed.get("message", "")).strip()
        content["stakeholders"] = [part.strip() for part in typed.get("stakeholders", "").split(",") if part.strip()]
        content["related_id"] = parse_id(related) if (related := typed.get("related_id", "").strip()) else None
        for name in self.CHOICES:
            content[name] = _number(typed.get(name) or self.data.get(name, ""))
        for name in ("started_at", "ended_at"):
            content[name] = self._moment(name)
        return content

    def _moment(self, name: str) -> dt.datetime | None:
        """What was typed; as exact as it was where it was not touched, since the field shows no seconds."""
        typed: dt.datetime | None = self.cleaned_data.get(name)
        known: dt.datetime | None = getattr(self.event, name, None)
        untouched = typed and known and typed == known.replace(second=0, microsecond=0)
        return known if untouched else typed


def _number(text: str) -> int:
    """What the field says; something impossible for what is no number, so that the domain refuses it."""
    if not text:
        return 0
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else -1


def initial_of(event: Event) -> dict[str, Any]:
    """What the form shows of an event that is to be changed."""
    names = ("title", "message", "service", "environment", "status", "priority", "impact", "owner", "ticket",
             "pull_request_link", "type")  # fmt: skip
    return {
        **{name: getattr(event, name) for name in names},
        "started_at": _utc(event.started_at), "ended_at": _utc(event.ended_at),
        "stakeholders": ", ".join(event.stakeholders), "related_id": str(event.related_id or ""),
        "seen": event.updated_at.isoformat(),
    }  # fmt: skip


def _utc(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).strftime(WHEN) if moment else ""


def read_seen(text: str) -> dt.datetime:
    """The state of the event that the page was made from; the beginning of time for a text that names none."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def known_services(tenants: list[int]) -> list[str]:
    """Names to choose from while typing: the services of the catalogue."""
    names = CatalogEntry.objects.filter(tenant_id__in=tenants).order_by("name").values_list("name", flat=True)
    return list(dict.fromkeys(names[:300]))


# What a link to the empty form may fill in, such as /events/new/?type=incident&service=ledger.
FROM_LINK = ("title", "service", "ticket", "related_id", "owner", "tenant", "message", "pull_request_link")
KINDS = {kind.name: str(int(kind)) for kind in Type if kind}
FIRST_STATUS = {Type.incident: Status.open, Type.drift: Status.open, Type.operation: Status.start}


class StepForm(core_forms.DomainForm):
    """A word to go with the end of an event."""

    names = {"entry.comment": "comment"}

    comment = forms.CharField(label="Comment", strip=False, widget=forms.Textarea(attrs={"rows": 2}))
    seen = forms.CharField(widget=forms.HiddenInput)


class CommentForm(core_forms.DomainForm):
    """Something to say in the changelog."""

    names = {"entry": "comment", "entry.comment": "comment"}

    comment = forms.CharField(
        label="Comment", strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "What did you find out or do?"}),
    )  # fmt: skip


class LockForm(core_forms.DomainForm):
    """A service that is to be held."""

    names = {name: name for name in ("service", "environment", "resource", "tenant")} | {"expiresAt": "expires_at"}

    service = forms.CharField(label="Service", widget=forms.TextInput(attrs={**_PLAIN, "list": "known-services"}))
    environment = forms.CharField(
        label="Environment",
        help_text="Empty: every one.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "known-environments"}),
    )
    resource = forms.CharField(label="Resource", help_text="Such as deployment. Empty: all of the service.")
    expires_at = moment_field("Until", "In UTC. Empty: until it is released.")
    tenant = forms.CharField(widget=forms.Select)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenants = list(tenants_where(user, Capability.RECORD_EVENTS).order_by("slug")[:300])
        self.fields["tenant"].widget.choices = [(one.slug, f"{one.name} ({one.slug})") for one in self.tenants]
        if home := home_tenant(user, self.tenants):
            self.initial.setdefault("tenant", home.slug)
