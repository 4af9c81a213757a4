"""The time of one audit commit with 1,000 files in the month, beside the same with bare pygit2 in the same run."""

from __future__ import annotations

import copy
import datetime as dt
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
for name in ("SECRET_KEY", "DATABASE_URL", "BROKER_URL", "CACHE_URL"):
    os.environ.setdefault(name, "postgres://nobody@localhost/none" if name == "DATABASE_URL" else "redis://localhost/0")

import django  # noqa: E402
import pygit2  # noqa: E402

django.setup()

from events.models import DomainEvent  # noqa: E402
from promotions.audit.commits import entry_of  # noqa: E402
from promotions.audit.repository import AuditRepository  # noqa: E402

FILES = 1000
ROUNDS = 300
MONTH = "requests/prod/2026/08"
DOCUMENT: dict[str, Any] = {
    "apiVersion": "gostoa.dev/v1",
    "kind": "PromotionRequest",
    "metadata": {"createdAt": "2026-08-01T10:30:00Z", "createdBy": "anna@example.com", "tenant": "tenant-finance"},
    "spec": {
        "target": {
            "type": "api", "name": "payment-api", "version": "2.1.0", "sourceEnvironment": "staging",
            "targetEnvironment": "prod",
        },
        "request": {
            "justification": "New PCI-DSS compliant payment flow", "releaseNotes": "- One\n- Two\n- Three\n" * 5,
            "impactAssessment": "low", "rollbackPlan": "Revert to v2.0.0 via emergency deploy", "scheduledDate": None,
        },
        "preChecks": {
            "stagingTestsPassed": True, "securityScanPassed": True, "performanceTestsPassed": True,
            "testEvidenceUrl": "https://ci.example.com/pipeline/12345",
        },
    },
    "status": {
        "state": "deploying",
        "history": [{"action": "approved", "at": "2026-08-01T10:30:00Z", "by": "bert@example.com"}] * 3,
        "approvedBy": "bert@example.com", "approvedAt": "2026-08-01T11:00:00Z", "deployedAt": None, "rejectedBy": None,
        "rejectedAt": None, "rejectionReason": None, "digest": "0" * 64,
    },
}  # fmt: skip


def fact(number: int) -> DomainEvent:
    """The fact of one step, as it comes from the database."""
    document = copy.deepcopy(DOCUMENT)
    document["metadata"]["id"] = f"PR-2026-{number % FILES + 1:04d}"
    made = DomainEvent(
        sequence=number, id=uuid.uuid4(), type="deployment.started", occurred_at=dt.datetime.now(dt.UTC),
        subject_type="promotion", subject_id=document["metadata"]["id"], subject_label="payment-api v2.1.0",
        actor_id=None, actor_label="system", surface="system", data={"document": document, "number": number},
        previous_hash="0" * 64,
    )  # fmt: skip
    made.hash = made.compute_hash()
    return made


def audited(path: Path, number: int) -> float:
    """What the audit channel does for one fact: the document as YAML, the message, the commit on main."""
    one = fact(number)
    started = time.perf_counter()
    AuditRepository.open(path).record(entry_of(one))
    return time.perf_counter() - started


def bare(git: pygit2.Repository, content: bytes, number: int) -> float:
    """The least that git asks for: a blob, the trees above it, a commit, the reference."""
    started = time.perf_counter()
    oid, mode = git.create_blob(content + b"step %d\n" % number), 0o100644
    head = git.references["refs/heads/main"]
    parent = head.peel(pygit2.Commit)
    names = [*MONTH.split("/"), f"PR-2026-{number % FILES + 1:04d}.yaml"]
    for depth in range(len(names) - 1, -1, -1):
        builder = git.TreeBuilder(parent.tree["/".join(names[:depth])].id if depth else parent.tree.id)
        builder.insert(names[depth], oid, mode)
        oid, mode = builder.write(), 0o040000
    by = pygit2.Signature("a", "a@example.com")
    head.set_target(git.create_commit(None, by, by, "step", oid, [parent.id]))
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCHMARK_DIR")) as place:
        ours, theirs = Path(place, "ours.git"), Path(place, "theirs.git")
        content = entry_of(fact(1)).content
        for path in (ours, theirs):
            git = AuditRepository.open(path).git
            builder = git.TreeBuilder()
            for number in range(FILES):
                builder.insert(
                    f"PR-2026-{number + 1:04d}.yaml", git.create_blob(content + str(number).encode()), 0o100644
                )
            oid = builder.write()
            for name in reversed(MONTH.split("/")):
                builder = git.TreeBuilder()
                builder.insert(name, oid, 0o040000)
                oid = builder.write()
            by = pygit2.Signature("a", "a@example.com")
            git.create_commit("refs/heads/main", by, by, "start", oid, [])
        plain = pygit2.Repository(str(theirs))
        audit_times, bare_times = [], []
        for number in range(1, ROUNDS + 1):
            audit_times.append(audited(ours, number))
            bare_times.append(bare(plain, content, number))
    ours_ms, bare_ms = (statistics.median(times) * 1000 for times in (audit_times, bare_times))
    print(
        f"audit commit at {FILES} files a month: median {ours_ms:.2f} ms, "
        f"{ours_ms / bare_ms:.2f} x bare pygit2 ({bare_ms:.2f} ms), which does not wait for the disk"
    )


if __name__ == "__main__":
    main()
