"""Every argument of every tool: missing, of the wrong type, huge, hostile, unknown; refused by name, nothing changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from core.errors import InvalidInput
from tests.tickets.mcp.conftest import OPEN, error_of, secret
from tickets.mcp.arguments import plainly_right
from tickets.mcp.registry import TOOLS, Tool
from tickets.mcp.server import make_server
from tickets.models import Comment, Project, StageTask, Ticket, Worker

make_server()  # which fills the registry
WRONG = {
    "string": [1, True, None, ["x"], {}],
    "integer": ["1", 1.0, 1.5, True, None, [1], float("nan")],
    "boolean": ["true", "false", 0, 1, None],
    "array": ["architect", '["architect"]', {}, None, 1],
}


def valid(schema: dict[str, Any]) -> Any:
    """The plainest value that a schema takes."""
    if "enum" in schema:
        return schema["enum"][0]
    if "pattern" in schema:
        return "2030-12-24"
    plain = {"string": "x", "boolean": True, "array": [], "integer": max(1, schema.get("minimum", 1))}
    return plain[schema["type"]]


def cases() -> list[Any]:
    return [
        pytest.param(tool, name, id=f"{tool.name}.{name}")
        for tool in TOOLS.values()
        for name in tool.takes["properties"]
    ]


def complaints(tool: Tool, arguments: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as refused:
        tool.checker.check(arguments)
    return refused.value.errors


@pytest.mark.parametrize(("tool", "name"), cases())
def test_each_argument_is_exact(tool, name):
    schemas = tool.takes["properties"]
    schema = schemas[name]
    fine = {each: valid(schemas[each]) for each in {*tool.takes["required"], name}}
    assert tool.checker.check(copy.deepcopy(fine)).items() >= fine.items()
    if name in tool.takes["required"]:
        without = {each: value for each, value in fine.items() if each != name}
        assert list(complaints(tool, without)) == [name]
    for wrong in WRONG[schema["type"]]:
        found = complaints(tool, {**fine, name: wrong})
        assert list(found) == [name], wrong
        assert all(len(sentence) < 500 for sentences in found.values() for sentence in sentences)
    if schema["type"] == "string":
        assert list(complaints(tool, {**fine, name: "x" * 1_000_000})) == [name]
        if "enum" not in schema and "pattern" not in schema:
            assert list(complaints(tool, {**fine, name: "a\x00b"})) == [name]
            assert list(complaints(tool, {**fine, name: "\ud800"})) == [name]
    if schema["type"] == "integer":
        assert list(complaints(tool, {**fine, name: 10**40})) == [name]
        assert list(complaints(tool, {**fine, name: -(10**40)})) == [name]
    if schema["type"] == "array":
        assert next(iter(complaints(tool, {**fine, name: ["x"] * 100_000}))).startswith(name)


@pytest.mark.parametrize("tool", [pytest.param(tool, id=name) for name, tool in TOOLS.items()])
def test_unknown_arguments_are_refused_and_schemas_are_sound(tool):
    fine = {each: valid(tool.takes["properties"][each]) for each in tool.takes["required"]}
    assert list(complaints(tool, {**fine, "ticketId": "x"})) == ["ticketId"]
    assert list(complaints(tool, {**fine, "__proto__": {}})) == ["__proto__"]
    Draft202012Validator.check_schema(tool.takes)
    Draft202012Validator.check_schema(tool.answers)
    assert tool.description
    assert all(schema.get("description") for schema in tool.takes["properties"].values())


def test_a_plan_is_checked_step_by_step():
    tool = TOOLS["create_ticket"]
    for wrong in (
        1,
        None,
        "",
        {"gate": True},
        {"stage": 1},
        {"stage": "x", "gate": "yes"},
        {"stage": "x", "who": "me"},
    ):
        found = complaints(tool, {**OPEN, "execution_plan": ["architect", wrong]})
        assert list(found) == ["execution_plan[1]"], wrong
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert complaints(tool, {**OPEN, "execution_plan": [deep]})


HOSTILE = [
    ("create_ticket", {**OPEN, "ticket_id": "../../etc/passwd"}, "ticket_id"),
    ("create_ticket", {**OPEN, "ticket_id": "T'; DROP TABLE tickets_ticket; --"}, "ticket_id"),
    ("create_ticket", {**OPEN, "project_id": "a b\n"}, "project_id"),
    ("create_ticket", {**OPEN, "title": "\x1b[2J"}, "title"),
    ("create_ticket", {**OPEN, "title": "   "}, "title"),
    ("create_ticket", {**OPEN, "execution_plan": ["Planned"]}, "execution_plan[0]"),
    ("create_ticket", {**OPEN, "execution_plan": ["architect", "<script>"]}, "execution_plan[1]"),
    ("create_ticket", {**OPEN, "assignees": ["nobody@example.com"]}, "assignees"),
    ("create_ticket", {**OPEN, "parent": "NOPE-1"}, "parent"),
    ("create_ticket", {**OPEN, "due_date": "2030-02-31"}, "due_date"),
    ("create_ticket", {**OPEN, "labels": ["a,b"]}, "labels"),
    ("create_ticket", {}, "project_id"),
    ("create_ticket", {**OPEN, "execution_plan": '["architect"]'}, "execution_plan"),
    ("add_ticket_comment", {"ticket_id": "TICKET-000", "content": "a\x00b"}, "content"),
    ("link_ticket", {"ticket_id": "TICKET-000", "url": "javascript:alert(1)"}, "url"),
    ("close_ticket", {"ticket_id": "TICKET-000", "status": "Exploded"}, "status"),
    ("edit_ticket", {"ticket_id": "TICKET-000", "version": "1"}, "version"),
    ("register_worker", {"worker_id": "a", "worker_type": "<b>"}, "worker_type"),
    ("mark_events_processed", {"event_ids": [0]}, "event_ids[0]"),
    ("mark_events_processed", {"event_ids": ["1"]}, "event_ids[0]"),
    ("get_events", {"event_type": ["no_such_event"]}, "event_type"),
    ("get_events", {"processed": "false"}, "processed"),
]


@pytest.mark.slow
def test_bad_arguments_are_refused_by_name_and_change_nothing(mcp, devops, make_ticket):
    make_ticket("TICKET-000")
    token = secret(devops)
    before = state()
    for tool, arguments, field in HOSTILE:
        error = error_of(mcp.call(token, tool, arguments))
        assert (error["code"], error["field"]) == ("invalid", field), (tool, arguments, error)
        assert error["message"]
    assert state() == before


def state() -> list[Any]:
    rows = [list(model.objects.order_by("pk").values()) for model in (Ticket, Comment, StageTask, Worker)]
    return [*rows, Project.objects.count()]


def test_the_quick_test_knows_the_usual_calls_and_never_takes_more_than_the_schema():
    tool = TOOLS["create_ticket"]
    quick = plainly_right(tool.takes)
    usual = {"project_id": "p", "title": "T", "execution_plan": ["architect", {"stage": "approval", "gate": True}]}
    assert quick(usual), "the validator would be asked each time"
    wrongs = [
        {}, {"title": "T"}, {**usual, "title": ""}, {**usual, "title": 1}, {**usual, "unknown": "x"},
        {**usual, "labels": "x"}, {**usual, "labels": [1]}, {**usual, "priority": "none"},
        {**usual, "execution_plan": [{"gate": True}]}, {**usual, "execution_plan": ["architect", ""]},
        {**usual, "execution_plan": ["a"] * 100_000}, [], None, "x",
    ]  # fmt: skip
    assert [wrong for wrong in wrongs if quick(wrong)] == []
    assert not plainly_right({"type": "string", "format": "date"})("x"), "it judged a word it does not know"
