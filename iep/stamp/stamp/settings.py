"""Where a command's settings come from: options, STAMP_* variables, .stamp.toml, the user's own file, defaults."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from stamp.errors import Usage

FILE_NAME = ".stamp.toml"
DEFAULT_SERVER = "http://localhost:8080"
DEFAULT_FOLDER = "src"
IMPORT_MAP = "importmap.json"


@dataclass(frozen=True)
class Settings:
    """What one command works with; `root` is the application's root, `folders` stand below it."""

    server: str = DEFAULT_SERVER
    application: str = ""
    ticket: str = ""
    prefix: str = ""
    folder: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    remote: str = ""
    manifest: str = ""
    git_check: bool = True
    polling: bool = False
    debounce: int = 200
    retries: int = 4
    timeout: float = 30.0
    root: Path = field(default_factory=Path.cwd)


NAMES = {each.name for each in fields(Settings)} - {"root"}
LISTS = {"folder", "exclude"}


def user_folder() -> Path:
    """Where this user's own settings and tokens are kept: STAMP_HOME, or the system's place for such files."""
    import click

    return Path(os.environ.get("STAMP_HOME") or click.get_app_dir("stamp"))


def load(options: Mapping[str, Any], cwd: Path | None = None) -> Settings:
    """The settings of one command; options that were not given are None. Usage names the file and the word it dislikes."""
    cwd = (cwd or Path.cwd()).resolve()
    project, root = _project_file(cwd)
    mine = user_folder() / "config.toml"
    chosen: dict[str, Any] = {}
    for source in (_read(mine), project, _environment(), _given(options)):
        chosen.update(source)
    if "folder" in _given(options):
        root = _root_for(cwd, root, chosen["folder"])
        chosen["folder"] = tuple(_below(root, cwd / each) for each in chosen["folder"])
    chosen.setdefault("folder", _default_folders(root))
    chosen["server"] = str(chosen.get("server", DEFAULT_SERVER)).rstrip("/")
    if not chosen["server"].startswith(("http://", "https://")):
        raise Usage(f"“{chosen['server']}” is no server address.", hint="It begins with https:// or http://.")
    return Settings(**chosen, root=root)


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if name in NAMES and value not in (None, "", ())}
    return {name: tuple(value) if name in LISTS else value for name, value in given.items()}


def _environment() -> dict[str, Any]:
    found = {}
    for name in NAMES:
        if text := os.environ.get(f"STAMP_{name.upper()}"):
            found[name] = _fit(name, text.split(os.pathsep) if name in LISTS else text, f"STAMP_{name.upper()}")
    return found


def _project_file(cwd: Path) -> tuple[dict[str, Any], Path]:
    for folder in _upward(cwd):
        if (folder / FILE_NAME).is_file():
            return _read(folder / FILE_NAME), folder
        if (folder / "pyproject.toml").is_file() and (section := _read_section(folder / "pyproject.toml")):
            return section, folder
    return {}, cwd


def _upward(cwd: Path) -> Iterator[Path]:
    for folder in (cwd, *cwd.parents):
        yield folder
        if (folder / ".git").exists():
            return


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Usage(f"{path} cannot be read: {error}") from None


def _read(path: Path) -> dict[str, Any]:
    return _checked(_parse(path), str(path))


def _read_section(path: Path) -> dict[str, Any]:
    section = _parse(path).get("tool", {}).get("stamp", {})
    return _checked(section, f"{path} [tool.stamp]")


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    if "token" in values:
        raise Usage(f"{where} holds a token.", hint="Take it out, revoke it, and use `stamp login` or STAMP_TOKEN.")
    if unknown := sorted(set(values) - NAMES):
        raise Usage(f"{where}: {', '.join(unknown)} is no setting.", hint=f"Known: {', '.join(sorted(NAMES))}.")
    return {name: _fit(name, value, f"{where}: {name}") for name, value in values.items()}


def _fit(name: str, value: Any, where: str) -> Any:
    kind = type(getattr(Settings(), name))
    if name in LISTS:
        value = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
        if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
            return value
        raise Usage(f"{where} must be text or a list of texts.")
    if kind is bool and isinstance(value, str):
        return value.lower() not in {"0", "no", "off", "false"}
    if kind in {int, float} and not isinstance(value, bool):
        try:
            return kind(value)
        except (TypeError, ValueError):
            raise Usage(f"{where} must be a number.") from None
    if not isinstance(value, kind):
        raise Usage(f"{where} must be {'true or false' if kind is bool else 'text'}.")
    return value


def _root_for(cwd: Path, root: Path, folders: tuple[str, ...]) -> Path:
    """The application's root: the project file's folder, or where the command runs, or what holds the folder named."""
    places = [(cwd / each).resolve() for each in folders]
    for place in places:
        if not place.exists():
            raise Usage(f"There is no {place}.", hint="Name the folder of the sources with -f.")
    for candidate in (root, cwd):
        if all(place.is_relative_to(candidate) for place in places):
            return candidate
    return places[0].parent


def _below(root: Path, place: Path) -> str:
    resolved = place.resolve()
    if not resolved.is_relative_to(root):
        raise Usage(f"{resolved} is not below {root}.", hint="Name folders of one application.")
    return resolved.relative_to(root).as_posix()


def _default_folders(root: Path) -> tuple[str, ...]:
    return tuple(name for name in (DEFAULT_FOLDER, IMPORT_MAP) if (root / name).exists()) or (DEFAULT_FOLDER,)
