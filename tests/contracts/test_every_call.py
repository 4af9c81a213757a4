"""Schemathesis calls every operation of the OpenAPI document with what it describes, and with what it does not.

No server error, no status that is not described, no answer of another form. How many calls each operation gets bounds the
time; SCHEMATHESIS_EXAMPLES in the environment makes it more thorough.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.test.client import ClientHandler
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.scopes import SCOPES
from accounts.services import issue_token
from events.tracker.catalog import put_entry
from events.tracker.locks import acquire_lock
from events.tracker.records import record_event
from tests.events.tracker.conftest import columns
from tickets.services import ensure_project, open_ticket, queue_task, register_worker
from tickets.types import PlanStep, TicketContent

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "6"))
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@pytest.fixture
def known(tenant, devops, cpi_admin, make_request, settings) -> dict[str, list[str]]:
    """What a parameter of a path may be so that something is found."""
    settings.API_CHANGES_PER_MINUTE = 0
    project = ensure_project(key="finance/ledger", by=devops, tenant=tenant)
    content = TicketContent("Refunds", plan=(PlanStep("developer"), PlanStep("sign-off", gate=True)))
    open_ticket(project=project, by=devops, key="PAY-1", content=content)
    ticket = open_ticket(project=project, by=devops, key="PAY-2", content=content)
    register_worker(worker_id="developer-1", worker_type="developer", tenant=tenant, by=devops)
    task = queue_task(ticket=ticket, by=devops)[0]
    event = record_event(tenant=tenant, content=columns(), by=devops)
    lock = acquire_lock(tenant=tenant, content={"service": "vault"}, by=devops)
    put_entry(tenant=tenant, content={"name": "ledger", "owner": "x", "version": "1"}, by=devops)
    token, _ = issue_token(user=cpi_admin, name="other", scopes=["events:read"])
    return {
        "number": [make_request().number, make_request(target_name="other").number],
        "key": ["PAY-1", "PAY-2", project.key], "blocker": ["PAY-1"], "worker_id": ["developer-1"],
        "task_id": [str(task.pk)], "id": [str(event.pk), str(lock.pk)], "name": ["ledger"], "attempt": ["1"],
        "token_id": [str(token.pk)], "link": ["1"],
    }  # fmt: skip


def through_django(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """A WSGI application within the transaction of the test, as Django's own client has it."""
    response = ClientHandler(enforce_csrf_checks=True)(environ)
    start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
    return [response.getvalue()]


def send(case: Any, known: dict[str, list[str]], chance: random.Random, token: str) -> None:
    """Call and check, mostly with what is known in the path."""
    for name in case.path_parameters or {}:
        if name in known and chance.random() < 0.7:
            case.path_parameters[name] = chance.choice(known[name])
    case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_every_operation_answers_only_as_it_is_described(mode, known, root, tenant):
    _, token = issue_token(user=root, name="every call", scopes=list(SCOPES))
    described = schemathesis.openapi.from_wsgi("/api/schema/", app=through_django)
    faults = [fault for found in described.get_all_operations() if (fault := try_out(found.ok(), mode, known, token))]
    assert not faults, "\n\n".join(faults)


def try_out(operation: Any, mode: Any, known: dict[str, list[str]], token: str) -> str:
    """What is wrong with the answers of one operation; empty for nothing."""
    chance = random.Random(operation.label)  # noqa: S311 (the same each time)

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )  # fmt: skip
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def calls(case: Any) -> None:
        send(case, known, chance, token)

    try:
        calls()
    except Unsatisfiable:
        return ""  # nothing can be wrong about a call without parameters
    except (Failure, BaseExceptionGroup) as fault:
        inner = fault.exceptions if isinstance(fault, BaseExceptionGroup) else [fault]
        return f"{operation.label}: " + "\n".join(f"{one!r} {one}" for one in inner if isinstance(one, Exception))
    return ""
