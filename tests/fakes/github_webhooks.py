"""GitHub as a sender of webhooks: whole payloads in the shape that it documents, signed as it signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

import httpx2

JSON = dict[str, Any]
SITE = "https://github.com"


def user(login: str, number: int = 583231) -> JSON:
    """A "simple user"."""
    api = f"https://api.github.com/users/{login}"
    return {
        "login": login, "id": number, "node_id": "MDQ6VXNlcjU4MzIzMQ==", "gravatar_id": "",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{number}?v=4", "url": api, "html_url": f"{SITE}/{login}",
        "followers_url": f"{api}/followers", "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}", "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{api}/subscriptions", "organizations_url": f"{api}/orgs", "repos_url": f"{api}/repos",
        "events_url": f"{api}/events{{/privacy}}", "received_events_url": f"{api}/received_events", "type": "User",
        "user_view_type": "public", "site_admin": False,
    }  # fmt: skip


def repository(full_name: str) -> JSON:
    """A "repository", with the links of its API."""
    owner, _, name = full_name.partition("/")
    api, html = f"https://api.github.com/repos/{full_name}", f"{SITE}/{full_name}"
    links = {
        "forks_url": "/forks", "keys_url": "/keys{/key_id}", "collaborators_url": "/collaborators{/collaborator}",
        "teams_url": "/teams", "hooks_url": "/hooks", "issue_events_url": "/issues/events{/number}",
        "events_url": "/events", "assignees_url": "/assignees{/user}", "branches_url": "/branches{/branch}",
        "tags_url": "/tags", "blobs_url": "/git/blobs{/sha}", "git_tags_url": "/git/tags{/sha}",
        "git_refs_url": "/git/refs{/sha}", "trees_url": "/git/trees{/sha}", "statuses_url": "/statuses/{sha}",
        "languages_url": "/languages", "stargazers_url": "/stargazers", "contributors_url": "/contributors",
        "subscribers_url": "/subscribers", "subscription_url": "/subscription", "commits_url": "/commits{/sha}",
        "git_commits_url": "/git/commits{/sha}", "comments_url": "/comments{/number}",
        "issue_comment_url": "/issues/comments{/number}", "contents_url": "/contents/{+path}",
        "compare_url": "/compare/{base}...{head}", "merges_url": "/merges", "archive_url": "/{archive_format}{/ref}",
        "downloads_url": "/downloads", "issues_url": "/issues{/number}", "pulls_url": "/pulls{/number}",
        "milestones_url": "/milestones{/number}", "notifications_url": "/notifications{?since,all,participating}",
        "labels_url": "/labels{/name}", "releases_url": "/releases{/id}", "deployments_url": "/deployments",
    }  # fmt: skip
    return {
        "id": 1296269, "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5", "name": name, "full_name": full_name, "private": True,
        "owner": user(owner, 9919) | {"type": "Organization"}, "html_url": html, "description": None, "fork": False,
        "url": api, **{key: api + path for key, path in links.items()}, "created_at": "2024-01-26T19:01:12Z",
        "updated_at": "2026-01-26T19:14:43Z", "pushed_at": "2026-01-26T19:06:43Z", "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git", "clone_url": f"{html}.git", "svn_url": html, "homepage": None,
        "size": 108, "stargazers_count": 0, "watchers_count": 0, "language": "TypeScript", "has_issues": True,
        "has_projects": True, "has_downloads": True, "has_wiki": False, "has_pages": False, "has_discussions": False,
        "forks_count": 0, "mirror_url": None, "archived": False, "disabled": False, "open_issues_count": 1, "license": None,
        "allow_forking": False, "is_template": False, "web_commit_signoff_required": False, "topics": [],
        "visibility": "private", "forks": 0, "open_issues": 1, "watchers": 0, "default_branch": "main",
        "custom_properties": {},
    }  # fmt: skip


def frame(full_name: str, sender: str = "octocat", **parts: Any) -> JSON:
    """What every payload has, with what this one has."""
    return parts | {
        "repository": repository(full_name), "sender": user(sender),
        "organization": {
            "login": full_name.partition("/")[0], "id": 9919, "node_id": "MDEyOk9yZ2FuaXphdGlvbjk5MTk=",
            "url": "https://api.github.com/orgs/acme", "description": None,
        },
    }  # fmt: skip


def commit(sha: str, message: str, at: str, full_name: str, email: str = "octocat@github.com") -> JSON:
    who = {"name": "The Octocat", "email": email, "username": "octocat", "date": at}
    return {
        "id": sha, "tree_id": sha[::-1], "distinct": True, "message": message, "timestamp": at,
        "url": f"{SITE}/{full_name}/commit/{sha}", "author": who, "committer": who, "added": [], "removed": [],
        "modified": ["README.md"],
    }  # fmt: skip


def push(full_name: str, branch: str, commits: list[JSON], *, before: str = "0" * 40) -> JSON:
    after = commits[-1]["id"]
    return frame(
        full_name, ref=f"refs/heads/{branch}", before=before, after=after, base_ref=None, forced=False, deleted=False,
        created=before == "0" * 40, compare=f"{SITE}/{full_name}/compare/{before[:12]}...{after[:12]}",
        pusher={"name": "octocat", "email": "octocat@github.com"}, commits=commits, head_commit=commits[-1],
    )  # fmt: skip


def pull_request(
    full_name: str,
    action: str,
    *,
    number: int,
    title: str,
    branch: str,
    head: str,
    at: str,
    merge: str = "",
    body: str = "",
) -> JSON:
    repo, api = repository(full_name), f"https://api.github.com/repos/{full_name}"
    html = f"{SITE}/{full_name}/pull/{number}"
    side = {"user": repo["owner"], "repo": repo}
    pull = {
        "url": f"{api}/pulls/{number}", "id": 1_000_000 + number, "node_id": "PR_kwDOABPHjc4", "html_url": html,
        "diff_url": f"{html}.diff", "patch_url": f"{html}.patch", "issue_url": f"{api}/issues/{number}",
        "number": number, "state": "closed" if action == "closed" else "open", "locked": False, "title": title,
        "user": user("octocat"), "body": body or None, "created_at": at, "updated_at": at,
        "closed_at": at if action == "closed" else None, "merged_at": at if merge else None, "assignee": None,
        "merge_commit_sha": merge or "e" * 40, "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "labels": [], "milestone": None, "draft": False, "commits_url": f"{api}/pulls/{number}/commits",
        "head": {"label": f"acme:{branch}", "ref": branch, "sha": head, **side},
        "base": {"label": "acme:main", "ref": "main", "sha": "f" * 40, **side},
        "_links": {name: {"href": html} for name in ("self", "html", "issue", "comments", "commits", "statuses")},
        "author_association": "MEMBER", "auto_merge": None, "active_lock_reason": None, "merged": bool(merge),
        "mergeable": None, "rebaseable": None, "mergeable_state": "unknown", "comments": 0, "review_comments": 0,
        "merged_by": user("hubot") if merge else None, "maintainer_can_modify": False, "commits": 1, "additions": 3,
        "deletions": 1, "changed_files": 1,
    }  # fmt: skip
    return frame(full_name, action=action, number=number, pull_request=pull)


def workflow_run(full_name: str, action: str, *, run: int, sha: str, branch: str, message: str, at: str) -> JSON:
    api, html = f"https://api.github.com/repos/{full_name}/actions/runs/{run}", f"{SITE}/{full_name}/actions/runs/{run}"
    who = {"name": "The Octocat", "email": "octocat@github.com"}
    told = {
        "id": run, "name": "Build and test", "node_id": "WFR_kwLOABPHjc4", "head_branch": branch, "head_sha": sha,
        "path": ".github/workflows/build.yml", "display_title": message, "run_number": 562, "event": "push",
        "status": "completed" if action == "completed" else action, "workflow_id": 159038,
        "conclusion": "success" if action == "completed" else None, "check_suite_id": 4201, "check_suite_node_id": "CS_k",
        "url": api, "html_url": html, "pull_requests": [], "created_at": at, "updated_at": at, "actor": user("octocat"),
        "run_attempt": 1, "referenced_workflows": [], "run_started_at": at, "triggering_actor": user("octocat"),
        "jobs_url": f"{api}/jobs", "logs_url": f"{api}/logs", "check_suite_url": f"{api}/suite",
        "artifacts_url": f"{api}/artifacts", "cancel_url": f"{api}/cancel", "rerun_url": f"{api}/rerun",
        "previous_attempt_url": None, "workflow_url": f"{api}/workflow",
        "head_commit": {"id": sha, "tree_id": sha[::-1], "message": message, "timestamp": at, "author": who, "committer": who},
        "repository": repository(full_name), "head_repository": repository(full_name),
    }  # fmt: skip
    workflow = {
        "id": 159038, "node_id": "W_k", "name": "Build and test", "path": ".github/workflows/build.yml", "state": "active",
        "created_at": at, "updated_at": at, "url": api, "html_url": html, "badge_url": f"{html}/badge.svg",
    }  # fmt: skip
    return frame(full_name, action=action, workflow_run=told, workflow=workflow)


def deployment(full_name: str, *, number: int, sha: str, environment: str, at: str) -> JSON:
    api = f"https://api.github.com/repos/{full_name}/deployments/{number}"
    told = {
        "url": api, "id": number, "node_id": "DE_kwDOABPHjc4", "task": "deploy", "original_environment": environment,
        "environment": environment, "description": None, "created_at": at, "updated_at": at, "sha": sha, "ref": "main",
        "statuses_url": f"{api}/statuses", "repository_url": api.rpartition("/deployments")[0], "creator": user("octocat"),
        "payload": {}, "transient_environment": False, "production_environment": True, "performed_via_github_app": None,
    }  # fmt: skip
    return frame(full_name, action="created", deployment=told, workflow=None, workflow_run=None)


def deployment_status(full_name: str, state: str, *, number: int, sha: str, environment: str, at: str) -> JSON:
    given = deployment(full_name, number=number, sha=sha, environment=environment, at=at)
    api = given["deployment"]["url"]
    status = {
        "url": f"{api}/statuses/1", "id": 11, "node_id": "DES_k", "state": state, "creator": user("octocat"),
        "description": "", "environment": environment, "target_url": f"{SITE}/{full_name}/actions/runs/77/job/1",
        "created_at": at, "updated_at": at, "deployment_url": api, "repository_url": given["deployment"]["repository_url"],
        "environment_url": "", "log_url": f"{SITE}/{full_name}/actions/runs/77/job/1", "performed_via_github_app": None,
    }  # fmt: skip
    return given | {"action": "created", "deployment_status": status, "check_run": None}


class FakeGitHub:
    """Delivers to one webhook's address, with its secret; each delivery with an id of its own unless one is given."""

    def __init__(self, address: str, secret: str) -> None:
        self.address, self.secret = address, secret

    def deliver(self, event: str, payload: JSON, *, delivery: str = "", secret: str = "") -> httpx2.Response:
        body = json.dumps(payload).encode()
        signed = hmac.new((secret or self.secret).encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Accept": "*/*", "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/044aadd",
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()), "X-GitHub-Event": event, "X-GitHub-Hook-ID": "292430182",
            "X-GitHub-Hook-Installation-Target-ID": "1296269", "X-Hub-Signature-256": f"sha256={signed}",
            "X-GitHub-Hook-Installation-Target-Type": "repository",
        }  # fmt: skip
        return httpx2.post(self.address, content=body, headers=headers, timeout=30)
