"""Writes golden.json anew: `python -m tests.events.tracker.golden` with the tests' settings."""

from __future__ import annotations

import json

import django

if __name__ == "__main__":
    django.setup()
    from tests.events.tracker.test_wire import GOLDEN, current

    GOLDEN.write_text(json.dumps(current(), indent=1) + "\n", encoding="utf-8")
