"""A developer's folder, a fake service, and `stamp` as a process or as a function."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stamp import cli
from tests.fakes.stamps import TOKEN, FakeStamps, running_stamps
from tests.iep.stamp.running import git, make_clone


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """The command line has no cache of Django's to empty."""


@pytest.fixture
def fake() -> Iterator[FakeStamps]:
    with running_stamps() as service:
        yield service


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An application's sources, where the test runs, with a home of their own."""
    for name in list(os.environ):
        if name.startswith("STAMP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("STAMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    place = tmp_path / "shop"
    (place / "src" / "cart").mkdir(parents=True)
    (place / "src" / "main.js").write_text('import "./cart/cart.js";\n')
    (place / "src" / "cart" / "cart.js").write_text("export const cart = 1;\n")
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def logged_in(fake, folder, monkeypatch) -> FakeStamps:
    monkeypatch.setenv("STAMP_SERVER", fake.url)
    monkeypatch.setenv("STAMP_TOKEN", TOKEN)
    return fake


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys) -> Callable[..., Done]:
    """`stamp` with these words."""

    def call(*words: str) -> Done:
        with pytest.raises(SystemExit) as ended:
            cli.main(list(words))
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def checkout(folder, tmp_path) -> Path:
    """The same folder as a clone whose remote's default branch is called trunk."""
    make_clone(folder, tmp_path / "remote.git")
    git(folder, "checkout", "-q", "-b", "feature/TKT-001-cart")
    return folder
