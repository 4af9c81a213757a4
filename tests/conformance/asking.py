"""Tools of the fixture server that answer with questions first, and go on when those are answered."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import mcp_types as protocol
from mcp.shared.exceptions import MCPError

from tests.conformance.tools import Answer, fixture, form, said


def ask(name: str, message: str, kind: str = "string") -> dict[str, Any]:
    return {
        "method": "elicitation/create",
        "params": {"message": message, "requestedSchema": form(**{name: {"type": kind}})},
    }


def sample(text: str, most: int = 100) -> dict[str, Any]:
    messages = [{"role": "user", "content": {"type": "text", "text": text}}]
    return {"method": "sampling/createMessage", "params": {"messages": messages, "maxTokens": most}}


ROOTS = {"method": "roots/list", "params": {}}


def input_required(state: str | None = None, **requests: dict[str, Any]) -> protocol.InputRequiredResult:
    sealed = {"requestState": seal(state)} if state else {}
    return protocol.InputRequiredResult.model_validate({"inputRequests": requests, **sealed})


def seal(state: str) -> str:
    return f"{state}.{hmac.new(b'only a fixture', state.encode(), hashlib.sha256).hexdigest()}"


def unseal(sealed: str | None) -> str:
    state = (sealed or "").rpartition(".")[0]
    if not hmac.compare_digest(seal(state), sealed or ""):
        raise MCPError(protocol.INVALID_PARAMS, "This requestState is not one of ours.")
    return state


def content_of(params: Any, name: str) -> dict[str, Any] | None:
    """What was answered to one question; None when it was not, or with something else."""
    answer = (params.input_responses or {}).get(name)
    return answer.content if isinstance(answer, protocol.ElicitResult) and answer.content else None


@fixture("test_input_required_result_elicitation")
async def ask_name(context: Any, params: Any) -> Answer:
    given = content_of(params, "user_name")
    if given is None or "name" not in given:
        return input_required(user_name=ask("name", "What is your name?"))
    return said(f"Hello, {given['name']}!")


@fixture("test_input_required_result_sampling")
async def ask_model(context: Any, params: Any) -> Answer:
    answer = (params.input_responses or {}).get("capital_question")
    if answer is None:
        return input_required(capital_question=sample("What is the capital of France?"))
    return said(f"It said: {answer.content.text}")


@fixture("test_input_required_result_list_roots")
async def ask_roots(context: Any, params: Any) -> Answer:
    answer = (params.input_responses or {}).get("client_roots")
    if answer is None:
        return input_required(client_roots=ROOTS)
    return said(", ".join(str(root.uri) for root in answer.roots))


@fixture("test_input_required_result_request_state")
async def ask_and_remember(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required("asked", confirm=ask("ok", "Please confirm", "boolean"))
    unseal(params.request_state)
    return said("state-ok")


@fixture("test_input_required_result_tampered_state")
async def ask_and_check(context: Any, params: Any) -> Answer:
    return await ask_and_remember(context, params)


@fixture("test_input_required_result_multiple_inputs")
async def ask_much(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required(
            "asked", user_name=ask("name", "What is your name?"), greeting=sample("Generate a greeting", 50),
            client_roots=ROOTS,
        )  # fmt: skip
    unseal(params.request_state)
    return said("All there.")


@fixture("test_input_required_result_multi_round")
async def ask_twice(context: Any, params: Any) -> Answer:
    if not params.input_responses:
        return input_required("one", step1=ask("name", "Step 1: What is your name?"))
    if unseal(params.request_state) == "one":
        return input_required("two", step2=ask("color", "Step 2: What is your favorite color?"))
    return said("Both answered.")


@fixture("test_input_required_result_capabilities")
async def ask_what_is_possible(context: Any, params: Any) -> Answer:
    there = context.session.client_capabilities
    questions = {}
    if there is not None and there.elicitation is not None:
        questions["name"] = ask("name", "What is your name?")
    if there is not None and there.sampling is not None:
        questions["greeting"] = sample("Generate a greeting")
    return input_required(**questions) if questions and not params.input_responses else said("Thank you.")
