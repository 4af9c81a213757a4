"""A fake GitHub: pull requests, commit statuses and comments of one repository, and its limits."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.fakes.outside import FakeSystem, Refusal

SHA = "a" * 40


class GitHub(FakeSystem):
    """What GitHub knows of acme/shop: pull request 42, statuses by commit, comments."""

    def __init__(self, token: str = "github-token", port: int = 0) -> None:
        super().__init__(port)
        self.token = token
        self.pulls = {42: SHA}
        self.statuses: dict[str, dict[str, dict[str, Any]]] = {}
        self.comments: dict[int, dict[str, Any]] = {}
        self.deployments: dict[int, dict[str, Any]] = {}
        self.may_deploy = True
        self.numbers = iter(range(1, 10_000))

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise Refusal(401, {"message": "Bad credentials"})
        if (method, path) == ("GET", "/user"):
            return 200, {"login": "stagepass-bot"}
        if "/deployments" in path and not self.may_deploy:
            raise Refusal(403, {"message": "Resource not accessible by personal access token"})
        if (method, path) == ("GET", "/repos/acme/shop/deployments"):
            found = [each for each in self.deployments.values() if each["environment"] == query.get("environment")]
            return 200, list(reversed(found))
        known = [
            ("POST", r"/repos/acme/(shop)/deployments", self.deploy),
            ("POST", r"/repos/acme/shop/deployments/(\d+)/statuses", self.say_deployed),
            ("GET", r"/repos/acme/shop/deployments/(\d+)/statuses", self.list_deployed),
            ("GET", r"/repos/acme/shop/pulls/(\d+)", self.pull), ("POST", r"/repos/acme/shop/statuses/(\w+)", self.status),
            ("POST", r"/repos/acme/shop/issues/(\d+)/comments", self.comment),
            ("GET", r"/repos/acme/shop/issues/(\d+)/comments", self.list),
            ("PATCH", r"/repos/acme/shop/issues/comments/(\d+)", self.edit),
        ]  # fmt: skip
        for verb, pattern, act in known:
            if verb == method and (match := re.fullmatch(pattern, path)):
                return act(match[1], body)
        raise Refusal(404, {"message": "Not Found"})

    def pull(self, number: str, body: Any) -> tuple[int, Any]:
        if int(number) not in self.pulls:
            raise Refusal(404, {"message": "Not Found"})
        return 200, {"number": int(number), "head": {"sha": self.pulls[int(number)]}}

    def status(self, sha: str, body: Any) -> tuple[int, Any]:
        if body["state"] not in {"error", "failure", "pending", "success"} or len(body["description"]) > 140:
            raise Refusal(422, {"message": "Validation Failed"})
        self.statuses.setdefault(sha, {})[body["context"]] = body
        return 201, {"id": next(self.numbers)}

    def deploy(self, repository: str, body: Any) -> tuple[int, Any]:
        """Refuses while statuses are pending, and merges, as the real one does unless it is told otherwise."""
        if body["ref"] not in self.pulls.values():
            raise Refusal(422, {"message": f"No ref found for: {body['ref']}"})
        if body.get("required_contexts") != [] and self.statuses.get(body["ref"]):
            raise Refusal(409, {"message": "Conflict: Commit status checks failed for master."})
        if body.get("auto_merge", True):
            return 202, {"message": "Auto-merged master into topic-branch on deployment."}
        made = {**body, "id": next(self.numbers), "sha": body["ref"], "statuses": []}
        made["payload"] = json.dumps(body["payload"])
        self.deployments[made["id"]] = made
        return 201, made

    def say_deployed(self, number: str, body: Any) -> tuple[int, Any]:
        states = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}
        if int(number) not in self.deployments:
            raise Refusal(404, {"message": "Not Found"})
        if body["state"] not in states or len(body["description"]) > 140:
            raise Refusal(422, {"message": "Validation Failed"})
        self.deployments[int(number)]["statuses"].append(body)
        return 201, {"id": next(self.numbers)}

    def list_deployed(self, number: str, body: Any) -> tuple[int, Any]:
        if int(number) not in self.deployments:
            raise Refusal(404, {"message": "Not Found"})
        return 200, list(reversed(self.deployments[int(number)]["statuses"]))

    def comment(self, number: str, body: Any) -> tuple[int, Any]:
        self.pull(number, None)
        comment = {"id": next(self.numbers), "pull": int(number), "body": body["body"], "edits": 0}
        self.comments[comment["id"]] = comment
        return 201, comment

    def list(self, number: str, body: Any) -> tuple[int, Any]:
        return 200, [each for each in self.comments.values() if each["pull"] == int(number)]

    def edit(self, number: str, body: Any) -> tuple[int, Any]:
        if int(number) not in self.comments:
            raise Refusal(404, {"message": "Not Found"})
        comment = self.comments[int(number)]
        comment |= {"body": body["body"], "edits": comment["edits"] + 1}
        return 200, comment
