"""Options win over variables, these over .stamp.toml, that over the user's file."""

from pathlib import Path

import pytest

from stamp.errors import Usage
from stamp.settings import load


def test_defaults_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("STAMP_HOME", str(tmp_path / "home"))
    settings = load({}, tmp_path)
    assert (settings.server, settings.folder, settings.root) == ("http://localhost:8080", ("src",), tmp_path)


def test_the_import_map_beside_src_belongs_to_it(folder):
    (folder / "importmap.json").write_text("{}")
    assert load({}).folder == ("src", "importmap.json")


def test_each_source_beats_the_next(folder, monkeypatch):
    home = Path(folder.parent / "home")
    home.mkdir()
    (home / "config.toml").write_text('server = "http://mine"\nprefix = "A"\nretries = 9\napplication = "mine"\n')
    (folder / ".stamp.toml").write_text('application = "file"\nprefix = "B"\nfolder = ["src", "lib"]\n')
    monkeypatch.setenv("STAMP_PREFIX", "C")
    monkeypatch.setenv("STAMP_SERVER", "http://variable")
    monkeypatch.chdir(folder / "src" / "cart")
    settings = load({"server": "http://option/", "prefix": None, "folder": ()})
    assert settings.server == "http://option"
    assert settings.prefix == "C"
    assert settings.application == "file"
    assert settings.retries == 9
    assert (settings.root, settings.folder) == (folder, ("src", "lib"))


def test_the_search_for_a_project_file_ends_at_the_repository(folder, checkout):
    (folder.parent / ".stamp.toml").write_text('application = "outside"\n')
    assert load({}).application == ""


def test_pyproject_may_hold_it_too(folder):
    (folder / "pyproject.toml").write_text('[tool.stamp]\napplication = "shop"\n')
    assert load({}, folder / "src").application == "shop"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('token = "sp_secret"', "holds a token"), ('aplication = "x"', "is no setting"), ("folder = 3", "must be text"),
        ('retries = "many"', "must be a number"), ("server = 1", "must be text"), ('server = "ftp://x"', "no server address"),
        ("= broken", "cannot be read"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_right_is_named(folder, text, words):
    (folder / ".stamp.toml").write_text(text + "\n")
    with pytest.raises(Usage, match=words) as stopped:
        load({})
    assert "sp_secret" not in stopped.value.message


def test_a_folder_given_by_hand_is_found_from_where_the_command_runs(folder, monkeypatch, tmp_path):
    assert load({"folder": ("./src",)}).folder == ("src",)
    monkeypatch.chdir(tmp_path)
    settings = load({"folder": ("shop/src",)})
    assert (settings.root, settings.folder) == (tmp_path, ("shop/src",))
    monkeypatch.chdir(folder / "src")
    settings = load({"folder": ("../../shop/src",)})
    assert (settings.root, settings.folder) == (folder / "src", (".",))
    with pytest.raises(Usage, match="There is no"):
        load({"folder": ("nowhere",)})
