"""The distribution `ticket-stamp`: built, installed into a bare environment with nothing but what it declares, and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest

from tests.iep.stamp.running import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Path:
    """An environment with the wheel and with copies of the packages that it says it needs, and of theirs."""
    folder = tmp_path_factory.mktemp("bare")
    source = folder / "source"
    shutil.copytree(ROOT / "iep" / "stamp", source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheels = folder / "wheels"
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)], check=True)
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    wheel = next(wheels.glob("ticket_stamp-*.whl"))
    subprocess.run([*pip, "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)], check=True)
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    declared = _requirements(wheel)
    for name in _closure(declared):
        _copy(metadata.distribution(name), site)
    return folder / "venv" / "bin"


def _requirements(wheel: Path) -> list[str]:
    import email
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []


def _closure(requirements: list[str]) -> set[str]:
    from packaging.requirements import Requirement

    found: set[str] = set()
    left = [Requirement(each) for each in requirements]
    while left:
        wanted = left.pop()
        if (wanted.marker and not wanted.marker.evaluate({"extra": ""})) or wanted.name in found:
            continue
        found.add(wanted.name)
        left += [Requirement(each) for each in metadata.requires(wanted.name) or ()]
    return found


def _copy(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


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
