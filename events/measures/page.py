"""The page of the measures: four charts over a period, and the same per service, environment or tenant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.pages import person_of
from core import charts
from core.clock import now
from events.chain.kinds import environment_named
from events.chain.sight import visible_tenants
from events.measures.figures import DAILY_UP_TO, DAY, Measure, Measures, grouped, measure, spell
from events.measures.runs import Run, Scope, finished_runs

PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year"}
PARTS = {"service": "Service", "environment": "Environment", "tenant": "Tenant"}
MOST_PARTS = 50


@dataclass(frozen=True, slots=True)
class Tile:
    """One measure as it is drawn."""

    label: str
    value: str | None
    note: str
    bars: list[dict[str, Any]] = field(default_factory=list)
    top: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of the table."""

    name: str
    deployments: int
    values: list[tuple[str, str | None]]


@require_safe
@login_required
def measures_page(request: HttpRequest) -> HttpResponse:
    """The four measures of what this person may see."""
    user, query = person_of(request), request.GET
    days = query.get("days", "") if query.get("days") in PERIODS else "30"
    by = query.get("by", "") if query.get("by") in PARTS else "service"
    end = now()
    scope = Scope(
        end - dt.timedelta(days=int(days)), end, tenant=_clean(query, "tenant"), service=_clean(query, "service"),
        environment=environment_named(_clean(query, "environment")),
    )  # fmt: skip
    runs = finished_runs(user, scope)
    measures = measure(runs, scope)
    context = {
        "scope": scope, "days": days, "by": by, "periods": PERIODS, "parts_by": PARTS, "tiles": tiles_of(measures),
        "measures": measures, "parts": parts_of(runs, scope, by), "tenants": visible_tenants(user),
        "services": _choices(runs, "service", scope.service),
        "environments": _choices(runs, "environment", scope.environment),
        "narrowed": bool(scope.tenant or scope.service or scope.environment),
    }  # fmt: skip
    return render(request, "events/measures.html", context)


def _clean(query: QueryDict, name: str) -> str:
    return query.get(name, "").replace("\x00", "").strip()[:200]


def _choices(runs: Sequence[Run], part: str, chosen: str) -> list[str]:
    found = {getattr(run.target, part) for run in runs}
    return sorted(filter(None, {*found, chosen}))[:200]


def tiles_of(measures: Measures) -> list[Tile]:
    """The measures with their charts; weeks where the period is long."""
    per = "day" if measures.scope.until - measures.scope.since <= DAY * DAILY_UP_TO else "week"
    restore, lead, rate = measures.restore_time, measures.lead_time, measures.failure_rate
    notes = {
        "deployment_frequency": f"{measures.deployments} deployments",
        "lead_time": f"median of {lead.count}, from change (or request) to deployment",
        "change_failure_rate": f"{measures.failures} of {rate.count} went wrong",
        "time_to_restore": f"median of {restore.count}, until it was well again",
    }
    return [_tile(one, notes[one.name], per) for one in measures]


def _tile(one: Measure, note: str, per: str) -> Tile:
    words = WORDS[one.name]
    if one.value is None:
        return Tile(words.label, None, "nothing in this period to tell it from")
    top = max((value for value in one.series if value is not None), default=0.0)
    shown = words.scale(top)
    said = f"{words.label} per {per}, at most {shown}"
    return Tile(words.label, words.tell(one.value), note, charts.bars(one.series), shown if top else "", said)


def _often(per_day: float) -> str:
    return f"{per_day:.1f} a day" if per_day >= 1 else f"{per_day * 7:.1f} a week"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:.0f} %"


@dataclass(frozen=True, slots=True)
class Words:
    """How a measure is called, how its value is told, and the top of its chart."""

    label: str
    short: str
    tell: Callable[[float], str]
    scale: Callable[[float], str]


WORDS = {
    "deployment_frequency": Words("Deployment frequency", "Frequency", _often, lambda top: str(int(top))),
    "lead_time": Words("Lead time for changes", "Lead time", spell, spell),
    "change_failure_rate": Words("Change failure rate", "Failures", _percent, _percent),
    "time_to_restore": Words("Time to restore", "Restore", spell, spell),
}


def parts_of(runs: Sequence[Run], scope: Scope, by: str) -> list[Part]:
    """A line for each tenant, service or environment, the busiest first."""
    parts = []
    for name, some in grouped(runs, by).items():
        told = measure(some, scope)
        values = [
            (WORDS[one.name].short, None if one.value is None else WORDS[one.name].tell(one.value)) for one in told
        ]
        parts.append(Part(name, told.failure_rate.count, values))
    return sorted(parts, key=lambda part: (-part.deployments, part.name))[:MOST_PARTS]
