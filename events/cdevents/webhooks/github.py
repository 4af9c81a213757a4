"""GitHub's webhooks as CDEvents."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from events.cdevents.names import TOOL
from events.cdevents.webhooks.mapping import Delivery, Maker, Mapped, Payload, Repository, address, commit_events

_OUTCOMES = {
    "success": "success", "neutral": "success", "failure": "failure", "cancelled": "cancel", "skipped": "cancel",
    "stale": "cancel", "timed_out": "error", "action_required": "error", "startup_failure": "error",
}  # fmt: skip
_CHANGES = {"opened": "created.0.4.0", "closed": "abandoned.0.3.0"}
_DEPLOYMENTS = {"success": "deployed", "failure": "failed", "error": "failed"}


def map_github(delivery: Delivery) -> Iterable[Mapped]:
    """The events of a delivery; none for kinds and actions that say nothing here. Unmappable for a broken payload."""
    mapper = _MAPPERS.get(delivery.event)
    if mapper is None:
        return []
    payload = delivery.payload
    repository = Repository(
        address(payload.must("repository", "html_url")), payload.must("repository", "full_name"), "github"
    )
    return mapper(payload, repository, Maker(delivery, repository.url))


def _push(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    ref = payload.must("ref")
    if not ref.startswith("refs/heads/") or payload.flag("deleted"):
        return []
    return commit_events(maker, repository, ref.removeprefix("refs/heads/"), payload.list("commits"))


def _branch(predicate: str) -> Callable[[Payload, Repository, Maker], Iterable[Mapped]]:
    def map_branch(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
        if payload.text("ref_type") != "branch":
            return
        name = payload.must("ref")
        type_ = f"dev.cdevents.branch.{predicate}.0.3.0"
        yield maker.event(type_, name, {"repository": repository.reference()}, texts=[name])

    return map_branch


def _pull_request(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    action = payload.must("action")
    change = _Change(payload, repository)
    kind = _CHANGES.get(action, "updated.0.3.0")
    if action == "closed" and payload.flag("pull_request", "merged"):
        kind = "merged.0.3.0"
    verdict = "draft" if action == "opened" and payload.flag("pull_request", "draft") else ""
    if action in {"ready_for_review", "reopened"}:
        verdict = "ready"
    yield change.event(maker, kind, verdict, payload.text("pull_request", "updated_at"))


def _review(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    if payload.must("action") != "submitted":
        return
    verdict = payload.text("review", "state").lower()
    told = {"verdict": verdict, "reviewer": payload.text("review", "user", "login")}
    verdict = verdict if verdict in {"approved", "changes_requested"} else ""
    change = _Change(payload, repository, told)
    yield change.event(maker, "reviewed.0.3.0", verdict, payload.text("review", "submitted_at"))


class _Change:
    """A pull request of a payload."""

    def __init__(self, payload: Payload, repository: Repository, more: dict[str, str] | None = None) -> None:
        self.pull, self.repository, self.more = payload.at("pull_request"), repository, more or {}

    def event(self, maker: Maker, kind: str, verdict: str, at: str) -> Mapped:
        pull, merged = self.pull, kind.startswith("merged")
        content: dict[str, object] = {"repository": self.repository.reference()}
        if kind.startswith("created"):
            content["description"] = pull.text("title")
        merge = pull.text("merge_commit_sha") if merged else ""
        custom = {
            "title": pull.text("title"),
            "url": pull.text("html_url"),
            "branch": pull.text("head", "ref"),
            "base": pull.text("base", "ref"),
            "head": pull.text("head", "sha"),
            "mergeCommit": merge,
            **self.more,
        }
        return maker.event(
            f"dev.cdevents.change.{kind}",
            pull.must("number"),
            content,
            at=at,
            custom=custom,
            texts=(pull.text("title"), pull.text("body"), pull.text("head", "ref")),
            commits=[(pull.text("head", "sha"), ""), (merge, "")],
            verdict=verdict,
        )


def _workflow_run(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    step = {"requested": "queued", "in_progress": "started", "completed": "finished"}.get(payload.must("action"))
    run = payload.at("workflow_run")
    if step is None:
        return
    content = {"pipelineName": run.text("name") or run.text("path") or "workflow", "uri": address(run.must("html_url"))}
    if step == "finished":
        content["outcome"] = _OUTCOMES.get(run.text("conclusion"), "error")
    sha, attempt = run.text("head_sha"), run.text("run_attempt")
    custom = {"commit": sha, "branch": run.text("head_branch"), "url": run.text("html_url"), "event": run.text("event")}
    yield maker.event(
        f"dev.cdevents.pipelinerun.{step}.0.3.0",
        run.must("id") + (f"/{attempt}" if attempt not in {"", "1"} else ""),
        content,
        at=run.text("updated_at" if step == "finished" else "run_started_at"),
        custom=custom,
        texts=(run.text("head_branch"), run.text("display_title"), run.text("head_commit", "message")),
        commits=[(sha, "")],
    )


def _deployment_status(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    deployment, status = payload.at("deployment"), payload.at("deployment_status")
    outcome = _DEPLOYMENTS.get(status.must("state"))
    if outcome is None:
        return
    sha = deployment.must("sha")
    place = status.text("environment") or deployment.must("environment")
    type_ = "dev.cdevents.service.deployed.0.3.0"
    content = {"environment": {"id": place}, "artifactId": repository.package(sha)}
    if outcome == "failed":
        type_ = f"dev.cdeventsx.{TOOL}-deployment.failed.0.1.0"
        content["service"] = {"id": payload.must("repository", "name")}
    yield maker.event(
        type_,
        payload.must("repository", "name"),
        content,
        at=status.text("created_at"),
        custom={
            "commit": sha,
            "ref": deployment.text("ref"),
            "url": status.text("log_url") or status.text("target_url"),
        },
        texts=(deployment.text("ref"), deployment.text("description"), status.text("description")),
        commits=[(sha, "")],
    )


def _release(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    if payload.must("action") != "published":
        return
    release = payload.at("release")
    yield maker.event(
        "dev.cdevents.artifact.published.0.3.0",
        repository.package(release.must("tag_name")),
        {"user": release.text("author", "login")},
        at=release.text("published_at"),
        custom={
            "url": release.text("html_url"),
            "ref": release.text("target_commitish"),
            "title": release.text("name"),
        },
        texts=(release.text("name"), release.text("body")),
    )


def _issues(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    action, issue = payload.must("action"), payload.at("issue")
    content = {
        "summary": issue.must("title"),
        "creator": issue.text("user", "login") or "unknown",
        "assignees": [each.text("login") for each in issue.list("assignees")],
        "labels": [each.text("name") for each in issue.list("labels")],
        "milestone": issue.text("milestone", "title"),
        "group": repository.name,
        "uri": address(issue.must("html_url")),
    }
    kind = {"opened": "created", "closed": "closed"}.get(action, "updated")
    if kind != "created":
        content["updatedBy"] = payload.text("sender", "login")
    if kind == "closed":
        reasons = {"not_planned": "withdrawn", "duplicate": "duplicate"}
        content["resolution"] = reasons.get(issue.text("state_reason"), "completed")
    yield maker.event(
        f"dev.cdevents.ticket.{kind}.0.2.0",
        issue.must("number"),
        content,
        at=issue.text("updated_at"),
        custom={"action": action},
        texts=(issue.text("title"),),
    )


_MAPPERS: dict[str, Callable[[Payload, Repository, Maker], Iterable[Mapped]]] = {
    "push": _push,
    "create": _branch("created"),
    "delete": _branch("deleted"),
    "pull_request": _pull_request,
    "pull_request_review": _review,
    "workflow_run": _workflow_run,
    "deployment_status": _deployment_status,
    "release": _release,
    "issues": _issues,
}
