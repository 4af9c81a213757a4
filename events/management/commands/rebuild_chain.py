"""Tell the graph of the chain anew from the fact log."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand

from events.chain.following import follow_log, start_over
from events.models import LogFollower


class Command(BaseCommand):
    help = "Forget the graph of the chain and read the fact log again from its first fact; everything else goes on."

    def handle(self, *args: Any, **options: Any) -> None:
        begun, total = time.monotonic(), 0
        start_over()
        while count := follow_log(batches=1):
            total += count
            self.stdout.write(f"{total} facts read")
        faults = LogFollower.objects.values_list("faults", flat=True).first() or []
        for fault in faults:
            self.stderr.write(f"Fact {fault['sequence']} ({fault['type']}) was not understood: {fault['reason']}")
        self.stdout.write(f"Done in {time.monotonic() - begun:.1f} s.")
