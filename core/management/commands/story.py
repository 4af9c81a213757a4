"""Drive the main job through the public interfaces of the running system, as the demo accounts, step by step."""

from __future__ import annotations

import json
from typing import Any

import httpx2
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.plugins import load_callable
from core.story import Surprise, Voice


class Command(BaseCommand):
    help = "Tell the chapters of the STORY setting; exits 1 at the first surprise. The system must run (script/up)."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        demo = self.read_demo()
        voice = Voice(self.stdout, colours=self.stdout.isatty() and not options["no_color"])
        voice.say(f"The running system is {demo['url']}; its demo accounts are in {settings.STATE_DIR / 'demo.json'}.")
        try:
            for chapter in settings.STORY:
                load_callable(chapter)(voice, demo)
        except Surprise as surprise:
            voice.surprise(str(surprise))
            raise SystemExit(1) from None
        except httpx2.TransportError as error:
            voice.surprise(f"{demo['url']} does not answer ({error}). Start it with script/up.")
            raise SystemExit(1) from None
        voice.say(f"\nAll as it should be, in {voice.seconds():.1f} s.")

    def read_demo(self) -> dict[str, Any]:
        path = settings.STATE_DIR / "demo.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be read ({error}). Start the demo with script/up first.") from error
