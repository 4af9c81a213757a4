"""How types, states, priorities and changes of events look: word, tone and icon, in one table each."""

from __future__ import annotations

from core.looks import Look
from events.models import Event
from events.tracker.vocabulary import RUNNING, CatalogType, ChangeType, Environment, Priority, Status, Type

TYPES: dict[int, Look] = {
    Type.deployment: Look("Deployment", "blue", "rocket"),
    Type.operation: Look("Operation", "violet", "settings"),
    Type.drift: Look("Drift", "amber", "git-commit-horizontal"),
    Type.incident: Look("Incident", "red", "triangle-alert"),
    Type.rpa_usage: Look("RPA run", "green", "terminal"),
}

STATUSES: dict[int, Look] = {
    Status.STATUS_UNSPECIFIED: Look("No status", "grey"),
    Status.start: Look("Started", "blue", "loader-circle", live=True),
    Status.failure: Look("Failed", "red", "circle-x"),
    Status.success: Look("Succeeded", "green", "circle-check"),
    Status.warning: Look("Warning", "amber", "triangle-alert"),
    Status.error: Look("Error", "red", "circle-alert"),
    Status.snapshot: Look("Snapshot", "grey"),
    Status.user_update: Look("User update", "grey"),
    Status.recommandation: Look("Recommendation", "grey"),
    Status.open: Look("Open", "amber", "circle-alert"),
    Status.close: Look("Closed", "grey", "check"),
    Status.done: Look("Done", "green", "check"),
    Status.in_progress: Look("In progress", "blue", "loader-circle", live=True),
    Status.planned: Look("Planned", "violet", "calendar-days"),
    Status.waiting_approval: Look("Awaiting approval", "amber", "clock"),
}

PRIORITIES: dict[int, Look] = {
    Priority.PRIORITY_UNSPECIFIED: Look("No priority", "grey"),
    Priority.P1: Look("P1", "red"),
    Priority.P2: Look("P2", "amber"),
    Priority.P3: Look("P3", "grey"),
    Priority.P4: Look("P4", "grey"),
    Priority.P5: Look("P5", "grey"),
}
PRIORITY_WORDS = {1: "P1 · critical", 2: "P2 · high", 3: "P3 · medium", 4: "P4 · low", 5: "P5 · trivial"}

ENVIRONMENTS: dict[int, str] = {
    Environment.ENVIRONMENT_UNSPECIFIED: "No environment",
    Environment.development: "Development",
    Environment.integration: "Integration",
    Environment.TNR: "TNR",
    Environment.UAT: "UAT",
    Environment.recette: "Recette",
    Environment.preproduction: "Pre-production",
    Environment.production: "Production",
    Environment.mco: "MCO",
}

IMPACTS = {0: "None", 1: "Low", 2: "Medium", 3: "High"}

CHANGES: dict[int, Look] = {
    ChangeType.CHANGE_TYPE_UNSPECIFIED: Look("Noted", "grey", "info"),
    ChangeType.created: Look("Recorded", "blue", "plus"),
    ChangeType.updated: Look("Changed", "grey", "pencil"),
    ChangeType.status_changed: Look("Status changed", "blue", "activity"),
    ChangeType.approved: Look("Approved", "green", "check"),
    ChangeType.rejected: Look("Rejected", "red", "x"),
    ChangeType.commented: Look("Commented", "grey", "message-square"),
    ChangeType.linked: Look("Linked", "grey", "link"),
    ChangeType.locked: Look("Locked", "amber", "key"),
    ChangeType.unlocked: Look("Unlocked", "grey", "key"),
}

CATALOG_TYPES: dict[int, Look] = {
    CatalogType.TYPE_UNSPECIFIED: Look("Entry", "grey", "package"),
    CatalogType.module: Look("Module", "blue", "package"),
    CatalogType.library: Look("Library", "violet", "package"),
    CatalogType.workflow: Look("Workflow", "amber", "git-commit-horizontal"),
    CatalogType.project: Look("Project", "green", "server"),
    CatalogType.chart: Look("Chart", "blue", "boxes"),
    CatalogType.package: Look("Package", "violet", "package"),
    CatalogType.container: Look("Container", "blue", "boxes"),
}

UNFINISHED = RUNNING | {Status.open, Status.planned, Status.waiting_approval}


def tone_of(event: Event) -> str:
    """The colour of an event where there is room for one: its outcome, and while there is none its type."""
    if event.status in (Status.failure, Status.error, Status.warning):
        return STATUSES[event.status].tone
    return TYPES[event.type].tone if event.type != Type.deployment or event.status != Status.success else "green"
