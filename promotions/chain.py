"""What promotion requests say to the chain: which version is asked for, by which tickets, who decided, what was deployed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from accounts.roles import Capability
from events.chain.keys import artifact_key, bounded, ticket_key
from events.chain.kinds import EdgeKind, NodeKind, State, environment_named
from events.chain.statements import Ref, Statement
from events.models import DomainEvent
from promotions.sign_off import DEPLOYER

_ENDS = {
    "deployment.started": State.RUNNING, "deployment.succeeded": State.SUCCEEDED, "deployment.failed": State.FAILED,
}  # fmt: skip


def read_facts(facts: Sequence[DomainEvent]) -> Iterator[Statement]:
    """Each fact carries the whole request: its statement, those of its decision, and that of the deployment it tells of."""
    for fact in facts:
        if document := fact.data.get("document"):
            yield from _read(fact, document)


def _read(fact: DomainEvent, document: dict[str, Any]) -> Iterator[Statement]:
    told, request = _request(fact, document)
    status, number = document["status"], fact.subject_id
    for verb, label in (("approved", "Approved"), ("rejected", "Rejected")):
        if status[f"{verb}By"] and status[f"{verb}At"]:
            decision = told.name(
                NodeKind.APPROVAL, _decision_key(number, status[f"{verb}At"]), state=verb,
                label=f"{label} by {status[f'{verb}By']}", at=_moment(status[f"{verb}At"]),
            )  # fmt: skip
            told.lead(request, EdgeKind.DECIDED, decision)
    yield told
    entry = fact.data.get("entry", {})
    if fact.type in _ENDS and entry.get("deploymentId"):
        yield _deployment(fact, document, str(entry["deploymentId"]))
    elif fact.type == "promotion.rolled_back":
        yield from _taken_back(fact, document)


def _request(fact: DomainEvent, document: dict[str, Any]) -> tuple[Statement, Ref]:
    spec, number = document["spec"], fact.subject_id
    target, asked = spec["target"], spec["request"]
    told = _statement(fact, f"promotion:{number}")
    request = told.name(
        NodeKind.REQUEST, number, label=f"{target['name']} {target['version']}", state=document["status"]["state"],
        service=target["name"], environment=environment_named(target["targetEnvironment"]), version=target["version"],
        at=_moment(document["metadata"]["createdAt"]),
    )  # fmt: skip
    for key in asked.get("tickets", []):
        told.lead(told.name(NodeKind.TICKET, ticket_key(key)), EdgeKind.NAMES, request)
    if asked.get("rollbackOf"):
        told.lead(told.name(NodeKind.REQUEST, asked["rollbackOf"]), EdgeKind.REMEDIED_BY, request)
    else:  # what goes back to an earlier version carries nothing of it anew
        artifact = told.name(NodeKind.ARTIFACT, artifact_key(target["name"], target["version"]), label=_title(target))
        told.lead(artifact, EdgeKind.ASKED, request)
    return told, request


def _deployment(fact: DomainEvent, document: dict[str, Any], key: str) -> Statement:
    """How one attempt stands: the ways are the same in each of its facts."""
    target, approved_at = document["spec"]["target"], document["status"]["approvedAt"]
    environment = environment_named(target["targetEnvironment"])
    told = _statement(fact, f"deployment:{key}")
    # A release of import maps is recorded as a deployment of its application: counted there, not once more per ticket.
    ended = fact.type != "deployment.started" and fact.data.get("deployer") != DEPLOYER
    deployment = told.name(
        NodeKind.DEPLOYMENT, key, label=f"Deploy {_title(target)}", state=_ENDS[fact.type], service=target["name"],
        environment=environment, version=target["version"], rollback=bool(document["spec"]["request"].get("rollbackOf")),
        at=None if ended else fact.occurred_at, ended_at=fact.occurred_at if ended else None,
    )  # fmt: skip
    told.lead(told.name(NodeKind.REQUEST, fact.subject_id), EdgeKind.DEPLOYED, deployment)
    if approved_at:
        approval = told.name(NodeKind.APPROVAL, _decision_key(fact.subject_id, approved_at))
        told.lead(approval, EdgeKind.DEPLOYED, deployment)
    told.lead(deployment, EdgeKind.RUNS_IN, told.name(NodeKind.ENVIRONMENT, environment, label=environment))
    return told


def _taken_back(fact: DomainEvent, document: dict[str, Any]) -> Iterator[Statement]:
    """The deployment that is no longer what production runs."""
    deployed = [entry for entry in document["status"]["history"] if entry["action"] == "deployed"]
    if deployed and deployed[-1].get("deploymentId"):
        told = _statement(fact, f"promotion:{fact.subject_id}:taken-back")
        told.name(NodeKind.DEPLOYMENT, deployed[-1]["deploymentId"], state=State.ROLLED_BACK)
        yield told


def _statement(fact: DomainEvent, ref: str) -> Statement:
    """Known to whom the fact is known: those who see all requests, and its author."""
    own = (f"{Capability.VIEW_OWN_PROMOTIONS}:{pk}" for pk in fact.audience_users)
    audiences = (Capability.VIEW_PROMOTIONS.value, *own)
    return Statement(fact.tenant_id or 0, bounded(ref), fact.sequence, fact.occurred_at, audiences)


def _decision_key(number: str, at: str) -> str:
    return f"{number}@{at}"


def _title(target: dict[str, Any]) -> str:
    return f"{target['name']} {target['version']}"


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
