"""The description of the API: valid, complete, and true to what the API does."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client

from accounts.scopes import SCOPES
from events.tracker.api.routes import ROUTES
from promotions.services import comment_on_request
from tests.api import REQUESTS, body, call_as
from tests.contracts.access import addresses


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return Client().get("/api/schema/").json()


def operations(description):
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


TRACKER = " /api/v1alpha1/"


def own_operations(description):
    """All but Tracker's, whose errors, callers and parameters are Tracker's own."""
    return [(call, operation) for call, operation in operations(description) if TRACKER not in call]


def test_it_is_valid_and_nothing_had_to_be_guessed(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


def test_it_is_openapi_3_1_with_every_address(description):
    assert re.fullmatch(r"3\.1\.\d", description["openapi"])
    described = {call for call, _ in operations(description)}
    assert {call for call in described if TRACKER not in call} == {call for call in addresses() if "/v1/" in call}
    paths = {route: re.sub(r"<path_id:(.+?)>", r"{\1}", route.path) for route in ROUTES}
    routes = {f"{route.method} /api/v1alpha1/{path}" for route, path in paths.items()}
    transfers = {"POST /api/v1alpha1/events/batch", "GET /api/v1alpha1/events/export"}
    assert {call for call in described if TRACKER in call} == routes | transfers


def test_every_operation_tells_its_problems_its_scope_and_who_may_call(description):
    for call, operation in own_operations(description):
        statuses = set(operation["responses"])
        expected = {"400", "401", "403", "405", "503"}
        expected |= {"404"} if "{" in call else set()
        expected |= set() if call.startswith("GET") else {"409", "413", "415", "429"}
        expected |= {"422"} if call.startswith("POST") else set()
        assert expected <= statuses, call
        for status, answer in operation["responses"].items():
            if status[0] in "45":
                assert list(answer["content"]) == ["application/problem+json"], call
                assert answer["description"]
        if not call.startswith("POST /v1/iep/login"):  # for programs that have no account yet
            assert operation["security"] == [{"bearer": []}, {"session": []}], call
        scope = re.search(r"Scope: `(.+)`", operation["description"])
        assert scope, call
        assert scope[1] in {*SCOPES, "any token"}, call
        assert len(operation["description"].splitlines()[0]) > 10
        assert operation["tags"]


def test_every_operation_of_tracker_tells_its_errors_its_scope_and_who_may_call(description):
    for call, operation in operations(description):
        if TRACKER not in call:
            continue
        assert {"200", "400", "401", "403", "404", "405", "503"} <= set(operation["responses"]), call
        refusals = {status: answer for status, answer in operation["responses"].items() if status != "200"}
        schemas = {answer["content"]["application/json"]["schema"]["$ref"] for answer in refusals.values()}
        assert schemas == {"#/components/schemas/TrackerError"}, call
        assert operation["security"] == [{"bearer": []}, {"apiKey": []}, {}], call
        assert re.search(r"Scope: `events:(read|write)`", operation["description"]), call
        assert set(operation["responses"]) >= ({"409", "422"} if call.startswith("POST") else set()), call


def test_every_post_takes_an_idempotency_key(description):
    for call, operation in operations(description):
        takes = "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
        assert takes == call.startswith("POST"), call


def test_operation_names_are_verbs_and_unique(description):
    names = [operation["operationId"] for _, operation in operations(description)]
    assert len(set(names)) == len(names)
    assert {"approve_request", "reject_request", "create_request", "withdraw_request"} <= set(names)


def check(description, call: str, status: str, value: Any) -> None:
    """The answer is what the description says it is."""
    method, path = call.split(" ")
    answer = description["paths"][path][method.lower()]["responses"][status]
    (content,) = answer["content"].values()
    schema = {**content["schema"], "components": description["components"]}
    jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())


def test_answers_are_as_described(description, devops, cpi, make_request, target, tenant):
    author, approver = call_as(devops), call_as(cpi)
    event = {"title": "Deploy", "attributes": {"type": 1, "service": "ledger"}, "links": {"ticket": "PAY-1"}}
    recorded = author.post("/api/v1alpha1/event", event).json()
    check(description, "POST /api/v1alpha1/event", "200", recorded)
    found = author.get("/api/v1alpha1/events/search?service=ledger").json()
    check(description, "GET /api/v1alpha1/events/search", "200", found)
    check(description, "POST /api/v1alpha1/event", "400", author.post("/api/v1alpha1/event", {}).json())
    one = f"{REQUESTS}/{{number}}"
    document = author.post(REQUESTS, body(request__tickets=["TICKET-1"])).json()
    number = document["metadata"]["id"]
    check(description, f"POST {REQUESTS}", "201", document)
    comment_on_request(promotion=make_request(target_name="other"), by=devops, comment="Hello")
    approved = approver.post(f"{REQUESTS}/{number}/approve", {"comment": "Fine"}).json()
    check(description, f"POST {one}/approve", "200", approved)
    check(description, f"GET {REQUESTS}", "200", approver.get(REQUESTS).json())
    check(description, f"GET {one}", "200", approver.get(f"{REQUESTS}/{number}").json())
    check(description, f"GET {REQUESTS}/stats", "200", approver.get(f"{REQUESTS}/stats").json())
    check(description, f"GET {one}/deployments", "200", approver.get(f"{REQUESTS}/{number}/deployments").json())
    piece = approver.get(f"{REQUESTS}/{number}/deployments/1/log").json()
    check(description, f"GET {one}/deployments/{{attempt}}/log", "200", piece)
    check(description, "GET /v1/me", "200", author.get("/v1/me").json())
    check(description, "GET /v1/tokens", "200", author.get("/v1/tokens").json())
    for call, status, answer in (
        (f"POST {REQUESTS}", "400", author.post(REQUESTS, {"target": 1})),
        (f"GET {one}", "404", author.get(f"{REQUESTS}/PR-1999-0001")),
        (f"POST {one}/approve", "403", author.post(f"{REQUESTS}/{number}/approve")),
        (f"POST {REQUESTS}", "409", author.post(REQUESTS, body(target__name="other"))),
    ):
        assert answer.status_code == int(status)
        check(description, call, status, answer.json())


@pytest.mark.parametrize(
    "change",
    [
        {"request__justification": "short"}, {"request__impactAssessment": "huge"}, {"target__type": "database"},
        {"preChecks__securityScanPassed": False}, {"preChecks__stagingTestsPassed": "true"}, {"target__name": 7},
        {"surprise": 1}, {"target__surprise": 1}, {"request__releaseNotes": ...}, {"preChecks": ...},
        {"request__tickets": "x"}, {},
        {"request__scheduledDate": (dt.datetime(2099, 1, 1, tzinfo=dt.UTC)).isoformat()},
    ],
)  # fmt: skip
def test_what_is_described_as_wrong_is_refused_and_what_is_described_as_right_is_taken(description, devops, change):
    sent = body(**change)
    schema = {
        **description["paths"][REQUESTS]["post"]["requestBody"]["content"]["application/json"]["schema"],
        "components": description["components"],
    }
    right = jsonschema.Draft202012Validator(schema).is_valid(sent)
    answer = call_as(devops).post(REQUESTS, sent)
    assert answer.status_code == (201 if right else 400), answer.content


def test_the_page_needs_no_inline_script(db):
    page = Client().get("/api/docs/")
    html = page.content.decode()
    assert page.status_code == 200
    assert "<script src=" in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
