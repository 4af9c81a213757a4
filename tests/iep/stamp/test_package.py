"""The distribution `ticket-stamp`: built, installed into a bare environment with nothing but what it declares, and run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.iep.stamp.bare import make_bare

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    return make_bare(tmp_path_factory.mktemp("bare"))


def run(bare: Path, *words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO", "STAMP"))}
    return subprocess.run(
        [str(bare / "stamp"), *words], capture_output=True, text=True, check=False, cwd=bare,
        env=clean | {"STAMP_HOME": str(bare / "home")},
    )  # fmt: skip


def test_the_command_runs_with_what_it_declares(bare):
    told = run(bare, "--help")
    assert told.returncode == 0, told.stderr
    assert "promote" in told.stdout
    assert re.fullmatch(r"stamp, version \d+\.\d+\.\d+\n", run(bare, "--version").stdout)


def test_it_brings_no_django(bare):
    seen = subprocess.run(
        [str(bare / "python"), "-c", "import importlib.util as u; print([u.find_spec(n) for n in ('django', 'celery')])"],
        capture_output=True, text=True, check=True, cwd=bare,
    )  # fmt: skip
    assert seen.stdout.strip() == "[None, None]"


def test_every_library_is_there_when_a_command_needs_it(bare):
    """A server that nobody runs: the client is loaded, the refusal is told, the exit code is that of a server away."""
    told = subprocess.run(
        [str(bare / "stamp"), "list", "--server", "http://127.0.0.1:9", "--json"], capture_output=True, text=True,
        check=False, cwd=bare, env={"PATH": os.environ["PATH"], "STAMP_TOKEN": "sp_x", "STAMP_RETRIES": "0"},
    )  # fmt: skip
    assert told.returncode == 7, told.stdout + told.stderr
    loaded = subprocess.run(
        [str(bare / "python"), "-c", "import rich.progress, watchfiles, stamp.watching, stamp.commands.account"],
        capture_output=True, text=True, check=False, cwd=bare,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr
