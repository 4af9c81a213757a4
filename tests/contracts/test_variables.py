"""Environment variables: what is read stands in the one table, and what stands there is read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from config.env import VARIABLES
from tests.contracts.source import ROOT, modules, told, tree

# Not ours to configure: Django's own, the shell's, and what a deployer hands to the program it starts.
FOREIGN_VARIABLES = {
    "ANSIBLE_LOCAL_TEMP",
    "DJANGO_SETTINGS_MODULE",
    "PATH",
    "STAGEPASS_RESULT",
    "USER",
}


def environment_reads(path: Path) -> Iterator[str]:
    """Literal names in os.environ[...], os.environ.get(...), os.getenv(...) and env.text/items/switch(...)."""
    for node in ast.walk(tree(path)):
        text = ast.unparse(node) if isinstance(node, ast.Call | ast.Subscript) else ""
        if match := re.match(
            r"(?:os\.environ(?:\.get|\.setdefault)?|os\.getenv|env\.(?:text|items|switch))[(\[]'(\w+)'", text
        ):
            yield match[1]


def test_every_variable_that_is_read_is_in_the_one_table():
    known = {variable.name for variable in VARIABLES} | FOREIGN_VARIABLES
    # The stack has its own table; `stamp` is a distribution of its own, which reads STAMP_* on somebody else's machine.
    outside_the_stack = [path for path in modules() if not {"stack", "stamp"} & set(path.relative_to(ROOT).parts[:-1])]
    unknown = {
        f"{name} in {path}" for path in outside_the_stack for name in environment_reads(path) if name not in known
    }
    assert not unknown, told(sorted(unknown))


def test_every_variable_of_the_table_is_read_somewhere():
    read = {name for path in modules() for name in environment_reads(path)}
    assert {variable.name for variable in VARIABLES} - read == set()
