"""deploy/compose.yaml says nothing that the product does not know: variables, commands, settings."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from config.env import VARIABLES
from config.stack import environment, programs

ROOT = Path(__file__).parents[2]
PLACES = programs.Places(Path("/state"), 8080, 8765, 1, 2)


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((ROOT / "deploy" / "compose.yaml").read_text())["services"])


def test_each_variable_that_the_containers_get_is_one_that_the_settings_read(services: dict[str, Any]) -> None:
    known = {variable.name for variable in VARIABLES} | {"DJANGO_SETTINGS_MODULE"}
    assert set(services["web"]["environment"]) <= known
    required = {variable.name for variable in VARIABLES if variable.default is None}
    assert required <= set(services["web"]["environment"])


def test_the_parts_are_those_of_the_local_stack(services: dict[str, Any]) -> None:
    local = {program.name: list(program.command())[1:] for program in programs.workers(PLACES)}
    assert set(local) | {"web", "grpc", "migrate", "postgres", "valkey"} == set(services)
    assert services["dispatcher"]["command"][1:] == local["dispatcher"]
    assert services["worker"]["command"] == local["worker"][1:]
    assert services["beat"]["command"][:4] == local["beat"][1:5]


def test_parts_have_the_least_rights(services: dict[str, Any]) -> None:
    for name in ("web", "worker", "beat", "dispatcher", "migrate"):
        assert services[name]["read_only"] is True, name
        assert services[name]["cap_drop"] == ["ALL"], name


def test_what_a_second_terminal_joins_with_covers_every_variable() -> None:
    missing = [v.name for v in VARIABLES if not v.name.startswith((*environment.PASSED_ON, "FAILPOINT"))]
    assert missing == []
