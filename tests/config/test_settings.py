"""Settings that must not be wrong: production starts only when safe, and every answer carries its protections."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from config import env

ROOT = Path(__file__).parents[2]
GOOD = {
    "SECRET_KEY": secrets.token_urlsafe(60),
    "DATABASE_URL": "postgres://stagepass:stagepass@localhost:5432/stagepass",
    "BROKER_URL": "redis://localhost:6379/0",
    "CACHE_URL": "redis://localhost:6379/1",
    "ALLOWED_HOSTS": "stagepass.example",
    "STAGEPASS_URL": "https://stagepass.example",
}


def check(**changes: str | None) -> subprocess.CompletedProcess[str]:
    """`manage.py check --deploy` under the production settings with exactly this environment."""
    # What other tests of this run set for themselves is not production's either.
    known = {variable.name for variable in env.VARIABLES} | {"DJANGO_ALLOW_ASYNC_UNSAFE"}
    values = {name: value for name, value in os.environ.items() if name not in known}
    values |= {name: value for name, value in (GOOD | changes).items() if value is not None}
    values["DJANGO_SETTINGS_MODULE"] = "config.settings.production"
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, check=False, cwd=ROOT, env=values, capture_output=True, text=True, timeout=60)


def test_the_production_settings_pass_djangos_deployment_check():
    done = check()
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL"])
@pytest.mark.parametrize("value", [None, ""])
def test_what_is_missing_is_named_and_nothing_starts(name, value):
    done = check(**{name: value})
    assert done.returncode != 0
    assert f"Set {name} in the environment" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("key", ["short", "django-insecure-" + "x" * 60])
def test_a_weak_key_does_not_start(key):
    done = check(SECRET_KEY=key)
    assert "SECRET_KEY is too weak" in done.stderr.splitlines()[-1]


def directives(header: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (part.split() for part in header.split(";")) if words}


def test_pages_carry_strict_headers_and_a_policy_without_inline_code(db):
    answer = Client().get("/accounts/login/")
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    policy = directives(answer.headers["Content-Security-Policy"])
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert "'unsafe-inline'" not in str(policy)
    assert "'unsafe-eval'" not in str(policy)


def test_the_admins_policy_is_loosened_only_where_its_theme_needs_it(root):
    client = Client()
    client.force_login(root)
    policy = directives(client.get("/admin/").headers["Content-Security-Policy"])
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == ["'self'", "'unsafe-eval'"]
    assert policy["connect-src"] == ["'self'"]


def test_each_variable_is_listed_once_and_explained():
    names = [variable.name for variable in env.VARIABLES]
    assert len(names) == len(set(names))
    assert all(variable.help.endswith(".") for variable in env.VARIABLES)
