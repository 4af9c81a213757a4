"""The commands of the events guide, word for word: those to type (guide.sh) and those in pipelines (guide_pipelines.txt)."""

from __future__ import annotations

import re
from pathlib import Path

_COMMANDS = Path(__file__).with_name("guide.sh").read_text(encoding="utf-8").split("\n\n")[1:]
CURL = [command.strip() for command in _COMMANDS if command.startswith("curl ")]
GRPCURL = [command.strip() for command in _COMMANDS if command.startswith("grpcurl ")]
assert (len(CURL), len(GRPCURL)) == (15, 5)

_EXAMPLES = Path(__file__).with_name("guide_pipelines.txt").read_text(encoding="utf-8").strip().split("\n\n")
_WHERE = "http://localhost:8080"
_FILLED_IN = {
    "secrets.TRACKER_URL": _WHERE, "github.repository": "org/repo", "github.ref_name": "main", "github.actor": "ana",
    "github.event.pull_request.html_url": "https://github.com/org/repo/pull/7",
    "TRACKER_URL": _WHERE, "JOB_NAME": "nightly", "BUILD_NUMBER": "17",
}  # fmt: skip


def as_run(example: str) -> str:
    """The curl of a pipeline's example, as the pipeline would run it."""
    command = example[example.index("curl ") : example.rindex("}'") + 2]
    return re.sub(r"\$\{\{ (.+?) \}\}|\$\{(.+?)\}", lambda found: _FILLED_IN[found[1] or found[2]], command)


PIPELINES = [as_run(example) for example in _EXAMPLES]
assert len(PIPELINES) == 2
