"""Payloads as GitHub, GitLab and Jira send them, cut to what matters, for a repository acme/shop."""

from __future__ import annotations

from typing import Any

SHA, MERGE = "a" * 40, "b" * 40
GITHUB_REPOSITORY = {"html_url": "https://github.com/acme/shop", "full_name": "acme/shop", "name": "shop"}


def github(event: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    """The event's name and a payload of it."""
    return event, {**GITHUB[event], "repository": GITHUB_REPOSITORY, "sender": {"login": "alice"}, **changes}


def pull(**changes: Any) -> dict[str, Any]:
    return {
        "number": 42, "title": "CORE-7: pay by card", "body": "Closes CORE-8, not UTF-8", "draft": False,
        "html_url": "https://github.com/acme/shop/pull/42", "head": {"ref": "feature/core-9-cards", "sha": SHA},
        "base": {"ref": "main"}, "updated_at": "2026-01-02T03:04:05Z", "merged": False, "merge_commit_sha": None,
    } | changes  # fmt: skip


GITHUB: dict[str, dict[str, Any]] = {
    "ping": {"zen": "Keep it simple."},
    "push": {
        "ref": "refs/heads/feature/core-9-cards", "created": False, "deleted": False,
        "commits": [
            {"id": SHA, "message": "CORE-7 #comment Half done #time 2h\n\nBody", "timestamp": "2026-01-02T03:04:05+01:00",
             "url": "https://github.com/acme/shop/commit/" + SHA, "author": {"name": "Dev", "email": "devops@example.com"}},
            {"id": MERGE, "message": "Tidy up", "timestamp": "2026-01-02T03:05:05+01:00", "url": "", "author": {"name": "Dev"}},
        ],
    },
    "create": {"ref_type": "branch", "ref": "CORE-7-cards"},
    "delete": {"ref_type": "branch", "ref": "CORE-7-cards"},
    "pull_request": {"action": "opened", "number": 42, "pull_request": pull()},
    "pull_request_review": {
        "action": "submitted", "pull_request": pull(),
        "review": {"state": "approved", "user": {"login": "bob"}, "submitted_at": "2026-01-03T00:00:00Z"},
    },
    "workflow_run": {
        "action": "completed",
        "workflow_run": {
            "id": 77, "name": "CI", "html_url": "https://github.com/acme/shop/actions/runs/77", "conclusion": "success",
            "head_sha": SHA, "head_branch": "feature/core-9-cards", "run_attempt": 1, "event": "push",
            "updated_at": "2026-01-02T04:00:00Z", "run_started_at": "2026-01-02T03:30:00Z",
            "head_commit": {"message": "CORE-7 Half done"}, "display_title": "CORE-7",
        },
    },
    "deployment_status": {
        "deployment": {"id": 5, "sha": SHA, "ref": "main", "environment": "production", "description": "CORE-7"},
        "deployment_status": {"state": "success", "environment": "production", "created_at": "2026-01-02T05:00:00Z"},
    },
    "release": {
        "action": "published",
        "release": {"tag_name": "v1.2.0", "name": "1.2: CORE-7", "body": "", "author": {"login": "alice"},
                    "published_at": "2026-01-02T06:00:00Z", "html_url": "https://github.com/acme/shop/releases/v1.2.0",
                    "target_commitish": "main"},
    },
    "issues": {
        "action": "closed",
        "issue": {"number": 9, "title": "It breaks (CORE-7)", "html_url": "https://github.com/acme/shop/issues/9",
                  "user": {"login": "carol"}, "labels": [{"name": "bug"}], "assignees": [], "milestone": None,
                  "state_reason": "not_planned", "updated_at": "2026-01-02T06:00:00Z"},
    },
}  # fmt: skip

GITLAB_PROJECT = {"web_url": "https://gitlab.com/acme/shop", "path_with_namespace": "acme/shop"}
ZEROS = "0" * 40


def gitlab(kind: str, **changes: Any) -> tuple[str, dict[str, Any]]:
    return f"{kind.replace('_', ' ').title()} Hook", {
        "object_kind": kind, "project": GITLAB_PROJECT, "user": {"username": "alice"}, **GITLAB[kind], **changes
    }  # fmt: skip


GITLAB: dict[str, dict[str, Any]] = {
    "push": {
        "ref": "refs/heads/CORE-7-cards", "before": ZEROS, "after": SHA,
        "commits": [{"id": SHA, "message": "CORE-7: half done", "timestamp": "2026-01-02T03:04:05+01:00",
                     "url": "https://gitlab.com/acme/shop/-/commit/" + SHA,
                     "author": {"name": "Dev", "email": "devops@example.com"}}],
    },
    "merge_request": {
        "object_attributes": {
            "iid": 42, "title": "CORE-7: pay by card", "description": "", "action": "open", "draft": False,
            "url": "https://gitlab.com/acme/shop/-/merge_requests/42", "source_branch": "cards", "target_branch": "main",
            "last_commit": {"id": SHA, "url": ""}, "updated_at": "2026-01-02 03:04:05 UTC", "merge_commit_sha": MERGE,
        },
    },
    "pipeline": {
        "object_attributes": {"id": 77, "status": "failed", "ref": "CORE-7-cards", "sha": SHA, "source": "push",
                              "created_at": "2026-01-02 03:04:05 UTC", "finished_at": "2026-01-02 03:14:05 +0100"},
        "commit": {"message": "CORE-7", "url": ""},
    },
    "deployment": {"status": "success", "environment": "production", "commit_url": f"https://gitlab.com/x/-/commit/{SHA}",
                   "ref": "main", "commit_title": "CORE-7: half done", "status_changed_at": "2026-01-02 05:00:00 +0100",
                   "short_sha": SHA[:8]},
    "release": {"action": "create", "tag": "v1.2.0", "name": "CORE-7", "description": "", "released_at": "2026-01-02T06:00:00Z",
                "url": "https://gitlab.com/acme/shop/-/releases/v1.2.0", "commit": {"id": SHA, "url": ""}},
    "issue": {"object_attributes": {"iid": 9, "title": "It breaks (CORE-7)", "action": "open", "updated_at": "2026-01-02 06:00:00 UTC",
                                    "url": "https://gitlab.com/acme/shop/-/issues/9"}},
}  # fmt: skip


def jira(event: str = "jira:issue_updated", **changes: Any) -> tuple[str, dict[str, Any]]:
    return "", {
        "webhookEvent": event, "timestamp": 1767322800000, "user": {"displayName": "Alice", "emailAddress": "alice@example.com"},
        "issue": {
            "key": "CORE-7", "self": "https://acme.atlassian.net/rest/api/2/issue/10001",
            "fields": {
                "summary": "Pay by card", "issuetype": {"name": "Story"}, "project": {"key": "CORE"},
                "priority": {"name": "High"}, "labels": ["cards"], "assignee": None, "creator": {"displayName": "Bob"},
                "status": {"name": "Done", "statusCategory": {"key": "done"}}, "resolution": {"name": "Done"},
            },
        },
        "changelog": {"items": [{"field": "status", "fromString": "In Review", "toString": "Done"}]},
        **changes,
    }  # fmt: skip


def everything() -> list[tuple[str, str, dict[str, Any]]]:
    """One payload of each kind of each sender: (sender, event, payload)."""
    kinds = [("github", *github(event)) for event in GITHUB]
    kinds += [("gitlab", *gitlab(kind)) for kind in GITLAB]
    kinds += [("jira", *jira(event)) for event in ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted")]
    return kinds
