"""The REST face in the words of its specification: addresses, bodies, answers, codes."""

from __future__ import annotations

import pytest

from accounts.roles import Role
from accounts.services import grant_role
from core.clock import now
from promotions.models import Deployment, PromotionRequest
from promotions.services import approve_request, deployment_failed, deployment_started, deployment_succeeded
from promotions.services.transition import load
from promotions.states import DeploymentState
from tests.api import CONTENT, REQUESTS, assert_problem, body, call_as


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


def test_an_edit_does_not_overwrite_one_that_came_in_between(devops, pending):
    caller, address = call_as(devops), f"{REQUESTS}/{pending.number}"
    seen = caller.get(address).headers["ETag"]
    assert caller.put(address, body(target__version="2.2.0"), **{"If-Match": seen}).status_code == 200
    late = caller.put(address, body(target__version="2.3.0"), **{"If-Match": seen})
    assert_problem(late, 409, "content_changed", "digest")
    assert caller.get(address).json()["spec"]["target"]["version"] == "2.2.0"
    assert caller.put(address, body(), **{"If-Match": "W/x"}).status_code == 400
