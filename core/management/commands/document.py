"""Write the documents that are generated from code, or check that they are fresh."""

from __future__ import annotations

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.plugins import load_callable


class Command(BaseCommand):
    help = "Write the generated documents of the DOCUMENTS setting."
    requires_system_checks = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="Write nothing; fail when one is stale.")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        stale = []
        for name, function in settings.DOCUMENTS.items():
            path, text = settings.BASE_DIR / name, load_callable(function)()
            if path.exists() and path.read_text(encoding="utf-8") == text:
                continue
            stale.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                self.stdout.write(f"Wrote {name}")
        if check and stale:
            raise CommandError(f"Stale: {', '.join(stale)}. Run manage.py document and commit the result.")
