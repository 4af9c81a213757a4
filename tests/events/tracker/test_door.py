"""Recording an event in front of Django: the same answers as Django's view gives, and everything unusual left to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from prometheus_client import REGISTRY

from accounts.services import issue_token
from config.wsgi import application
from core import slim
from core.threads import IN_MEMORY, InThreads
from events.models import DomainEvent, Event
from events.tracker.api.door import PATH, RecordingDoor
from events.tracker.recorder import Recorder

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"title": "Deploy ☂", "attributes": {"type": 1, "service": "ledger", "status": 3, "impact": 2, "owner": "ann"}}
VARYING = {"id", "createdAt", "updatedAt", "timestamp"}

Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def recorder(db) -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.close()


@pytest.fixture
def django(db) -> Iterator[InThreads]:
    threads = InThreads(application, 1)
    yield threads
    threads._threads.submit(connections.close_all).result()


@pytest.fixture
def token(devops) -> str:
    return issue_token(user=devops, name="tests", scopes=["events:read", "events:write"])[1]


def ask(app: Any, body: bytes, method: str = "POST", **headers: str) -> Answer:
    """What an ASGI application answers to this request for PATH."""
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]
    plain = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))}
    given = plain | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": "http", "method": method, "path": PATH, "query_string": b"", "http_version": "1.1", "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
        "client": ("10.0.0.9", 4711), "server": ("localhost", 80),
    }  # fmt: skip

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start, content = sent
    return start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, content["body"]


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the plain case does not reach Django")


def without_what_varies(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "…" if name in VARYING else without_what_varies(inner) for name, inner in value.items()}
    return [without_what_varies(inner) for inner in value] if isinstance(value, list) else value


def requests_counted() -> float:
    labels = {"method": "POST", "route": PATH[1:], "status": "200"}
    return REGISTRY.get_sample_value("stagepass_request_seconds_count", labels) or 0.0


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer {}"},
        {"authorization": "bearer  {}", "x_tenant": "tenant-finance"},
        {"x_api_key": "{}", "x_request_id": "build-4711-a"},
    ],
)
def test_the_plain_case_is_answered_as_django_answers_it(headers, token, recorder, django, tenant):
    headers = {name: value.format(token) for name, value in headers.items()}
    raw, counted = json.dumps(BODY).encode(), requests_counted()
    ours = ask(RecordingDoor(nobody, recorder), raw, **headers)
    theirs = ask(django, raw, **headers)
    assert ours[0] == theirs[0] == 200
    assert without_what_varies(json.loads(ours[2])) == without_what_varies(json.loads(theirs[2]))
    assert {name: value for name, value in ours[1].items() if name != "x-request-id"} == {
        name: value for name, value in theirs[1].items() if name != "x-request-id"
    }
    assert len(ours[1]["x-request-id"]) == len(theirs[1]["x-request-id"]) >= 12
    assert requests_counted() == counted + 2
    facts = DomainEvent.objects.filter(type="event.recorded").order_by("sequence")
    assert [(fact.surface, fact.request_id) for fact in facts] == [
        ("rest", ours[1]["x-request-id"]), ("rest", theirs[1]["x-request-id"]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BODY, {"authorization": ""}, 401),
        (BODY, {"authorization": "Bearer sp_unknown"}, 401),
        (BODY, {"authorization": "Basic YTpi"}, 401),
        (BODY, {"x_tenant": "nowhere"}, 404),
        (BODY, {"host": "evil.example"}, 400),
        (BODY, {"idempotency_key": "again"}, 200),
        (BODY, {"content_length": ""}, 200),
        (BODY | {"title": ""}, {}, 400),
        ({"title": "x", "attributes": {"type": 99, "service": "a", "status": "perhaps"}}, {}, 400),
        (BODY | {"attributes": BODY["attributes"] | {"relatedId": "01890000-0000-7000-8000-000000000000"}}, {}, 400),
        (b"{", {}, 400),
        (b"[1]", {}, 400),
        (b" " * (IN_MEMORY + 1), {}, 400),
    ],
)
def test_whatever_is_unusual_is_answered_by_django(body, headers, status, token, recorder, django, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    settings.TRACKER_ANONYMOUS_RIGHTS = []
    slim._headers_for.cache_clear()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}"} | headers
    ours = ask(RecordingDoor(django, recorder), raw, **headers)
    before = Event.objects.count()
    theirs = ask(django, raw, **headers)
    assert ours[0] == theirs[0] == status
    assert without_what_varies(json.loads(ours[2] or b"0")) == without_what_varies(json.loads(theirs[2] or b"0"))
    assert before == int(status == 200)


def test_other_methods_are_djangos(token, recorder, django):
    ours = ask(RecordingDoor(django, recorder), b"", "PATCH", authorization=f"Bearer {token}")
    assert (ours[0], ours[1]["allow"]) == (405, "OPTIONS, POST, PUT")


def test_where_https_is_demanded_nothing_is_recorded_without_it(token, recorder, settings, tenant):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_HSTS_SECONDS = 60
    slim._headers_for.cache_clear()
    reached: list[Any] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        reached.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 301, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    raw, door = json.dumps(BODY).encode(), RecordingDoor(behind, recorder)
    assert ask(door, raw, authorization=f"Bearer {token}")[0] == 301
    assert reached == [raw]
    secure = ask(door, raw, authorization=f"Bearer {token}", x_forwarded_proto="https")
    assert secure[0] == 200
    assert secure[1]["strict-transport-security"].startswith("max-age=60")
    assert Event.objects.count() == 1
    slim._headers_for.cache_clear()
