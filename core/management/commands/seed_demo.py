"""Fill an empty system with demo people and things, and write var/demo.json; running it again keeps all data."""

from __future__ import annotations

import json
import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from core.plugins import load_callable


class Command(BaseCommand):
    help = "Seed the demo and write var/demo.json."

    def handle(self, *args: Any, **options: Any) -> None:
        if not getattr(settings, "DEMO", False):
            raise CommandError("Demo accounts have known passwords; they are made under config.settings.demo only.")
        with transaction.atomic():
            parts = [load_callable(path)() for path in settings.DEMO_SEEDS]
        demo = {
            "url": settings.SITE_URL,
            "grpc": os.environ.get("STAGEPASS_GRPC", "localhost:8765"),
            "audit_repository": str(settings.AUDIT_REPOSITORY),
            "mailbox": str(settings.STATE_DIR / "mailbox"),
            "users": parts[0],
        }
        path = settings.STATE_DIR / "demo.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(demo, indent=2, ensure_ascii=False) + "\n")
        fresh.chmod(0o600)
        fresh.replace(path)
        self.stdout.write(f"Wrote {path}")
