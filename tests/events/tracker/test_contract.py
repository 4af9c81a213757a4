"""Our .proto files say what Tracker's say: every service, message, field and enum, by name, number and type."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from enum import IntEnum
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from events.tracker import vocabulary
from events.tracker.api.routes import ROUTES
from events.tracker.wire.messages import FILES

ROOT = Path(__file__).parents[3]
CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))
PACKAGES = {package.split(".")[1]: content for package, content in CONTRACT.items()}
OWN_FIELDS_FROM = 1000
TYPES = {
    getattr(FieldDescriptor, name): name.removeprefix("TYPE_").lower()
    for name in vars(FieldDescriptor)
    if name.startswith("TYPE_")
}


def messages(file):
    found = dict(file.message_types_by_name)
    for name, message in list(found.items()):
        found |= {f"{name}.{inner.name}": inner for inner in message.nested_types}
    return found


def described(field):
    named = field.message_type or field.enum_type
    return {
        "number": field.number,
        "name": field.name,
        "json": field.json_name,
        "type": named.full_name if named else TYPES[field.type],
        "repeated": field.is_repeated,
    }


@pytest.mark.parametrize("package", FILES)
def test_services_and_methods(package):
    for name, methods in PACKAGES[package]["services"].items():
        service = FILES[package].services_by_name[name]
        for method_name, wanted in methods.items():
            method = service.methods_by_name[method_name]
            assert (method.input_type.name, method.output_type.name) == (wanted["request"], wanted["response"])
            assert not method.client_streaming
            assert not method.server_streaming
        assert set(service.methods_by_name) - set(methods) <= {"WatchEvents"}


@pytest.mark.parametrize("package", FILES)
def test_messages_and_fields(package):
    ours = messages(FILES[package])
    for name, fields in PACKAGES[package]["messages"].items():
        have = {field.name: described(field) for field in ours[name].fields}
        for wanted in fields:
            assert have.pop(wanted["name"]) == wanted, name
        assert all(field["number"] >= OWN_FIELDS_FROM for field in have.values()), (name, have)


@pytest.mark.parametrize("package", FILES)
def test_enums(package):
    for name, values in PACKAGES[package]["enums"].items():
        enum = FILES[package].enum_types_by_name[name]
        assert {value.name: value.number for value in enum.values} == values


WORDS = {
    "event": ["Type", "Priority", "Status", "Environment", "ChangeType"],
    "catalog": [("Type", "CatalogType")],
}


@pytest.mark.parametrize(("package", "name"), [(package, name) for package, names in WORDS.items() for name in names])
def test_the_words_of_the_code_are_those_of_the_wire(package, name):
    wire, ours = name if isinstance(name, tuple) else (name, name)
    words: type[IntEnum] = getattr(vocabulary, ours)
    assert {word.name: word.value for word in words} == PACKAGES[package]["enums"][wire]


def test_every_http_route_of_the_contract_is_there():
    ours = {(route.method, route.path.replace("<path_id:", "{").replace(">", "}")): route for route in ROUTES}
    for package, content in PACKAGES.items():
        for methods in content["services"].values():
            for name, wanted in methods.items():
                method, path = wanted["http"].split()
                route = ours[method, path.removeprefix("/api/v1alpha1/")]
                assert (route.package, route.operation, route.body) == (package, name, wanted["body"] == "*")


def test_the_generated_code_is_fresh(tmp_path):
    environment = os.environ | {"STAGEPASS_VENV": str(Path(sys.executable).parents[1])}
    subprocess.run([ROOT / "script" / "protos", tmp_path], check=True, env=environment)
    kept = ROOT / "events" / "tracker" / "pb"
    fresh = {path.relative_to(tmp_path): path.read_text() for path in tmp_path.rglob("*_pb2.py")}
    assert len(fresh) == 3
    assert {path.relative_to(kept): path.read_text() for path in kept.rglob("*_pb2.py")} == fresh, "run script/protos"
