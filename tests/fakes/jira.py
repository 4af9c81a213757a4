"""A fake Jira, also its own process: `python -m tests.fakes.jira --port P`: a workflow with transitions, comments with properties, remote links, and webhooks signed as Jira signs.

It speaks version 3 (Basic log-in, documents) or, as a server, version 2 (bearer token, plain text), and refuses what the
real one refuses: unknown statuses, transitions that the workflow does not offer, text where a document belongs.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import itertools
import json
import re
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.fakes.outside import FakeSystem, Refusal

CATEGORY = {
    "To Do": "new",
    "In Progress": "indeterminate",
    "In Review": "indeterminate",
    "Done": "done",
    "Cancelled": "done",
}
# From a status to others, by transitions with names of their own.
WORKFLOW = {
    "To Do": {"Start work": "In Progress"},
    "In Progress": {"Send to review": "In Review", "Put back": "To Do", "Finish": "Done"},
    "In Review": {"Rework": "In Progress", "Finish": "Done"},
    "Done": {"Reopen": "In Progress"},
}
BOT = {"accountId": "5b10bot", "displayName": "Stagepass Bot", "emailAddress": "bot@acme.example"}
PRIORITIES = ["Highest", "High", "Medium", "Low", "Lowest"]
ALICE = {"accountId": "5b10alice", "displayName": "Alice", "emailAddress": "alice@acme.example"}


class Jira(FakeSystem):
    """What Jira knows: issues with their history, comments and links; and whom its webhooks call."""

    def __init__(self, token: str = "jira-token", *, cloud: bool = True, port: int = 0, begin: int = 0) -> None:
        super().__init__(port)
        self.token, self.cloud = token, cloud
        self.workflow = WORKFLOW
        # Transitions that have a screen with a field that must be filled in.
        self.asks_more: set[str] = set()
        self.edit_screen = ["summary", "description", "priority", "labels", "duedate"]
        self.issues: dict[str, dict[str, Any]] = {}
        # A Jira that starts anew, as in the demo, is not to repeat the ids and keys of the last one.
        self.numbers = itertools.count(begin or 10_001)
        self.first_key = begin % 10_000
        self.post_to_app: Callable[[dict[str, Any], bytes, dict[str, str]], None] | None = None
        self.secret = self.hook = ""
        self.clock = time.time()

    # What people do in Jira

    def create(self, key: str, summary: str = "Pay by card", by: Any = ALICE, **fields: Any) -> dict[str, Any]:
        number = str(next(self.numbers))
        issue = {
            "id": number, "key": key, "self": f"{self.url}/rest/api/2/issue/{number}",
            "fields": {
                "summary": summary, "issuetype": {"name": "Story"}, "project": {"key": key.rpartition("-")[0]},
                "priority": {"name": "High"}, "labels": ["cards"], "assignee": None, "creator": by,
                "description": "As a customer\nI want to pay by card.", "duedate": None, "resolution": None,
                **fields,
            },
            "histories": [], "comments": [], "links": {},
        }  # fmt: skip
        issue["fields"]["status"] = self.status("To Do")
        self.issues[key] = issue
        self.tell("jira:issue_created", issue, by)
        return issue

    @staticmethod
    def status(name: str) -> dict[str, Any]:
        return {"name": name, "statusCategory": {"key": CATEGORY[name]}}

    def move(self, key: str, status: str, by: Any = ALICE, **extra: Any) -> None:
        issue = self.issues[key]
        before = issue["fields"]["status"]["name"]
        issue["fields"]["status"] = self.status(status)
        self.change(issue, by, {"field": "status", "fromString": before, "toString": status}, **extra)

    def edit(self, key: str, by: Any = ALICE, **fields: Any) -> None:
        issue = self.issues[key]
        issue["fields"] |= fields
        self.change(issue, by, *({"field": name, "toString": str(value)} for name, value in fields.items()))

    def change(self, issue: dict[str, Any], by: Any, *items: dict[str, Any], **extra: Any) -> None:
        created = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
        history = {"id": str(next(self.numbers)), "author": by, "items": list(items), "created": created}
        issue["histories"].append(history)
        self.tell("jira:issue_updated", issue, by, changelog={"id": history["id"], "items": list(items)}, **extra)

    def say(self, key: str, text: str, by: Any = ALICE) -> dict[str, Any]:
        issue = self.issues[key]
        comment = {"id": str(next(self.numbers)), "author": by, "body": text, "properties": []}
        issue["comments"].append(comment)
        self.tell_comment(issue, comment)
        return comment

    def tell_comment(self, issue: dict[str, Any], comment: dict[str, Any]) -> None:
        """The cloud tells of a comment by itself, a server within an update of the issue."""
        told = {name: comment[name] for name in ("id", "author", "body")}
        event = "comment_created" if self.cloud else "jira:issue_updated"
        self.tell(event, issue, comment["author"], comment=told)

    def delete(self, key: str, by: Any = ALICE) -> None:
        self.tell("jira:issue_deleted", self.issues.pop(key), by)

    def tell(self, event: str, issue: dict[str, Any], by: Any, **more: Any) -> None:
        """Call the app as Jira does: the state of now, signed over the bytes."""
        self.clock += 1
        payload = {
            "webhookEvent": event, "timestamp": int(self.clock * 1000),
            "issue": {name: issue[name] for name in ("id", "key", "self", "fields")}, **more,
        }  # fmt: skip
        if event != "comment_created":
            payload["user"] = by
        self.send(payload)

    def send(self, payload: dict[str, Any], delivery: str = "") -> None:
        if self.post_to_app is None:
            return
        body = json.dumps(payload).encode()
        signature = "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-Hub-Signature": signature, "X-Atlassian-Webhook-Identifier": delivery or f"w-{next(self.numbers)}",
        }  # fmt: skip
        self.post_to_app(payload, body, headers)

    # As a process of its own

    def post(self, payload: dict[str, Any], body: bytes, headers: dict[str, str]) -> None:
        """To the address that was entered; in the background, as the real one does."""
        request = urllib.request.Request(self.hook, body, {"Content-Type": "application/json", **headers})

        def call() -> None:
            with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=10):
                pass

        threading.Thread(target=call, daemon=True).start()

    def act(self, body: Any) -> dict[str, Any]:
        """What somebody does on the page."""
        do = body.pop("do")
        key = body.get("key") or f"SHOP-{self.first_key + len(self.issues) + 1}"
        if do == "create":
            self.create(key, body.get("text") or "Pay by card")
        elif do == "move":
            self.move(key, body["to"])
        elif do == "say":
            self.say(key, body["text"])
        elif do == "delete":
            self.delete(key)
        return {}

    def page(self) -> str:
        from tests.fakes.jira_page import page

        return page(self) if self.hook else ""

    # The API

    def answer(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> tuple[int, Any]:
        if (method, path) == ("POST", "/_hook"):
            self.hook, self.secret, self.post_to_app = body["url"], body["secret"], self.post
            return 200, {}
        if (method, path) == ("POST", "/_do"):
            return 200, self.act(body)
        self.check_caller(headers)
        version = "3" if self.cloud else "2"
        if not path.startswith(f"/rest/api/{version}/"):
            raise Refusal(404, {"errorMessages": ["dead link"]})
        path = path.removeprefix(f"/rest/api/{version}")
        if (method, path) == ("GET", "/myself"):
            return 200, BOT if self.cloud else {"key": "JIRAUSER1", "name": "bot", "displayName": "Bot"}
        if (method, path) == ("POST", "/issue"):
            return self.api_create(body["fields"])
        if method == "GET" and path == ("/search/jql" if self.cloud else "/search"):
            return self.api_search(query["jql"])
        match = re.fullmatch(r"/issue/([^/]+)(?:/(\w+))?", path)
        if match is None:
            raise Refusal(404, {"errorMessages": ["dead link"]})
        issue = self.issues.get(match[1])
        if issue is None:
            raise Refusal(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})
        known = {
            ("GET", None): self.api_issue, ("GET", "transitions"): self.api_transitions,
            ("POST", "transitions"): self.api_transit, ("POST", "comment"): self.api_comment,
            ("GET", "editmeta"): self.api_editmeta, ("PUT", None): self.api_edit,
            ("GET", "comment"): self.api_comments, ("POST", "remotelink"): self.api_link,
        }  # fmt: skip
        if (method, match[2]) not in known:
            raise Refusal(405, {"errorMessages": ["Method Not Allowed"]})
        return known[method, match[2]](issue, query, body)

    def check_caller(self, headers: Any) -> None:
        cloud = "Basic " + base64.b64encode(f"{BOT['emailAddress']}:{self.token}".encode()).decode()
        wanted = cloud if self.cloud else f"Bearer {self.token}"
        if headers.get("Authorization") != wanted:
            raise Refusal(401, {"errorMessages": ["Client must be authenticated to access this resource."]})

    @property
    def bot(self) -> dict[str, Any]:
        return BOT if self.cloud else {"key": "JIRAUSER1", "name": "bot", "displayName": "Bot"}

    def api_issue(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        fields = {name: issue["fields"][name] for name in query["fields"].split(",")}
        found = {"id": issue["id"], "key": issue["key"], "fields": fields}
        if "changelog" in query.get("expand", ""):
            found["changelog"] = {"histories": issue["histories"]}
        return 200, found

    def api_editmeta(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        fields: dict[str, Any] = {name: {"required": name == "summary"} for name in self.edit_screen}
        if "priority" in fields:
            values = [{"id": str(number), "name": name} for number, name in enumerate(PRIORITIES, 1)]
            fields["priority"]["allowedValues"] = values
        return 200, {"fields": fields}

    def api_edit(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        """All of it in one entry of the history, or nothing."""
        fields = dict(body.get("fields", {}))
        wrong = [name for name in (*fields, *body.get("update", {})) if name not in self.edit_screen]
        if wrong:
            raise Refusal(400, {"errors": {wrong[0]: f"Field '{wrong[0]}' cannot be set. It is not on the screen."}})
        if "description" in fields and self.cloud != isinstance(fields["description"], dict | None):
            raise Refusal(400, {"errors": {"description": "Operation value must be an Atlassian Document."}})
        if "priority" in fields:
            fields["priority"] = {"name": PRIORITIES[int(fields["priority"]["id"]) - 1]}
        if changes := body.get("update", {}).get("labels"):
            labels = list(issue["fields"]["labels"])
            for [(verb, label)] in (change.items() for change in changes):
                if " " in label:
                    raise Refusal(400, {"errors": {"labels": "The label contains spaces which is invalid."}})
                labels = [each for each in labels if each != label] + ([label] if verb == "add" else [])
            fields["labels"] = sorted(labels)
        changed = {name: value for name, value in fields.items() if issue["fields"][name] != value}
        if changed:
            self.edit(issue["key"], by=self.bot, **changed)
        return 204, None

    def api_transitions(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        ways = self.workflow[issue["fields"]["status"]["name"]]
        return 200, {
            "transitions": [
                {"id": str(10 * number + 11), "name": name, "to": self.status(to)}
                for number, (name, to) in enumerate(ways.items())
            ]
        }

    def api_transit(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        offered = self.api_transitions(issue, {}, None)[1]["transitions"]
        way = next((each for each in offered if each["id"] == body["transition"]["id"]), None)
        if way is not None and way["name"] in self.asks_more:
            raise Refusal(400, {"errors": {"resolution": "Resolution is required."}})
        if way is None:
            raise Refusal(400, {"errorMessages": ["It is not on the appropriate step."]})
        self.move(issue["key"], way["to"]["name"], by=self.bot)
        return 204, None

    def api_comment(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        if self.cloud != isinstance(body["body"], dict):
            raise Refusal(400, {"errors": {"comment": "Comment body is not valid!"}})
        comment = {
            "id": str(next(self.numbers)), "author": self.bot, "body": body["body"],
            "properties": body.get("properties", []),
        }  # fmt: skip
        issue["comments"].append(comment)
        self.tell_comment(issue, comment)
        return 201, {"id": comment["id"]}

    def api_comments(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        return 200, {"comments": list(reversed(issue["comments"]))}

    def api_link(self, issue: dict[str, Any], query: dict[str, str], body: Any) -> tuple[int, Any]:
        made = body["globalId"] not in issue["links"]
        issue["links"][body["globalId"]] = body["object"]
        return (201 if made else 200), {"id": len(issue["links"])}

    def api_create(self, fields: dict[str, Any]) -> tuple[int, Any]:
        if any(" " in label for label in fields["labels"]):
            raise Refusal(400, {"errors": {"labels": "The label contains spaces which is invalid."}})
        project = fields["project"]["key"]
        key = f"{project}-{len(self.issues) + 1}"
        given = {name: fields[name] for name in ("issuetype", "labels", "description")}
        issue = self.create(key, fields["summary"], by=self.bot, **given)
        return 201, {"id": issue["id"], "key": key}

    def api_search(self, jql: str) -> tuple[int, Any]:
        label = re.findall(r'labels = "([^"]*)"', jql)[0]
        found = [each for each in self.issues.values() if label in each["fields"]["labels"]]
        return 200, {"issues": [{"id": each["id"], "key": each["key"]} for each in found]}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    jira = Jira(port=parser.parse_args().port, begin=int(time.time()))
    print(f"Playing Jira on {jira.url}", flush=True)
    jira.server.serve_forever()
