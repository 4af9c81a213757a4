"""How tests call the REST face: as a person, with a token of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.test.client import ClientHandler

from accounts.models import User
from accounts.scopes import SCOPES
from accounts.services import issue_token

REQUESTS = "/v1/requests/prod"
CONTENT: dict[str, Any] = {
    "target": {"type": "api", "name": "payment-api", "version": "2.1.0"},
    "request": {
        "justification": "New PCI-DSS compliant payment flow",
        "releaseNotes": "- Added 3DS2 authentication\n- Fixed timeout issues\n",
        "impactAssessment": "low",
        "rollbackPlan": "Revert to v2.0.0 via emergency deploy",
        "scheduledDate": None,
    },
    "preChecks": {
        "stagingTestsPassed": True,
        "securityScanPassed": True,
        "performanceTestsPassed": True,
        "testEvidenceUrl": "https://ci.example.com/pipeline/12345",
    },
}


def body(**changes: Any) -> dict[str, Any]:
    """A valid body to create a request with; `request__justification="…"` changes one field, `...` leaves it out."""
    changed: dict[str, Any] = json.loads(json.dumps(CONTENT))
    for path, value in changes.items():
        *sections, name = path.split("__")
        place = changed
        for section in sections:
            place = place[section]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return changed


class Caller:
    """Someone who calls the API with a token (or without any)."""

    _handler = ClientHandler()  # one for all: each would read all static files again

    def __init__(self, secret: str = "") -> None:
        self.client = Client()
        self.client.handler = self._handler
        self.headers = {"Authorization": f"Bearer {secret}"} if secret else {}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return self.client.generic(method, path, headers=self.headers | names, **content)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("POST", path, {} if body is None else body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> HttpResponse:
        return self.call("PUT", path, body, **headers)

    def ids(self, path: str = REQUESTS) -> list[str]:
        """The ids that a list shows."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.content
        return [document["metadata"]["id"] for document in answer.json()]


def call_as(user: User, scopes: Sequence[str] = tuple(SCOPES)) -> Caller:
    """A caller with a new token of the user."""
    return Caller(issue_token(user=user, name="tests", scopes=list(scopes))[1])


def assert_problem(answer: HttpResponse, status: int, code: str, field: str | None = None) -> dict[str, Any]:
    """The answer is this problem, whole, and no page; its members."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, f"urn:stagepass:problem:{code}")
    assert problem["title"]
    assert len(problem["detail"]) > 10, "says what to do"
    if field is not None:
        assert problem.get("field") == field, problem
    return problem
