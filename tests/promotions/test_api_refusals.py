"""Each refusal of the REST face that the specification names, with its code and field."""

from __future__ import annotations

import pytest

from promotions.models import PromotionRequest
from promotions.services import approve_request
from promotions.services.transition import load
from promotions.states import State
from tests.api import REQUESTS, assert_problem, body, call_as


class TestRefusals:
    """Each code that the specification names."""

    def test_400_when_it_is_not_pending(self, pending, cpi, other_cpi, target):
        approve_request(promotion=pending, by=cpi)
        caller, address = call_as(other_cpi), f"{REQUESTS}/{pending.number}"
        for verb, sent in (("approve", {}), ("reject", {"reason": "Too late for this one"})):
            problem = assert_problem(caller.post(f"{address}/{verb}", sent), 400, "not_pending")
            assert cpi.email in problem["detail"], "the loser is told who won"
            assert problem["state"] == "approved"

    def test_403_on_ones_own_request(self, make_request, cpi, cpi_admin, root):
        for author in (cpi, cpi_admin, root):
            own = make_request(by=author, target_name=f"api-{author.pk}")
            address = f"{REQUESTS}/{own.number}"
            assert_problem(call_as(author).post(f"{address}/approve"), 403, "own_request")
            assert_problem(
                call_as(author).post(f"{address}/reject", {"reason": "I changed my mind"}), 403, "own_request"
            )
            assert load(own).state == State.PENDING

    def test_403_without_the_right(self, pending, viewer):
        assert_problem(call_as(viewer).post(f"{REQUESTS}/{pending.number}/approve"), 403, "not_authorized")

    @pytest.mark.parametrize("reason", ["", "too short", "          a", None, 1234567890])
    def test_400_without_a_reason_of_ten_characters(self, pending, cpi, reason):
        answer = call_as(cpi).post(f"{REQUESTS}/{pending.number}/reject", {"reason": reason})
        assert_problem(answer, 400, "invalid", "reason")
        assert_problem(call_as(cpi).post(f"{REQUESTS}/{pending.number}/reject"), 400, "invalid", "reason")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("request.justification", "Nineteen characters"),
            ("request.justification", "   short   " * 3 + " " * 20),
            ("request.releaseNotes", "  "),
            ("request.rollbackPlan", ""),
            ("request.impactAssessment", "catastrophic"),
            ("request.scheduledDate", "2020-01-01T00:00:00Z"),
            ("target.type", "database"),
            ("target.name", "no spaces please"),
            ("target.version", ""),
            ("target.sourceEnvironment", "dev"),
            ("target.targetEnvironment", "staging"),
            ("preChecks.stagingTestsPassed", False),
            ("preChecks.securityScanPassed", False),
            ("preChecks.testEvidenceUrl", "ftp://ci.example.com/1"),
            ("preChecks.testEvidenceUrl", "not an address"),
        ],
    )
    def test_400_naming_the_field(self, devops, field, value):
        changed = body(**{field.replace(".", "__"): value})
        if field == "request.justification" and len(value) > 20:
            changed["request"]["justification"] = "        short        "
        problem = assert_problem(call_as(devops).post(REQUESTS, changed), 400, "invalid", field)
        assert [fault["field"] for fault in problem["errors"]] == [field]
        assert not PromotionRequest.objects.exists()

    def test_400_tells_every_fault_at_once(self, devops):
        wrong = body(request__justification="short", preChecks__securityScanPassed=False, target__type="database")
        problem = assert_problem(call_as(devops).post(REQUESTS, wrong), 400, "invalid")
        assert {fault["field"] for fault in problem["errors"]} == {
            "request.justification", "preChecks.securityScanPassed", "target.type",
        }  # fmt: skip

    def test_performance_tests_may_have_failed(self, devops):
        assert call_as(devops).post(REQUESTS, body(preChecks__performanceTestsPassed=False)).status_code == 201

    def test_404_for_what_is_hidden_is_that_of_what_is_missing(self, pending, outsider):
        hidden = call_as(outsider).get(f"{REQUESTS}/{pending.number}")
        missing = call_as(outsider).get(f"{REQUESTS}/PR-1999-0001")
        assert_problem(hidden, 404, "not_found")
        assert hidden.content.replace(pending.number.encode(), b"") == missing.content.replace(b"PR-1999-0001", b"")
        drop = {"X-Request-ID", "Content-Length"}
        assert {k: v for k, v in hidden.headers.items() if k not in drop} == {
            k: v for k, v in missing.headers.items() if k not in drop
        }

    def test_409_for_a_second_request_of_the_same_target(self, pending, devops):
        problem = assert_problem(call_as(devops).post(REQUESTS, body()), 409, "active_request_exists", "target.name")
        assert problem["active"] == pending.number

    @pytest.mark.parametrize("by_header", [True, False])
    def test_409_when_it_changed_since_the_review(self, devops, cpi, target, by_header):
        author, approver = call_as(devops), call_as(cpi)
        number = author.post(REQUESTS, body()).json()["metadata"]["id"]
        reviewed = approver.get(f"{REQUESTS}/{number}")
        edited = author.put(f"{REQUESTS}/{number}", body(request__impactAssessment="critical"))
        assert edited.status_code == 200
        said = {"If_Match": reviewed.headers["ETag"]} if by_header else {}
        sent = {} if by_header else {"digest": reviewed.json()["status"]["digest"]}
        problem = assert_problem(
            approver.post(f"{REQUESTS}/{number}/approve", sent, **said), 409, "content_changed", "digest"
        )
        assert problem["changed"] == ["request.impactAssessment"]
        assert approver.post(f"{REQUESTS}/{number}/approve", {}, If_Match=edited.headers["ETag"]).status_code == 200

    @pytest.mark.parametrize("tag", ["abc", 'W/"{0}"', '"{0}", "{0}"', '""', '"zz"'])
    def test_400_for_an_if_match_that_names_no_content(self, pending, cpi, tag):
        answer = call_as(cpi).post(f"{REQUESTS}/{pending.number}/approve", {}, If_Match=tag.format(pending.digest))
        assert_problem(answer, 400, "invalid", "If-Match")

    def test_400_when_body_and_header_disagree(self, pending, cpi, target):
        address, tag = f"{REQUESTS}/{pending.number}/approve", f'"{pending.digest}"'
        assert_problem(call_as(cpi).post(address, {"digest": "0" * 64}, If_Match=tag), 400, "invalid", "digest")
        assert call_as(cpi).post(address, {"digest": pending.digest}, If_Match="*").status_code == 200
