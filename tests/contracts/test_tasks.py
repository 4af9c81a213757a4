"""Every background task has somebody who starts it: beat, or code that sends it by name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r'shared_task\([^)]*name="([\w.]+)"')


def sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", ":!tests"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [(ROOT / path).read_text() for path in listed.stdout.split() if (ROOT / path).exists()]


def test_every_task_is_started_by_somebody():
    texts = sources()
    tasks = {name for text in texts for name in NAMED.findall(text)}
    assert len(tasks) > 20
    started = {name for name in tasks for text in texts if f'"{name}"' in NAMED.sub("", text)}
    assert tasks - started == set()
