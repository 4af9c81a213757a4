"""An environment with `ticket-stamp` installed, and of the rest only what it declares; made without a network."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.iep.stamp.running import ROOT

LEFT_OUT = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")


def make_bare(folder: Path) -> Path:
    """The environment's bin; the packages that the wheel says it needs, and theirs, are copies of those that run here."""
    wheel = build_wheel(folder)
    venv.create(folder / "venv", with_pip=False)
    place = folder / "venv" / "bin"
    install(wheel, place / "python")
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    for name in closure(requirements(wheel)):
        copy(metadata.distribution(name), site)
    return place


def build_wheel(folder: Path) -> Path:
    """As an installer does it: by the build system that pyproject.toml names."""
    source = folder / "source"
    shutil.copytree(ROOT / "iep" / "stamp", source, ignore=LEFT_OUT)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=source, check=True, capture_output=True)
    return next(folder.glob("ticket_stamp-*.whl"))


def install(wheel: Path, python: Path) -> None:
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        if not shutil.which("pip3"):
            pytest.skip("no pip to install the wheel with")
        pip = ["pip3"]
    options = ["--disable-pip-version-check", "--quiet", "--python", str(python)]
    subprocess.run([*pip, *options, "install", "--no-index", "--no-deps", str(wheel)], check=True)


def requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []


def closure(wanted: list[str]) -> set[str]:
    """Names of the packages that are needed here for these requirements; what they need in turn comes along."""
    found: set[str] = set()
    left = [Requirement(each) for each in wanted]
    while left:
        each = left.pop()
        if each.marker and not each.marker.evaluate({"extra": ""}):
            continue
        assert each.specifier.contains(metadata.version(each.name), prereleases=True), each
        if each.name not in found:
            found.add(each.name)
            left += [Requirement(text) for text in metadata.requires(each.name) or ()]
    return found


def copy(distribution: metadata.Distribution, site: Path) -> None:
    for file in distribution.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)
