"""The shape of the house: rooms, sizes, docstrings. A new room is a decision: name it here."""

from __future__ import annotations

import ast

import pytest
from django.apps import apps

from tests.contracts.source import APPS, PACKAGES, ROOT, modules, told, tree

LONGEST, LONGEST_TEST = 400, 500

ROOMS = {
    "__init__",
    "admin",
    "api",
    "apps",
    "demo",
    "deployers",
    "errors",
    "filters",
    "forms",
    "health",
    "management",
    "mcp",
    "metrics",
    "middleware",
    "migrations",
    "models",
    "notifiers",
    "pages",
    "permissions",
    "policies",
    "rpc",
    "selectors",
    "services",
    "states",
    "static",
    "story",
    "subscribers",
    "tasks",
    "templates",
    "templatetags",
    "types",
    "urls",
    "validation",
    "views",
    "webhooks",
    "wire",
}
OWN_ROOMS = {
    "accounts": {
        "adapter",
        "authentication",
        "idempotency",
        "openapi",
        "rest",
        "roles",
        "scopes",
        "throttling",
    },
    "events": {
        "activity",
        "attempts",
        "cdevents",
        "chain",
        "channel_health",
        "channels",
        "connections",
        "deliveries",
        "delivery_views",
        "endpoints",
        "live",
        "measures",
        "notice_api",
        "notice_previews",
        "notice_views",
        "notices",
        "outbox",
        "preferences",
        "reminders",
        "slack",
        "tracker",
    },
    "promotions": {
        "audit",
        "chain",
        "channels_story",
        "clearance",
        "demo_service",
        "pages",
        "sign_off",
        "slack",
        "story",
        "wire",
    },
    "tickets": {
        "chain",
        "demo_jira",
        "slack",
        "story",
        "wire",
    },
    "iep": {
        "chain",
        "imports",
        "maps",
        "mirrors",
        "previews",
        "s3",
        "serving",
        "sign_offs",
        "signatures",
        "stamp",
        "storage",
        "story",
        "wire",
    },
}
CORE_MODULES = {
    "admin",
    "canonical",
    "charts",
    "clock",
    "console",
    "context",
    "counts",
    "design",
    "doorbell",
    "drafts",
    "errors",
    "failpoints",
    "forms",
    "gitcli",
    "health",
    "looks",
    "markdown",
    "metrics",
    "middleware",
    "paging",
    "pipeline",
    "plugins",
    "problems",
    "rest",
    "rows",
    "schema",
    "search",
    "slim",
    "sql",
    "story",
    "threads",
    "transitions",
    "views",
}
WIRING = {"__init__", "apps", "management", "tasks", "templates", "templatetags", "urls"}


@pytest.mark.parametrize("app", APPS)
def test_rooms_have_the_same_names_everywhere(app):
    there = {path.stem for path in (ROOT / app).iterdir() if not path.name.startswith((".", "__pycache__"))}
    assert there - ROOMS - OWN_ROOMS[app] == set()


def test_core_is_no_junk_drawer_and_has_no_models():
    there = {path.stem for path in (ROOT / "core").iterdir() if not path.name.startswith((".", "__pycache__"))}
    assert there - CORE_MODULES - WIRING == set()
    assert list(apps.get_app_config("core").get_models()) == []


@pytest.mark.parametrize(("places", "longest"), [(PACKAGES, LONGEST), (("tests",), LONGEST_TEST)])
def test_no_module_is_longer_than_one_can_keep_in_mind(places, longest):
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules(*places)}
    assert not {str(path): length for path, length in lengths.items() if length > longest}


def test_every_module_says_what_lives_in_it():
    silent = [path for path in modules(*PACKAGES, "tests") if tree(path).body and not ast.get_docstring(tree(path))]
    assert not silent, told(silent)
