"""The writer: many at once lose nothing, a crash anywhere leaves each fact on record exactly once."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection

from events import outbox
from events.models import Delivery, DomainEvent
from events.selectors import find_chain_break
from promotions.audit.commits import Entry, NotRecordable, Person, clean_name, parse_trailers, path_of
from promotions.audit.repository import (
    STALE_LOCK_SECONDS,
    AuditRepository,
    RepositoryBusy,
    RepositoryDamaged,
    start_writing,
)
from promotions.audit.verify import Audit
from promotions.models import PromotionRequest
from promotions.services import approve_request, comment_on_request
from tests.promotions.audit.conftest import deliver

PROJECT = Path(__file__).parents[3]


def entry(number: int, sequence: int | None = None, fact_id: str = "") -> Entry:
    fact_id = fact_id or str(uuid.uuid4())
    sequence = number if sequence is None else sequence
    return Entry(
        path=f"requests/prod/2026/08/PR-2026-{number:04d}.yaml",
        content=f"step: {sequence}\n".encode(),
        author=Person("Anna", "anna@example.com"),
        at=dt.datetime(2026, 8, 1, 12, 0, number % 60, tzinfo=dt.UTC),
        message=f"Step\n\nFact-Id: {fact_id}\nFact-Sequence: {sequence}\n",
        fact_id=fact_id,
        fact_sequence=sequence,
    )


def test_many_writers_at_once_lose_nothing(repository, git):
    """Each thread has a view of the repository of its own, as processes have."""
    AuditRepository.open()
    barrier = threading.Barrier(6)

    def write(writer: int) -> None:
        barrier.wait()
        for step in range(15):
            AuditRepository.open().record(entry(writer * 100 + step))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert git(repository, "rev-list", "--count", "main") == "90"
    assert len(git(repository, "ls-tree", "-r", "--name-only", "main").splitlines()) == 90
    git(repository, "fsck", "--strict")


def test_writers_without_the_common_lock_lose_nothing_either(repository, git, monkeypatch):
    """Compare-and-swap alone must do, as on a shared file system that knows no locks."""
    from contextlib import nullcontext

    monkeypatch.setattr(AuditRepository, "writing", lambda self: nullcontext())
    monkeypatch.setattr("promotions.audit.repository.SWAP_TRIES", 500)
    AuditRepository.open().record(entry(0))
    barrier = threading.Barrier(4)

    def write(writer: int) -> None:
        barrier.wait()
        for step in range(10):
            AuditRepository.open().record(entry(writer * 100 + step))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(1, 5)))
    assert git(repository, "rev-list", "--count", "main") == "41"


def test_two_writers_of_the_same_fact_make_one_commit(repository, git):
    AuditRepository.open().record(entry(1))
    same = [entry(2, fact_id=str(uuid.uuid4())) for _ in range(1)] * 4
    barrier = threading.Barrier(4)

    def write(one: Entry) -> str:
        barrier.wait()
        return AuditRepository.open().record(one).commit

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(write, same))) == 1
    assert git(repository, "rev-list", "--count", "main") == "2"


def test_a_late_writer_finds_its_fact_below_newer_ones(repository, git):
    late = entry(1)
    first = AuditRepository.open().record(late)
    for number in range(2, 6):
        AuditRepository.open().record(entry(number))
    assert AuditRepository.open().record(late) == first
    assert git(repository, "rev-list", "--count", "main") == "5"


def test_the_same_commits_come_from_the_same_facts(repository, tmp_path, settings):
    """Content, author, time and message say it all, so a lost repository can be written again with the same ids."""
    steps = [entry(number) for number in (1, 2, 1)]
    steps[2] = entry(1, sequence=3)
    once = [AuditRepository.open().record(step).commit for step in steps]
    settings.AUDIT_REPOSITORY = tmp_path / "again.git"
    assert [AuditRepository.open().record(step).commit for step in steps] == once


def test_the_lock_of_a_dead_writer_is_removed_and_that_of_a_living_one_respected(repository, git):
    AuditRepository.open().record(entry(1))
    lock = repository / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(RepositoryBusy):
        AuditRepository.open().record(entry(2))
    assert lock.exists()
    old = time.time() - STALE_LOCK_SECONDS - 1
    os.utime(lock, (old, old))
    AuditRepository.open().record(entry(2))
    assert not lock.exists()
    assert git(repository, "rev-list", "--count", "main") == "2"


def test_a_writer_that_never_ends_makes_the_others_try_later(repository, monkeypatch):
    monkeypatch.setattr("promotions.audit.repository.LOCK_WAIT_SECONDS", 0.1)
    audit = AuditRepository.open()
    with audit.writing(), pytest.raises(RepositoryBusy, match="locked by another process"):
        AuditRepository.open().record(entry(1))
    AuditRepository.open().record(entry(1))


def test_an_interrupted_beginning_is_begun_again(repository, git):
    repository.mkdir()
    (repository / "objects").mkdir()
    AuditRepository.open().record(entry(1))
    git(repository, "fsck", "--strict")


def test_a_file_where_a_folder_belongs_is_not_written_over(repository, git):
    AuditRepository.open()
    blob = git(repository, "hash-object", "-w", "--stdin", given="x")
    tree = git(repository, "mktree", given=f"100644 blob {blob}\trequests\n")
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", tree, "-m", "Odd"))
    with pytest.raises(RepositoryDamaged, match="requests is a file"):
        AuditRepository.open().record(entry(1))


def test_every_new_object_is_on_the_disk_before_main_leads_to_it(repository, git, monkeypatch):
    AuditRepository.open().record(entry(1))
    before = git(repository, "rev-parse", "main")
    written: set[str] = set()

    def watch(path: Path) -> None:
        start_writing(path)
        assert git(repository, "rev-parse", "main") == before
        written.add(path.parent.name + path.name)

    monkeypatch.setattr("promotions.audit.repository.start_writing", watch)
    AuditRepository.open().record(entry(2))
    new = git(repository, "rev-list", "--objects", "main", f"^{before}").splitlines()
    assert written == {line.split()[0] for line in new}
    assert len(written) == 7


def test_packed_references_are_moved_too(repository, git):
    AuditRepository.open().record(entry(1))
    git(repository, "pack-refs", "--all", "--prune")
    AuditRepository.open().record(entry(2))
    assert git(repository, "rev-list", "--count", "main") == "2"


@pytest.mark.parametrize(
    "metadata",
    [
        {"id": "../../PR-2026-0001", "createdAt": "2026-08-01T10:00:00Z"},
        {"id": "PR-2026-0001/../x", "createdAt": "2026-08-01T10:00:00Z"},
        {"id": "PR-2026-0001", "createdAt": "../../08"},
        {"id": "PR-2026-0001\n", "createdAt": "2026-08-01T10:00:00Z"},
        {"id": "PR-2026-1", "createdAt": "2026-08-01T10:00:00Z"},
        {},
    ],
)
def test_only_a_valid_id_makes_a_path(metadata):
    with pytest.raises(NotRecordable):
        path_of({"metadata": metadata})


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("Anna\nCommitter: evil <x@y>", "AnnaCommitter: evil x@y"),
        ("<anna>", "anna"),
        ("\x00", "unknown"),
        ("", "unknown"),
        ("Zoë O'Neill 😀", "Zoë O'Neill 😀"),
    ],
)
def test_names_cannot_break_out_of_their_line(name, clean):
    assert clean_name(name) == clean


def test_trailers_are_read_from_the_last_paragraph_only():
    assert parse_trailers("Subject\n\nFact-Id: forged\n\nAction: x\nFact-Id: real\n") == {
        "Action": "x",
        "Fact-Id": "real",
    }
    assert parse_trailers("Subject\n\nSigned-off-by: Anna\n") == {}
    assert parse_trailers("") == {}


def worker(state: Path, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """A process that delivers what is due on the audit channel, and may be killed on the way."""
    database = connection.settings_dict
    address = (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST'] or 'localhost'}:{database['PORT']}"
    )
    return subprocess.run(
        [sys.executable, "-c", "import config.celery, django; django.setup()\nfrom events import outbox\n"
                               "outbox.route_facts(); print(outbox.deliver_channel('audit'))"],
        cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60,
        env=os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": f"{address}/{database['NAME']}",
            "STAGEPASS_STATE": str(state), "FAILPOINT": failpoint,
        },
    )  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("place", ["before_audit_commit", "after_audit_commit", "before_delivery_done"])
def test_killed_on_the_way_and_started_again(place, repository, tmp_path, pending, cpi, target, git):
    approve_request(promotion=pending, by=cpi)
    comment_on_request(promotion=pending, by=cpi, comment="On its way")
    died = worker(tmp_path, f"{place}:kill")
    assert died.returncode == -9, died.stderr
    assert Delivery.objects.filter(channel="audit", state="done").count() == 0

    lived = worker(tmp_path)
    assert lived.stdout.strip() == "3", lived.stderr
    assert git(repository, "rev-list", "--count", "main") == "3"
    assert set(Delivery.objects.filter(channel="audit").values_list("state", flat=True)) == {"done"}
    assert [str(difference) for difference in Audit().differences()] == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_record_each_fact_once_and_in_order(repository, tmp_path, make_request, cpi, git):
    requests: list[PromotionRequest] = [make_request(target_name=f"api-{number}") for number in range(8)]
    for promotion in requests:
        comment_on_request(promotion=promotion, by=cpi, comment="Seen")
    outbox.route_facts()
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: worker(tmp_path), range(2)))
    assert [one.returncode for one in ended] == [0, 0], ended
    told = git(repository, "log", "--reverse", "--format=%(trailers:key=Fact-Sequence,valueonly,separator=)", "main")
    assert told.splitlines() == [str(sequence) for sequence in range(1, 17)]
    assert DomainEvent.objects.count() == 16


@pytest.mark.django_db(transaction=True)
def test_what_is_recorded_while_the_records_are_compared_is_no_difference(repository, make_request, cpi, monkeypatch):
    promotion = make_request()
    deliver()

    def work() -> None:
        try:
            comment_on_request(promotion=promotion, by=cpi, comment="And on it goes")
            outbox.route_facts()
            outbox.deliver_channel("audit")
        finally:
            connection.close()

    def look_and_let_others_work() -> object:
        """By the first look the database is read as of this moment; then others go on."""
        answer = find_chain_break()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(work).result()
        return answer

    monkeypatch.setattr("promotions.audit.verify.find_chain_break", look_and_let_others_work)
    audit = Audit()
    assert [str(difference) for difference in audit.differences()] == []
    assert audit.facts == 1
    assert DomainEvent.objects.count() == 2
