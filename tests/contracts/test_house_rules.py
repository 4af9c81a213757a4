"""What is never done here, and what every verb has."""

from __future__ import annotations

import ast
import inspect
import shutil
import subprocess
from pathlib import Path

import pytest
from django.apps import apps

from tests.contracts.source import APPS, ROOT, imports, modules, told, tree

# What the system itself does when its time has come has no actor; accounts lie below the fact log.
WITHOUT_ACTOR = {
    "promotions": {
        "begin_deployment",
        "deployment_failed",
        "deployment_started",
        "deployment_succeeded",
        "expire_request",
        "release_scheduled_request",
        "remind_approvers",
        "remind_reviewers",
    },
    "tickets": {
        "follow_event",
        "follow_issue",
        "remind_of_overdue_tickets",
        "resolve_deployed_ticket",
        "stop_silent_workers",
        "take_back_deployed_ticket",
    },
    "iep": {
        "forget_sign_off",
        "remind_of_stale_stamps",
    },
}


@pytest.mark.parametrize("app", [app for app in APPS if (ROOT / app / "services" / "__init__.py").exists()])
def test_verbs_take_keywords_and_the_actor_last_but_options(app):
    services = __import__(f"{app}.services", fromlist=["*"])
    for name in services.__all__:
        verb = getattr(services, name)
        if not inspect.isfunction(verb):
            continue
        parameters = inspect.signature(verb).parameters
        assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters.values()), name
        assert "by" in parameters or name in WITHOUT_ACTOR.get(app, set()), f"{name} does not say who does it"
        assert verb.__doc__, f"{name} does not say its outcome"


def test_publishing_a_fact_takes_keywords_and_the_actor():
    from events.services import publish

    parameters = inspect.signature(publish).parameters
    assert "by" in parameters
    assert all(each.kind is inspect.Parameter.KEYWORD_ONLY for each in parameters.values())


RULES = ("services", "permissions", "selectors", "models", "states", "types", "policies")


def test_rules_know_nothing_of_http():
    faces = ("rest_framework", "django.http", "django.shortcuts", "django.contrib.messages", "mcp", "grpc")
    found = [
        path
        for path in modules(*APPS)
        if any(part.removesuffix(".py") in RULES for part in path.relative_to(ROOT).parts[1:2])
        and any(name == face or name.startswith(f"{face}.") for name in imports(path) for face in faces)
    ]
    assert not found, told(found)


SIGNALS = ("django.dispatch", "django.db.models.signals", "django.core.signals", "django.contrib.auth.signals")


def test_no_django_signals():
    glued = [path for path in modules() if any(name.startswith(SIGNALS) for name in imports(path))]
    assert not glued, told(glued)


def test_no_model_overrides_save_or_delete():
    """Workflow belongs in services; what must hold for every row belongs in constraints."""
    names = {"save", "delete", "asave", "adelete"}
    found = [
        f"{model._meta.label}.{name}" for app in APPS if apps.is_installed(app) or app in _labels()
        for model in apps.get_app_config(app).get_models()
        for name in names
        if name in vars(model)
    ]  # fmt: skip
    assert not found


def _labels() -> set[str]:
    return {config.label for config in apps.get_app_configs()}


def test_nothing_of_ours_is_mocked():
    mocks = ("unittest.mock", "mock", "pytest_mock", "respx", "responses")
    faked = [
        path
        for path in modules("tests")
        if any(name.partition(".")[0] in mocks[1:] or name.startswith(mocks[0]) for name in imports(path))
    ]
    assert not faked, told(faked)
    patched = [
        f"{path}:{node.lineno}"
        for path in modules("tests")
        for node in ast.walk(tree(path))
        if path.relative_to(ROOT / "tests").as_posix() not in FAULTS_AT_A_MOMENT
        and isinstance(node, ast.Call)
        and _replaces_behaviour(node)
    ]
    assert not patched, told(patched)


# Our code runs, and something goes wrong at a moment that nothing public can hit.
FAULTS_AT_A_MOMENT = {
    "accounts/test_idempotency.py",
    "iep/test_storage.py",
    "promotions/audit/test_health.py",
    "promotions/audit/test_push.py",
    "promotions/audit/test_repository.py",
    "promotions/test_api_strictness.py",
}


def _replaces_behaviour(call: ast.Call) -> bool:
    """monkeypatch.setattr and the like; a constant, such as a time limit, may be made smaller, environment be set."""
    called = call.func
    if not (isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)):
        return False
    if called.value.id != "monkeypatch" or called.attr not in {"setattr", "delattr", "setitem", "delitem"}:
        return False
    last = call.args[-1]
    is_number = isinstance(last, ast.Constant) and isinstance(last.value, int | float)
    return not (called.attr == "setattr" and is_number)


def tracked_files() -> list[Path]:
    """What git tracks; everything that looks like source where there is no git."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return [ROOT / name for name in listed.split("\0") if name]
    return [
        path for path in ROOT.rglob("*") if path.is_file() and path.suffix in {".py", ".txt", ".in", ".toml", ".md"}
    ]


def test_no_package_index_is_named_anywhere():
    """Where packages come from is for the machine that installs them to say."""
    telltale = (
        "--index" + "-url",
        "--extra-index" + "-url",
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "registry.npm" + "js",
    )
    found = [
        str(path)
        for path in tracked_files()
        if path.is_file() and path.stat().st_size < 2_000_000
        and any(word.encode() in path.read_bytes() for word in telltale)
    ]  # fmt: skip
    assert not found, told(found)
