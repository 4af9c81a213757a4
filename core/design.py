"""Examples for the page of the design system: every component in every state."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from django import forms

from core.clock import now

TONES = ("grey", "amber", "blue", "green", "red", "violet")
ICONS = [
    "house",
    "git-pull-request-arrow",
    "ticket",
    "calendar-days",
    "boxes",
    "activity",
    "plus",
    "check",
    "x",
    "search",
    "sun",
    "moon",
    "monitor",
    "user",
    "log-out",
    "menu",
    "chevron-down",
    "chevron-right",
    "arrow-right",
    "arrow-left",
    "copy",
    "clock",
    "circle-alert",
    "triangle-alert",
    "circle-check",
    "circle-x",
    "info",
    "external-link",
    "rocket",
    "undo-2",
    "rotate-cw",
    "ban",
    "message-square",
    "pencil",
    "list",
    "layout-grid",
    "keyboard",
    "download",
    "key",
    "shield-check",
    "bell",
    "eye",
    "file-text",
    "git-commit-horizontal",
    "terminal",
    "server",
    "users",
    "link",
    "inbox",
    "wifi-off",
    "loader-circle",
    "settings",
    "package",
]
COLOURS = ("bg", "surface", "sunken", "hover", "line", "line-strong", "text", "muted", "faint", "accent")


class ExampleForm(forms.Form):
    """A form in which something is wrong."""

    name = forms.CharField(help_text="As others see it.", initial="payment-api", required=False)
    version = forms.CharField(initial="2,1,0", required=False)
    impact = forms.ChoiceField(choices=[("low", "Low"), ("medium", "Medium"), ("high", "High")], required=False)
    notes = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), required=False)
    tests = forms.BooleanField(label="Staging tests passed", help_text="Required.", required=False)
    size = forms.ChoiceField(
        choices=[("s", "Small"), ("m", "Middle"), ("l", "Large")], widget=forms.RadioSelect, required=False
    )


def examples() -> dict[str, Any]:
    """Everything the page shows, in a fixed order."""
    moment = now()
    form = ExampleForm(
        {"name": "payment-api", "version": "2,1,0", "impact": "low", "size": "m"}, label_suffix="", auto_id="demo_%s"
    )
    form.add_error("version", "Use letters, digits, dot, dash, plus and underscore, such as 2.1.0.")
    return {
        "tones": TONES,
        "icons": ICONS,
        "colours": COLOURS,
        "form": form,
        "moment": moment - dt.timedelta(minutes=7),
        "people": ["Pierre Durand", "Jean Dupont", "Claire Martin", "Victor Noël", "Olga Petrova", "system"],
        "digest": "9f2c4e0d7a61b35f8e2d4c6a1b0f9e8d7c6b5a493827160f5e4d3c2b1a090807",
        "timeline": timeline(moment),
        "steps": steps(),
        "stages": stages(moment),
        "verdicts": verdicts(moment),
        "changes": changes(),
        "figures": figures(),
        "line": [2, 3, 1, 4, 6, 5, 8, 7, 9, 6, 10, 12],
    }


def timeline(moment: dt.datetime) -> list[SimpleNamespace]:
    def entry(what: str, tone: str, shape: str = "", **more: Any) -> SimpleNamespace:
        return SimpleNamespace(**{"what": what, "tone": tone, "shape": shape, "who": "", "at": moment, **more})

    return [
        entry("Requested", "grey", "plus", who="pierre.durand@cab-i.com"),
        entry("Comment", "grey", "message-square", who="jean.dupont@cab-i.com", said="Is the fallback tested?"),
        entry("Approved", "green", "check", who="jean.dupont@cab-i.com"),
        entry("Deployment failed", "red", "x", error="GET /health answered 503 for 30 s"),
        entry("Awaiting its deployment", "grey", at=None, open=True),
    ]


def steps() -> list[dict[str, str]]:
    return [
        {"label": "Build", "state": "done", "tone": "green", "note": "2 min"},
        {"label": "Review", "state": "done", "tone": "green", "note": "Jean"},
        {"label": "Test", "state": "now", "tone": "blue", "note": "worker-3"},
        {"label": "Scan", "state": "bad", "tone": "red", "note": "2 findings"},
        {"label": "Merge", "state": "", "tone": "grey", "note": ""},
    ]


def stages(moment: dt.datetime) -> list[dict[str, Any]]:
    return [
        {"name": "dev", "version": "2.2.0-dev.4", "since": moment, "ahead": False},
        {"name": "qa", "version": "2.1.0", "since": moment, "ahead": True},
        {"name": "prod", "version": "", "since": None, "ahead": False},
    ]


def verdicts(moment: dt.datetime) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(title=title, outcome=outcome, reason=reason, source="stated by Pierre Durand", at=moment)
        for title, outcome, reason in (
            ("Staging tests", "pass", "Passed"),
            ("Performance tests", "warn", "Not passed"),
            ("Security scan", "block", "2 open findings"),
        )
    ]


def changes() -> list[dict[str, Any]]:
    return [
        {"label": "Version", "before": ["2.0.0"], "after": ["2.1.0"]},
        {"label": "Tickets", "before": [], "after": ["TICKET-004"], "same": ["TICKET-001"]},
        {
            "label": "Release notes",
            "lines": [
                {"kind": "same", "sign": "", "text": "- Added 3DS2 authentication"},
                {"kind": "del", "sign": "−", "text": "- Old flow kept"},
                {"kind": "add", "sign": "+", "text": "- Fixed timeout issues"},
            ],
        },
    ]


def figures() -> list[dict[str, Any]]:
    return [
        {
            "label": "Deployments",
            "value": "3.5 a week",
            "note": "15 in 30 days",
            "series": [0, 1, 0, 2, 1, 0, 3, 1, 0, 2],
        },
        {"label": "Lead time", "value": "4.2 h", "note": "request to production, median", "series": []},
        {"label": "Change failures", "value": "0 %", "note": "0 of 15 failed or rolled back", "series": []},
        {"label": "Recovery", "value": None, "note": "nothing had to recover", "series": []},
    ]
