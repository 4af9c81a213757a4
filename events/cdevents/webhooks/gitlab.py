"""GitLab's webhooks as CDEvents."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from events.cdevents.names import TOOL
from events.cdevents.webhooks.mapping import (
    Delivery,
    Maker,
    Mapped,
    Payload,
    Repository,
    Unmappable,
    address,
    commit_events,
)

_ZEROS = "0" * 40
_CHANGES = {
    "open": "created.0.4.0", "close": "abandoned.0.3.0", "merge": "merged.0.3.0", "approved": "reviewed.0.3.0",
    "approval": "reviewed.0.3.0", "unapproved": "reviewed.0.3.0",
}  # fmt: skip
_VERDICTS = {"approved": "approved", "unapproved": "changes_requested", "reopen": "ready"}
_STEPS = {
    "created": "queued", "pending": "queued", "running": "started", "success": "finished", "failed": "finished",
    "canceled": "finished", "skipped": "finished",
}  # fmt: skip
_OUTCOMES = {"success": "success", "failed": "failure", "canceled": "cancel", "skipped": "cancel"}


def map_gitlab(delivery: Delivery) -> Iterable[Mapped]:
    """The events of a delivery; none for kinds and actions that say nothing here. Unmappable for a broken payload."""
    payload = delivery.payload
    mapper = _MAPPERS.get(payload.text("object_kind") or delivery.event.lower().removesuffix(" hook").replace(" ", "_"))
    if mapper is None:
        return []
    repository = Repository(
        address(payload.must("project", "web_url")), payload.must("project", "path_with_namespace"), "gitlab"
    )
    return mapper(payload, repository, Maker(delivery, repository.url))


def _push(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    ref = payload.must("ref")
    if not ref.startswith("refs/heads/"):
        return
    branch, about = ref.removeprefix("refs/heads/"), {"repository": repository.reference()}
    if payload.text("before") == _ZEROS:
        yield maker.event("dev.cdevents.branch.created.0.3.0", branch, about, texts=[branch])
    if payload.text("after") == _ZEROS:
        yield maker.event("dev.cdevents.branch.deleted.0.3.0", branch, about, texts=[branch])
    yield from commit_events(maker, repository, branch, payload.list("commits"))


def _merge_request(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    request = payload.at("object_attributes")
    action = request.text("action") or "update"
    kind = _CHANGES.get(action, "updated.0.3.0")
    content: dict[str, object] = {"repository": repository.reference()}
    if kind.startswith("created"):
        content["description"] = request.text("title")
    draft = request.flag("draft") or request.flag("work_in_progress")
    verdict = "draft" if draft and action == "open" else _VERDICTS.get(action, "")
    merge = request.text("merge_commit_sha") if action == "merge" else ""
    custom = {
        "title": request.text("title"),
        "url": request.text("url"),
        "branch": request.text("source_branch"),
        "base": request.text("target_branch"),
        "head": request.text("last_commit", "id"),
        "mergeCommit": merge,
        "action": action,
    }
    yield maker.event(
        f"dev.cdevents.change.{kind}",
        request.must("iid"),
        content,
        at=request.text("updated_at"),
        custom=custom,
        texts=(request.text("title"), request.text("description"), request.text("source_branch")),
        commits=[(request.text("last_commit", "id"), request.text("last_commit", "url")), (merge, "")],
        verdict=verdict,
    )


def _pipeline(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    run = payload.at("object_attributes")
    status, number = run.must("status"), run.must("id")
    step = _STEPS.get(status)
    if step is None:
        return
    name = run.text("name") or f"{repository.name} pipeline"
    url = run.text("url") or f"{repository.url}/-/pipelines/{number}"
    content = {"pipelineName": name, "uri": address(url)}
    if step == "finished":
        content["outcome"] = _OUTCOMES[status]
    sha = run.text("sha")
    yield maker.event(
        f"dev.cdevents.pipelinerun.{step}.0.3.0",
        number,
        content,
        at=run.text("finished_at" if step == "finished" else "created_at"),
        custom={"commit": sha, "branch": run.text("ref"), "url": url, "event": run.text("source")},
        texts=(run.text("ref"), payload.text("commit", "message"), payload.text("merge_request", "title")),
        commits=[(sha, payload.text("commit", "url"))],
    )


def _deployment(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    status = payload.must("status")
    if status not in {"success", "failed"}:
        return
    sha = payload.text("commit_url").rpartition("/")[2] or payload.text("short_sha")
    if not sha:
        raise Unmappable("The payload has no commit_url.", field="commit_url")
    content: dict[str, object] = {
        "environment": {"id": payload.must("environment")}, "artifactId": repository.package(sha)
    }  # fmt: skip
    type_, name = "dev.cdevents.service.deployed.0.3.0", repository.name.rpartition("/")[2]
    if status == "failed":
        type_, content["service"] = f"dev.cdeventsx.{TOOL}-deployment.failed.0.1.0", {"id": name}
    yield maker.event(
        type_,
        name,
        content,
        at=payload.text("status_changed_at"),
        custom={"commit": sha, "ref": payload.text("ref"), "url": payload.text("deployable_url")},
        texts=(payload.text("ref"), payload.text("commit_title")),
        commits=[(sha, payload.text("commit_url"))],
    )


def _release(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    if payload.text("action") != "create":
        return
    yield maker.event(
        "dev.cdevents.artifact.published.0.3.0",
        repository.package(payload.must("tag")),
        {},
        at=payload.text("released_at"),
        custom={"url": payload.text("url"), "commit": payload.text("commit", "id"), "title": payload.text("name")},
        texts=(payload.text("name"), payload.text("description")),
        commits=[(payload.text("commit", "id"), payload.text("commit", "url"))],
    )


def _issue(payload: Payload, repository: Repository, maker: Maker) -> Iterable[Mapped]:
    issue = payload.at("object_attributes")
    action = issue.text("action") or "update"
    kind = {"open": "created", "close": "closed"}.get(action, "updated")
    content = {
        "summary": issue.must("title"),
        "creator": payload.text("user", "username") if kind == "created" else "",
        "assignees": [each.text("username") for each in payload.list("assignees")],
        "labels": [each.text("title") for each in payload.list("labels")],
        "group": repository.name,
        "uri": address(issue.must("url")),
        "updatedBy": payload.text("user", "username") if kind != "created" else "",
        "resolution": "completed" if kind == "closed" else "",
    }
    if kind == "created" and not content["creator"]:
        content["creator"] = "unknown"
    yield maker.event(
        f"dev.cdevents.ticket.{kind}.0.2.0",
        issue.must("iid"),
        content,
        at=issue.text("updated_at"),
        custom={"action": action},
        texts=(issue.text("title"),),
    )


_MAPPERS: dict[str, Callable[[Payload, Repository, Maker], Iterable[Mapped]]] = {
    "push": _push,
    "merge_request": _merge_request,
    "pipeline": _pipeline,
    "deployment": _deployment,
    "release": _release,
    "issue": _issue,
    "work_item": _issue,
}
