"""What the REST face does not take: near misses are refused by name and as problems, never guessed at, never a page."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from promotions.models import PromotionRequest
from tests.api import REQUESTS, Caller, assert_problem, body, call_as


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("preChecks.stagingTestsPassed", "true"),
        ("preChecks.securityScanPassed", 1),
        ("preChecks.performanceTestsPassed", "false"),
        ("preChecks.performanceTestsPassed", None),
        ("preChecks.performanceTestsPassed", ...),
        ("preChecks.testEvidenceUrl", None),
        ("request.justification", 12345678901234567890),
        ("request.justification", None),
        ("request.justification", ["a list of more than twenty"]),
        ("request.justification", ...),
        ("request.releaseNotes", {"text": "x"}),
        ("request.impactAssessment", None),
        ("request.impactAssessment", 1),
        ("request.rollbackPlan", "bell \u0007"),
        ("request.rollbackPlan", "nul \u0000"),
        ("request.scheduledDate", "2099-12-24T10:00:00"),
        ("request.scheduledDate", "2099-12-24"),
        ("request.scheduledDate", 4102444800),
        ("request.scheduledDate", "tomorrow"),
        ("request.scheduledDate", ""),
        ("request.scheduledDate", "9999-12-31T23:59:59-14:00"),
        ("request.scheduledDate", "0001-01-01T00:00:00+14:00"),
        ("request.tickets", "TICKET-1"),
        ("request.tickets", [1]),
        ("request.tickets", ["../etc"]),
        ("request.tickets", None),
        ("target.name", 7),
        ("target.name", "x" * 201),
        ("target.name", "-rf"),
        ("target.version", 2.1),
        ("target.version", None),
        ("target.sourceEnvironment", None),
        ("target", None),
        ("target", []),
        ("preChecks", "yes"),
        ("request", ...),
        ("tenant", None),
        ("tenant", 1),
        ("state", "approved"),
        ("target.digest", "x"),
        ("request.approvedBy", "me"),
        ("metadata", {}),
    ],
)
def test_each_near_miss_names_its_field(devops, field, value):
    answer = call_as(devops).post(REQUESTS, body(**{field.replace(".", "__"): value}))
    problem = assert_problem(answer, 400, "invalid")
    assert problem["field"].startswith(field)
    assert len(problem["errors"]) == 1, problem
    assert not PromotionRequest.objects.exists()


def test_the_same_moment_in_any_offset(devops):
    answer = call_as(devops).post(REQUESTS, body(request__scheduledDate="2099-12-24T10:00:00.987-05:30"))
    assert answer.json()["spec"]["request"]["scheduledDate"] == "2099-12-24T15:30:00Z"


def test_words_of_every_script_survive(devops):
    words = (
        "Zahlungsfluß für 日本語 🚀 – \u202eright to left\u202c {{ 7*7 }} <script>alert(1)</script> ' ; DROP TABLE --"
    )
    answer = call_as(devops).post(REQUESTS, body(request__justification=words))
    assert call_as(devops).get(answer.headers["Location"]).json()["spec"]["request"]["justification"] == words


@pytest.mark.parametrize("raw", ["[]", '"text"', "null", "7", "true", "[[]]"])
def test_bodies_that_are_no_objects(devops, raw):
    caller = call_as(devops)
    answer = caller.client.generic("POST", REQUESTS, raw, "application/json", headers=caller.headers)
    assert_problem(answer, 400, "invalid")


@pytest.mark.parametrize(
    "raw",
    [
        b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"\xff\xfe{\x00}\x00",
        b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"\\udc00": 1}', b"[" * 100_000, b'{"a":' * 50_000, b'{"a": 01}',
        b'{"a": ' + b"9" * 5000 + b"}", b'\xef\xbb\xbf{}', b'{} {}',
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-16", "application/json;charset=zip"]
)
def test_malformed_json(devops, raw, kind):
    caller = call_as(devops)
    answer = caller.client.generic("POST", REQUESTS, raw, kind, headers=caller.headers)
    assert_problem(answer, 400, "parse_error")


def test_an_absent_body_is_an_empty_object(devops):
    caller = call_as(devops)
    assert_problem(caller.call("POST", REQUESTS), 400, "invalid", "target")


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", ""]
)
def test_other_content_types(devops, kind):
    caller = call_as(devops)
    answer = caller.client.generic("POST", REQUESTS, json.dumps(body()), kind, headers=caller.headers)
    assert_problem(answer, 415, "unsupported_media_type")


def test_too_large(devops, settings):
    caller = call_as(devops)
    huge = json.dumps(body(request__releaseNotes="x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
    answer = caller.client.generic("POST", REQUESTS, huge, "application/json", headers=caller.headers)
    assert_problem(answer, 413, "too_large")
    long = "x" * 20_001
    assert_problem(caller.post(REQUESTS, body(request__releaseNotes=long)), 400, "invalid", "request.releaseNotes")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=2", "page"),
        ("State=pending", "State"),
        ("author__password__startswith=a", "author__password__startswith"),
        ("format=xml", "format"),
        ("ordering=tenant", "ordering"),
        ("state=open", "state"),
        ("state=pending,open", "state"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("cursor=abc", "cursor"),
        ("cursor=LTE", "cursor"),
        ("cursor=" + "OTk5" * 100, "cursor"),
        ("cursor=%00", "cursor"),
        ("q=a&q=b", "q"),
        ("q=%00", "q"),
        ("createdBy=%00", "createdBy"),
        ("tenant=%00", "tenant"),
        ("q=" + "x" * 501, "q"),
    ],
)
def test_parameters(devops, query, field):
    for path in (REQUESTS, f"{REQUESTS}/my", f"{REQUESTS}/pending"):
        problem = assert_problem(call_as(devops).get(f"{path}?{query}"), 400, "invalid", field)
        assert len(problem["errors"]) == 1


def test_parameters_where_none_are_known(devops, pending):
    for path in (f"{REQUESTS}/stats", f"{REQUESTS}/{pending.number}", "/v1/me", "/v1/tokens"):
        assert_problem(call_as(devops).get(f"{path}?verbose=1"), 400, "invalid", "verbose")
    assert_problem(call_as(devops).post(f"{REQUESTS}?dry_run=1", body()), 400, "invalid", "dry_run")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", REQUESTS), ("PATCH", REQUESTS), ("PUT", REQUESTS), ("OPTIONS", REQUESTS), ("TRACE", REQUESTS),
        ("BREW", REQUESTS), ("POST", f"{REQUESTS}/stats"), ("DELETE", f"{REQUESTS}/PR-2024-0001"),
        ("GET", f"{REQUESTS}/PR-2024-0001/approve"), ("PUT", "/v1/me"),
    ],
)  # fmt: skip
def test_methods_that_an_address_does_not_know(devops, method, path):
    answer = call_as(devops).call(method, path)
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"]
    assert_problem(Caller().call(method, path), 401, "not_authenticated")


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v1/requests",
        "/v1/requests/dev",
        f"{REQUESTS}/a/b",
        f"{REQUESTS}//",
        "/v1/%ff%00",
    ],
)
def test_unknown_addresses_are_problems_for_everyone(devops, path):
    for caller in (call_as(devops), Caller()):
        assert_problem(caller.get(path), 404, "not_found")


@pytest.mark.parametrize(
    "number", ["x", "PR-2024-0001x", "PR-2024-0001%00", "%ff", "'; --", "PR-٢٠٢٤-0001", "pr-2024-0001"]
)
def test_ids_that_cannot_be(devops, number):
    assert_problem(call_as(devops).get(f"{REQUESTS}/{number}"), 404, "not_found")


class TestDoor:
    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer sp_wrong", "Bearer sp_a b", "Basic YTpi", "Bearer \xff", "bearer " + "x" * 5000],
    )
    def test_who_does_not_come_with_a_token_is_told_how(self, db, header):
        answer = Client().get(REQUESTS, headers={"Authorization": header} if header else {})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="stagepass"'
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_nothing_is_cached_anywhere(self, devops, pending):
        answer = call_as(devops).get(f"{REQUESTS}/{pending.number}")
        assert "no-store" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"

    def test_the_accept_header_changes_nothing(self, devops, pending):
        for accept in ("text/html", "application/xml", "image/*", "nonsense", ""):
            answer = call_as(devops).get(f"{REQUESTS}/{pending.number}", Accept=accept)
            assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
            assert_problem(call_as(devops).get(f"{REQUESTS}/PR-1999-0001", Accept=accept), 404, "not_found")

    def test_head_is_get_without_a_body(self, devops, pending):
        answer = call_as(devops).call("HEAD", f"{REQUESTS}/{pending.number}")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["ETag"] == f'"{pending.digest}"'

    def test_a_session_works_and_needs_the_csrf_token_to_change_things(self, devops, cpi, pending):
        client = Client(enforce_csrf_checks=True)
        client.force_login(cpi)
        assert client.get(f"{REQUESTS}/{pending.number}").status_code == 200
        refused = client.post(
            f"{REQUESTS}/{pending.number}/comments", {"comment": "x"}, content_type="application/json"
        )
        assert_problem(refused, 403, "permission_denied")

    def test_a_host_we_do_not_know_is_a_problem_too(self, db, settings):
        settings.ALLOWED_HOSTS = ["stagepass.example.com"]
        answer = Client(SERVER_NAME="evil.example.com").get(REQUESTS)
        assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
