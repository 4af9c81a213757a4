"""The REST face in the words of its specification: addresses, bodies, answers, codes."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from accounts.roles import Role
from accounts.services import grant_role
from core.clock import now
from promotions.models import Deployment, PromotionRequest
from promotions.services import approve_request, deployment_failed, deployment_started, deployment_succeeded
from promotions.services.transition import load
from promotions.states import DeploymentState, State
from tests.api import CONTENT, REQUESTS, Caller, assert_problem, body, call_as


def run(promotion: PromotionRequest, *, to: str) -> PromotionRequest:
    """Take an approved request's deployment to running, success or failure, as the engine would."""
    deployment = promotion.deployments.get(state=DeploymentState.QUEUED)
    Deployment.objects.filter(pk=deployment.pk).update(state=DeploymentState.LAUNCHING)
    deployment = Deployment.objects.select_related("promotion").get(pk=deployment.pk)
    deployment_started(deployment=deployment, job_id="job-1")
    deployment = Deployment.objects.select_related("promotion").get(pk=deployment.pk)
    if to == "success":
        deployment_succeeded(deployment=deployment, result={})
    elif to == "failure":
        deployment_failed(deployment=deployment, error="Health check failed")
    return load(promotion)


def test_a_created_request_has_the_documented_shape(devops):
    answer = call_as(devops).post(REQUESTS, body(request__scheduledDate="2099-12-24T10:00:00+01:00"))

    assert answer.status_code == 201
    document = answer.json()
    number = document["metadata"]["id"]
    assert answer.headers["Location"] == f"{REQUESTS}/{number}"
    assert answer.headers["ETag"] == f'"{document["status"]["digest"]}"'
    assert (document["apiVersion"], document["kind"]) == ("gostoa.dev/v1", "PromotionRequest")
    assert document["metadata"] == {
        "id": f"PR-{now().year}-0001", "createdAt": document["status"]["history"][0]["at"],
        "createdBy": devops.email, "tenant": "tenant-finance",
    }  # fmt: skip
    assert document["spec"] == {
        "target": {**CONTENT["target"], "sourceEnvironment": "staging", "targetEnvironment": "prod"},
        "request": {**CONTENT["request"], "scheduledDate": "2099-12-24T09:00:00Z"},
        "preChecks": CONTENT["preChecks"],
    }
    digest = document["status"].pop("digest")
    assert len(digest) == 64
    assert document["status"] == {
        "state": "pending",
        "history": [{"action": "created", "at": document["metadata"]["createdAt"], "by": devops.email}],
        "approvedBy": None, "approvedAt": None, "deployedAt": None,
        "rejectedBy": None, "rejectedAt": None, "rejectionReason": None,
    }  # fmt: skip
    assert call_as(devops).get(answer.headers["Location"]).json()["metadata"]["id"] == number


def test_tenant_may_be_named_where_one_has_several(devops, other_tenant):
    caller = call_as(devops)
    assert caller.post(REQUESTS, body()).json()["metadata"]["tenant"] == "tenant-finance"
    grant_role(user=devops, tenant=other_tenant, role=Role.DEVOPS)
    assert caller.post(REQUESTS, body(tenant="tenant-retail")).json()["metadata"]["tenant"] == "tenant-retail"
    assert caller.post(REQUESTS, body(target__name="b-api")).json()["metadata"]["tenant"] == "tenant-finance"


@pytest.mark.parametrize("named", ["tenant-retail", "no-such-tenant", ""])
def test_a_foreign_and_an_unknown_tenant_are_refused_alike(devops, other_tenant, named):
    problem = assert_problem(call_as(devops).post(REQUESTS, body(tenant=named)), 403, "not_authorized", "tenant")
    assert problem["detail"] == f"You may not create requests in {named}. Ask a tenant admin for the DevOps role."
    assert not PromotionRequest.objects.exists()


def test_whoever_may_create_nowhere_is_told_so(viewer):
    assert_problem(call_as(viewer).post(REQUESTS, body()), 403, "not_authorized")


def test_approve_then_deployed_shows_in_the_history(pending, devops, cpi, target):
    answer = call_as(cpi).post(f"{REQUESTS}/{pending.number}/approve", {"comment": "Approved after review"})
    assert answer.status_code == 200
    assert answer.json()["status"]["state"] == "approved"
    assert answer.json()["status"]["approvedBy"] == cpi.email

    run(load(pending), to="success")
    status = call_as(devops).get(f"{REQUESTS}/{pending.number}").json()["status"]
    assert status["state"] == "deployed"
    assert [entry["action"] for entry in status["history"]] == ["created", "approved", "deploying", "deployed"]
    approved, deployed = status["history"][1], status["history"][3]
    assert approved == {
        "action": "approved", "at": status["approvedAt"], "by": cpi.email, "comment": "Approved after review"
    }  # fmt: skip
    assert (deployed["by"], deployed["jobId"]) == ("system", "job-1")
    assert deployed["deploymentId"].startswith("deploy-")
    assert status["deployedAt"] is not None


@pytest.mark.parametrize("sent", [None, {}, {"comment": None}, {"comment": ""}, {"digest": None}])
def test_the_comment_of_an_approval_is_optional(pending, cpi, target, sent):
    answer = call_as(cpi).call("POST", f"{REQUESTS}/{pending.number}/approve", sent)
    assert answer.status_code == 200, answer.content


def test_reject_with_its_reason(pending, cpi, devops):
    answer = call_as(cpi).post(f"{REQUESTS}/{pending.number}/reject", {"reason": "The evidence is of another build"})
    status = answer.json()["status"]
    assert (answer.status_code, status["state"], status["rejectedBy"]) == (200, "rejected", cpi.email)
    assert status["rejectionReason"] == status["history"][-1]["comment"] == "The evidence is of another build"


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


def test_edit_replaces_the_content_while_pending(pending, devops, cpi, target):
    caller, address = call_as(devops), f"{REQUESTS}/{pending.number}"
    answer = caller.put(address, body(target__version="2.2.0"))
    assert answer.status_code == 200
    assert answer.json()["spec"]["target"]["version"] == "2.2.0"
    assert answer.json()["status"]["history"][-1]["action"] == "edited"
    assert_problem(caller.put(address, body(target__name="other-api")), 400, "wrong_state", "target.name")
    assert_problem(call_as(cpi).put(address, body()), 403, "not_author")
    approve_request(promotion=load(pending), by=cpi)
    assert_problem(caller.put(address, body()), 400, "not_pending")


def test_withdraw_and_comment(pending, devops, cpi, viewer):
    caller, address = call_as(devops), f"{REQUESTS}/{pending.number}"
    commented = call_as(cpi).post(f"{address}/comments", {"comment": "Which build is this?"})
    assert commented.status_code == 201
    assert commented.json()["status"]["history"][-1] | {"at": ""} == {
        "action": "commented", "at": "", "by": cpi.email, "comment": "Which build is this?"
    }  # fmt: skip
    assert_problem(caller.post(f"{address}/comments", {"comment": "  "}), 400, "invalid", "comment")
    assert_problem(call_as(viewer).post(f"{address}/comments", {"comment": "Hello there"}), 403, "not_authorized")
    assert_problem(call_as(cpi).post(f"{address}/withdraw"), 403, "not_author")
    withdrawn = caller.post(f"{address}/withdraw", {"reason": "Wrong version"}).json()["status"]
    assert (withdrawn["state"], withdrawn["history"][-1]["comment"]) == ("withdrawn", "Wrong version")
    assert_problem(caller.post(f"{address}/withdraw"), 400, "not_pending")


def test_retry_cancel_and_roll_back(make_request, devops, cpi, target):
    approver, author = call_as(cpi), call_as(devops)
    first = approve_request(promotion=make_request(version="2.0.0"), by=cpi)
    run(first, to="success")
    second = approve_request(promotion=make_request(version="2.1.0"), by=cpi)
    address = f"{REQUESTS}/{second.number}"

    assert_problem(approver.post(f"{address}/retry"), 400, "wrong_state")
    run(second, to="failure")
    assert_problem(approver.post(f"{address}/cancel"), 400, "wrong_state")
    retried = author.post(f"{address}/retry")
    assert (retried.status_code, retried.json()["status"]["state"]) == (200, "approved")
    run(load(second), to="running")
    canceled = approver.post(f"{address}/cancel", {"reason": "Alarms went off"})
    assert (canceled.status_code, canceled.json()["status"]["history"][-1]["action"]) == (200, "cancel_requested")
    deployment = Deployment.objects.select_related("promotion").get(promotion=second, attempt=2)
    assert_problem(author.post(f"{address}/rollback", {"reason": "It breaks refunds"}), 400, "wrong_state")
    deployment_succeeded(deployment=deployment, result={})

    answer = author.post(f"{address}/rollback", {"reason": "It breaks refunds"})
    assert answer.status_code == 201
    document = answer.json()
    assert answer.headers["Location"] == f"{REQUESTS}/{document['metadata']['id']}"
    assert document["spec"]["target"]["version"] == "2.0.0"
    assert document["spec"]["request"]["rollbackOf"] == second.number
    assert document["status"]["state"] == "pending", "with its own approval"
    assert_problem(author.post(f"{address}/rollback", {"reason": "short"}), 400, "invalid", "reason")


def test_deployments_and_their_log(pending, devops, cpi, target):
    approve_request(promotion=pending, by=cpi)
    caller, address = call_as(devops), f"{REQUESTS}/{pending.number}/deployments"
    assert [attempt["state"] for attempt in caller.get(address).json()] == ["queued"]
    Deployment.objects.update(log="Ünïcode line\n" * 10_000, options={"password": "hidden"})
    run(load(pending), to="running")

    attempt = caller.get(f"{address}/1").json()
    assert (attempt["attempt"], attempt["jobId"], attempt["logLength"]) == (1, "job-1", 130_000)
    assert b"hidden" not in caller.get(address).content
    text, offset, pieces = "", 0, 0
    while offset < attempt["logLength"]:
        piece = caller.get(f"{address}/1/log?offset={offset}").json()
        assert not piece["complete"], "it still runs"
        text, offset, pieces = text + piece["text"], piece["nextOffset"], pieces + 1
    assert (text, pieces) == ("Ünïcode line\n" * 10_000, 2)
    assert caller.get(f"{address}/1/log?offset={offset}").json()["text"] == ""
    deployment_failed(deployment=Deployment.objects.select_related("promotion").get(), error="Broken")
    assert caller.get(f"{address}/1/log?offset={offset}").json()["complete"]
    assert caller.get(f"{address}/1").json()["error"] == "Broken"
    for missing in ("2", "99999999999999999999", "2/log"):
        assert_problem(caller.get(f"{address}/{missing}"), 404, "not_found")


class TestLists:
    @pytest.fixture
    def several(self, make_request, devops, other_devops, cpi, outsider, tenant, other_tenant, target):
        """Requests by name: who made them, where, in which state."""
        made = {
            "pay": make_request(target_name="payment-api", justification="Customers wait for the zebra crossing flow"),
            "ledger": make_request(by=other_devops, target_name="ledger", target_type="application"),
            "mine": make_request(by=cpi, target_name="limits", target_type="policy"),
            "retail": make_request(by=outsider, in_tenant=other_tenant, target_name="catalog-api"),
        }
        approve_request(promotion=made["ledger"], by=cpi)
        return {name: promotion.number for name, promotion in made.items()}

    def test_newest_first_and_only_what_one_may_see(self, several, devops, other_devops, cpi, viewer, outsider, worker):
        assert call_as(devops).ids() == [several["pay"]]
        assert call_as(other_devops).ids() == [several["ledger"]]
        assert call_as(cpi).ids() == call_as(viewer).ids() == [several["mine"], several["ledger"], several["pay"]]
        assert call_as(outsider).ids() == [several["retail"]]
        assert call_as(worker).ids() == []

    def test_everything_for_admins(self, several, cpi_admin, root):
        newest_first = [several["retail"], several["mine"], several["ledger"], several["pay"]]
        assert call_as(cpi_admin).ids() == call_as(root).ids() == newest_first

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("state=pending", ["mine", "pay"]),
            ("state=approved", ["ledger"]),
            ("state=approved,pending", ["mine", "ledger", "pay"]),
            ("state=approved&state=pending", ["mine", "ledger", "pay"]),
            ("state=deployed", []),
            ("tenant=tenant-finance", ["mine", "ledger", "pay"]),
            ("tenant=tenant-retail", []),
            ("tenant=nowhere", []),
            ("tenant=nowhere,tenant-finance&state=approved", ["ledger"]),
            ("createdBy=devops@example.com", ["pay"]),
            ("createdBy=DevOps@Example.COM", ["pay"]),
            ("createdBy=outsider@example.com", []),
            ("createdBy=nobody@example.com", []),
            ("createdBy=cpi@example.com&state=approved", []),
            ("q=zebra", ["pay"]),
            ("q=payment-api", ["pay"]),
            ("q=payment", ["mine", "ledger", "pay"]),
            ("q=catalog-api", []),
            ("q=LEDGER", ["ledger"]),
            ("q=ledger or zebra", ["ledger", "pay"]),
            ("q=3DS2 -zebra", ["mine", "ledger"]),
            ('q="zebra crossing"', ["pay"]),
            ("q=' OR 1=1 --", []),
            ("q=%26 | ! (", []),
            ("state=pending&tenant=tenant-finance&createdBy=devops@example.com&q=zebra", ["pay"]),
        ],
    )
    def test_filters(self, several, cpi, query, found):
        for path in (REQUESTS, f"{REQUESTS}/"):
            assert call_as(cpi).ids(f"{path}?{query}") == [several[name] for name in found]

    def test_search_by_number(self, several, cpi):
        assert call_as(cpi).ids(f"{REQUESTS}?q={several['ledger']}") == [several["ledger"]]

    def test_my_and_pending_for_me(self, several, devops, cpi, other_cpi, cpi_admin, viewer):
        assert call_as(cpi).ids(f"{REQUESTS}/my") == [several["mine"]]
        assert call_as(cpi).ids(f"{REQUESTS}/pending") == [several["pay"]], "never one's own"
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending") == [several["mine"], several["pay"]]
        assert call_as(cpi_admin).ids(f"{REQUESTS}/pending") == [several["retail"], several["mine"], several["pay"]]
        assert call_as(cpi_admin).ids(f"{REQUESTS}/pending?tenant=tenant-retail") == [several["retail"]]
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending?state=approved") == []
        assert call_as(other_cpi).ids(f"{REQUESTS}/pending?q=zebra") == [several["pay"]]
        assert call_as(devops).ids(f"{REQUESTS}/pending") == call_as(viewer).ids(f"{REQUESTS}/pending") == []

    @pytest.mark.parametrize("limit", [1, 2, 3, 7])
    def test_pages_together_are_the_list(self, make_request, cpi, cpi_admin, devops, limit):
        numbers = [make_request(target_name=f"api-{n}").number for n in range(7)][::-1]
        for caller, path in (
            (call_as(cpi), REQUESTS), (call_as(cpi_admin), REQUESTS), (call_as(devops), f"{REQUESTS}/my"),
            (call_as(cpi), f"{REQUESTS}/pending"), (call_as(cpi), f"{REQUESTS}?state=pending&q=api"),
        ):  # fmt: skip
            assert list(walk(caller, f"{path}{'&' if '?' in path else '?'}limit={limit}")) == numbers

    def test_a_page_is_not_moved_by_newer_requests(self, make_request, cpi):
        numbers = [make_request(target_name=f"api-{n}").number for n in range(4)]
        caller = call_as(cpi)
        first = caller.get(f"{REQUESTS}?limit=2")
        make_request(target_name="newer")
        assert caller.ids(next_of(first)) == [numbers[1], numbers[0]]
        assert "Link" not in caller.get(next_of(first)).headers

    def test_one_may_hold_different_roles_in_different_tenants(self, several, outsider, tenant, make_request):
        grant_role(user=outsider, tenant=tenant, role=Role.VIEWER)
        newest_first = [several["retail"], several["mine"], several["ledger"], several["pay"]]
        assert call_as(outsider).ids() == newest_first
        assert list(walk(call_as(outsider), f"{REQUESTS}?limit=1")) == newest_first
        assert call_as(outsider).ids(f"{REQUESTS}?tenant=tenant-retail") == [several["retail"]]


def next_of(answer) -> str:
    link = answer.headers["Link"]
    assert link.startswith("<http://testserver/")
    assert link.endswith('>; rel="next"')
    return link[1:].partition(">")[0].removeprefix("http://testserver")


def walk(caller: Caller, path: str):
    """The ids of all pages, following the links."""
    while True:
        answer = caller.get(path)
        assert answer.status_code == 200, answer.content
        yield from (document["metadata"]["id"] for document in answer.json())
        if "Link" not in answer.headers:
            return
        path = next_of(answer)


def test_stats_count_what_one_may_list(
    make_request, devops, other_devops, cpi, cpi_admin, outsider, other_tenant, target
):
    monday = dt.datetime(2030, 1, 7, 12, tzinfo=dt.UTC)
    with time_machine.travel(monday - dt.timedelta(days=1), tick=False):  # Sunday, the week before
        run(approve_request(promotion=make_request(target_name="old"), by=cpi), to="success")
    with time_machine.travel(monday.replace(hour=0), tick=False):
        run(approve_request(promotion=make_request(target_name="new"), by=cpi), to="success")
    with time_machine.travel(monday + dt.timedelta(days=1), tick=False):
        make_request(target_name="a")
        make_request(by=other_devops, target_name="b")
        make_request(by=outsider, in_tenant=other_tenant, target_name="c")
        approve_request(promotion=make_request(target_name="d"), by=cpi)
        call_as(cpi).post(f"{REQUESTS}/{make_request(target_name='e').number}/reject", {"reason": "Not this week"})

        def stats(user):
            return tuple(call_as(user).get(f"{REQUESTS}/stats").json().values())

        assert list(call_as(cpi).get(f"{REQUESTS}/stats").json()) == [
            "pending", "approvedToday", "rejectedToday", "deployedThisWeek",
        ]  # fmt: skip
        assert stats(cpi) == (2, 1, 1, 1)
        assert stats(cpi_admin) == (3, 1, 1, 1)
        assert stats(devops) == (1, 1, 1, 1)
        assert stats(other_devops) == (1, 0, 0, 0)
        assert stats(outsider) == (1, 0, 0, 0)
        for user in (cpi, cpi_admin, devops, other_devops, outsider):
            assert stats(user)[0] == len(call_as(user).ids(f"{REQUESTS}?state=pending"))
