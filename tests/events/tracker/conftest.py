"""Callers of Tracker's REST face, and an event to call about."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import issue_token
from events.models import Event
from events.tracker.records import record_event

API = "/api/v1alpha1/"


class Rest:
    """Sends JSON with a token (or none) and gives status and JSON back."""

    def __init__(self, token: str = "", **headers: str) -> None:
        self.client = Client()
        self.headers = headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        answer = self.client.generic(
            method, API + path, raw, content_type="application/json", headers=self.headers | headers
        )
        content = answer.getvalue() if answer.streaming else answer.content
        text = content.decode()
        self.answer = answer
        return answer.status_code, json.loads(text) if text.startswith(("{", "[")) and "\n{" not in text else text

    def get(self, path: str) -> tuple[int, Any]:
        return self.call("GET", path)

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        return self.call("POST", path, body)

    def put(self, path: str, body: Any) -> tuple[int, Any]:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> tuple[int, Any]:
        return self.call("DELETE", path)


def rest_of(user: User, *scopes: str, **headers: str) -> Rest:
    _, secret = issue_token(user=user, name="test", scopes=list(scopes or ("events:read", "events:write")))
    return Rest(secret, **headers)


@pytest.fixture
def rest(devops) -> Rest:
    return rest_of(devops)


@pytest.fixture
def foreign(outsider) -> Rest:
    """A caller of another tenant."""
    return rest_of(outsider)


@pytest.fixture
def stranger(db) -> Rest:
    return Rest()


def deployment(**attributes: Any) -> dict[str, Any]:
    """The smallest event that is accepted, as JSON."""
    return {"title": "Deploy ledger", "attributes": {"type": "deployment", "service": "ledger"} | attributes}


def columns(**changes: Any) -> dict[str, Any]:
    """The same as columns, for the services."""
    return {"title": "Deploy ledger", "type": 1, "service": "ledger"} | changes


@pytest.fixture
def event(tenant, devops) -> Event:
    return record_event(tenant=tenant, content=columns(), by=devops)
