"""Senders of CDEvents for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse

from accounts.models import User
from events.cdevents.emission import as_binary, as_cloudevent
from tests.api import Caller, call_as

BARE, STRUCTURED, BATCH = "application/json", "application/cloudevents+json", "application/cloudevents-batch+json"
ADDRESS = "/v1/cdevents"


def a_change(number: int = 1, *, source: str = "/ci", text: str = "", **context: Any) -> dict[str, Any]:
    """A valid change.created, the number being its id."""
    return {
        "context": {
            "specversion": "0.5.1", "id": f"id-{number}", "source": source, "type": "dev.cdevents.change.created.0.4.0",
            "timestamp": "2026-01-01T00:00:00Z",
        } | context,
        "subject": {
            "id": f"{number}", "source": "https://github.com/acme/shop",
            "content": {"description": text or "A change", "repository": {"id": "acme/shop"}},
        },
    }  # fmt: skip


class Sender:
    """A pipeline that sends CDEvents with a token."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller

    def send(self, content: Any, content_type: str = BARE, query: str = "", **headers: str) -> HttpResponse:
        raw = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.caller.client.generic(
            "POST",
            ADDRESS + query,
            data=json.dumps(content).encode() if raw is None else raw,
            content_type=content_type,
            headers=self.caller.headers | names,
        )

    def send_as(self, mode: str, body: dict[str, Any]) -> HttpResponse:
        if mode == "binary":
            headers, content = as_binary(body)
            return self.send(content, **{name: value for name, value in headers.items() if name != "content-type"})
        if mode == "structured":
            return self.send(as_cloudevent(body), STRUCTURED)
        if mode == "batch":
            return self.send([as_cloudevent(body)], BATCH)
        return self.send(body)


@pytest.fixture
def sender_of() -> Callable[[User], Sender]:
    return lambda user: Sender(call_as(user))


@pytest.fixture
def sender(devops, sender_of) -> Sender:
    return sender_of(devops)
