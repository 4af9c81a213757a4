"""The words of the graph: kinds of things, ways from one to another, states, environments."""

from __future__ import annotations

from django.db import models


class NodeKind(models.TextChoices):
    """What a chain leads through, in the order changes pass through them."""

    TICKET = "ticket", "Ticket"
    COMMIT = "commit", "Commit"
    CHANGE = "change", "Change"
    BUILD = "build", "Build"
    TEST = "test", "Test run"
    ARTIFACT = "artifact", "Artifact"
    IMPORT_MAP = "import_map", "Import map"
    REQUEST = "request", "Request"
    APPROVAL = "approval", "Approval"
    DEPLOYMENT = "deployment", "Deployment"
    ENVIRONMENT = "environment", "Environment"
    OPERATION = "operation", "Operation"
    INCIDENT = "incident", "Incident"
    # Stands for a received event under its context id, until (and after) it is known what that event is about.
    MESSAGE = "message", "Message"


class EdgeKind(models.TextChoices):
    """How one thing came of another; an edge always leads from the cause."""

    NAMES = "names", "named by"  # a ticket and what names it
    PRECEDES = "precedes", "followed by"  # a commit and the next one pushed
    PART_OF = "part_of", "part of"
    MERGED_AS = "merged_as", "merged as"
    BUILT = "built", "built by"
    TESTED = "tested", "tested by"
    PRODUCED = "produced", "produced"
    SAME = "same", "the same as"
    ASKED = "asked", "asked for by"
    DECIDED = "decided", "decided by"
    DEPLOYED = "deployed", "deployed by"
    RUNS_IN = "runs_in", "runs in"
    CAUSED = "caused", "caused"
    REMEDIED_BY = "remedied_by", "remedied by"
    FOLLOWED_BY = "followed_by", "followed by"
    TRACKED_BY = "tracked_by", "tracked by"
    LINKED = "linked", "linked to"


class State(models.TextChoices):
    """How a deployment, an incident, a build or an operation stands."""

    PLANNED = "planned"
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ROLLED_BACK = "rolled_back"
    REMOVED = "removed"
    OPEN = "open"
    RESOLVED = "resolved"


FINISHED = (State.SUCCEEDED, State.FAILED, State.ROLLED_BACK)

_ENVIRONMENTS = {
    "prod": "production", "prd": "production", "live": "production",
    "preprod": "preproduction", "pre-production": "preproduction", "pre-prod": "preproduction",
    "dev": "development", "stage": "staging", "stg": "staging", "test": "testing", "int": "integration",
}  # fmt: skip


def environment_named(text: str) -> str:
    """One name for each environment, however it is spelled: Prod, prd and production are the same."""
    name = text.strip().lower()[:100]
    return _ENVIRONMENTS.get(name, name)
