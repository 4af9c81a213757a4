"""Fill an empty system with demo people and things, and write var/demo.json; running it again keeps all data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from core.plugins import load_callable


class Command(BaseCommand):
    requires_system_checks = []  # the pages need not be loaded for it, and everybody waits for the demo
    help = "Seed the demo and write var/demo.json."

    def handle(self, *args: Any, **options: Any) -> None:
        if not getattr(settings, "DEMO", False):
            raise CommandError("Demo accounts have known passwords; they are made under config.settings.demo only.")
        path = settings.STATE_DIR / "demo.json"
        with transaction.atomic():
            users = load_callable(settings.DEMO_PEOPLE)(self.known_users(path))
            for seed in settings.DEMO_SEEDS:
                load_callable(seed)()
        demo = {
            "url": settings.SITE_URL,
            "grpc": settings.GRPC_ADDRESS,
            "audit_repository": str(settings.AUDIT_REPOSITORY),
            "mailbox": str(settings.STATE_DIR / "mailbox"),
            "slack": settings.SLACK_API.removesuffix("api/") if settings.SLACK_TOKEN else "",
            "kafka": settings.KAFKA.get("bootstrap.servers", ""),
            "users": users,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(demo, indent=2, ensure_ascii=False) + "\n")
        fresh.chmod(0o600)
        fresh.replace(path)
        self.stdout.write(f"Wrote {path}")

    def known_users(self, path: Path) -> dict[str, dict[str, str]]:
        """What an earlier run wrote, so that tokens people copied go on working."""
        try:
            return dict(json.loads(path.read_text())["users"])
        except (OSError, ValueError, KeyError):
            return {}
