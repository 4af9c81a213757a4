"""Whatever is changed behind the system's back, in a row, a fact or the repository, is found and named."""

from __future__ import annotations

import io
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from events.models import Delivery, DomainEvent
from promotions.audit.repository import AuditRepository
from promotions.audit.verify import Audit
from promotions.models import Deployment, PromotionRequest
from promotions.services import approve_request, comment_on_request, reject_request
from promotions.services.engine import follow, launch
from tests.promotions.audit.conftest import deliver


def audit(*words: str) -> str:
    """What `manage.py audit` says; a failed one is marked."""
    out = io.StringIO()
    try:
        call_command("audit", *words, stdout=out)
    except SystemExit as end:
        assert end.code == 1
        return "FAILED " + out.getvalue()
    return out.getvalue()


def found(kind: str, words: str = "") -> None:
    """The command finds this first, and its list has it."""
    told = audit("verify")
    assert told.startswith("FAILED ")
    assert len(told.splitlines()) == 1
    differences = [str(difference) for difference in Audit().differences()]
    assert told.removeprefix("FAILED ").strip() == differences[0]
    assert any(line.startswith(kind) and words in line for line in differences), differences


@pytest.fixture
def recorded(repository, make_request, cpi, target) -> PromotionRequest:
    """A deployed request and a rejected one, all on record."""
    promotion = approve_request(promotion=make_request(), by=cpi, comment="Looks right")
    deliver()
    deployment = Deployment.objects.get()
    launch(deployment)
    follow(deployment)
    reject_request(promotion=make_request(target_name="ledger"), by=cpi, reason="The evidence is missing")
    deliver()
    return PromotionRequest.objects.get(pk=promotion.pk)


def behind_its_back(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, values)
        cursor.execute("SET session_replication_role = DEFAULT")


def test_what_was_left_alone_holds(recorded, git, repository):
    head = git(repository, "rev-parse", "--short=12", "main")
    assert recorded.state == "deployed"
    assert audit("verify") == f"The audit trail holds: 2 requests, 6 facts, 6 commits, head {head}.\n"


def test_what_was_not_recorded_yet_is_no_fault(recorded, cpi):
    comment_on_request(promotion=recorded, by=cpi, comment="Well done")
    assert "7 facts, 6 commits, 1 not yet recorded" in audit("verify")
    deliver()
    assert "7 facts, 7 commits, head" in audit("verify")


def test_an_empty_system_holds(repository, db):
    assert audit("verify") == "The audit trail holds: 0 requests, 0 facts, 0 commits.\n"


@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("version", "spec.target.version"),
        ("justification", "spec.request.justification"),
        ("approval_comment", "approval_comment"),
        ("replaced_version", "replaced_version"),
        ("test_evidence_url", "spec.preChecks.testEvidenceUrl"),
        ("number", "no fact tells of this request"),
    ],
)
def test_one_byte_in_a_row(recorded, column, place):
    behind_its_back(f"UPDATE promotions_promotionrequest SET {column} = {column} || 'x' WHERE id = %s", recorded.pk)
    found("content differs", place)


def test_another_person_in_a_row(recorded, other_cpi):
    behind_its_back(
        "UPDATE promotions_promotionrequest SET approved_by_id = %s WHERE id = %s", other_cpi.pk, recorded.pk
    )
    found("content differs", "approved_by of the row is other_cpi@example.com")


def test_a_new_address_of_a_person_is_no_difference(recorded, cpi):
    cpi.email = "new.name@example.com"
    cpi.save()
    assert "holds" in audit("verify")


def test_a_row_that_is_gone(recorded):
    behind_its_back("DELETE FROM promotions_promotionrequest WHERE id = %s", recorded.pk)
    found("content differs", f"{recorded}: its facts are on record, but the database has no such request")


def test_one_byte_in_a_fact(recorded):
    behind_its_back("UPDATE events_domainevent SET actor_label = actor_label || 'x' WHERE type = 'promotion.approved'")
    found("chain broken", "the content of fact 2 was changed")


def test_one_byte_in_a_fact_with_all_hashes_made_anew(recorded):
    """Who can write to the database can forge a chain that fits, but not the commits."""
    behind_its_back("UPDATE events_domainevent SET surface = 'page' WHERE type = 'promotion.rejected'")
    previous = "0" * 64
    for fact in DomainEvent.objects.order_by("sequence"):
        fact.previous_hash = previous
        previous = fact.compute_hash()
        behind_its_back(
            "UPDATE events_domainevent SET previous_hash = %s, hash = %s WHERE sequence = %s",
            fact.previous_hash, previous, fact.sequence,
        )  # fmt: skip
    found("trailer differs", "Fact-Hash")


def test_the_newest_fact_is_gone(recorded):
    last = DomainEvent.objects.latest("sequence")
    behind_its_back("DELETE FROM events_delivery WHERE fact_id = %s", last.pk)
    behind_its_back("DELETE FROM events_domainevent WHERE sequence = %s", last.pk)
    found("missing in database", f"there is no fact {last.id}")


def test_a_commit_that_never_was(recorded):
    fact = DomainEvent.objects.latest("sequence")
    behind_its_back("UPDATE events_domainevent SET id = gen_random_uuid() WHERE sequence = %s", fact.pk)
    found("missing in git", f"fact {fact.sequence}")


def rewrite(git, repository, change, commit: str = "main") -> None:
    """Put an altered commit in the place of `commit`, which must be the newest."""
    text = change(git(repository, "cat-file", "commit", commit) + "\n")
    new = git(repository, "hash-object", "-t", "commit", "-w", "--stdin", given=text)
    git(repository, "update-ref", "refs/heads/main", new)


def test_one_byte_in_a_commit(recorded, git, repository):
    rewrite(git, repository, lambda text: text.replace("Cpi <", "Cpj <", 1))
    found("history rewritten", "was recorded")


def test_one_byte_in_an_older_commit_with_the_newest_receipt_adjusted(recorded, git, repository):
    older = git(repository, "cat-file", "commit", "main~1") + "\n"
    forged = git(
        repository, "hash-object", "-t", "commit", "-w", "--stdin", given=older.replace("Devops <", "Nobody <", 1)
    )
    rewrite(git, repository, lambda text: re.sub(r"(?m)^parent \w+", f"parent {forged}", text))
    newest = Delivery.objects.filter(channel="audit").order_by("-fact_id").first()
    receipt = {**newest.receipt, "commit": git(repository, "rev-parse", "main")}
    Delivery.objects.filter(pk=newest.pk).update(receipt=receipt)
    found("history rewritten", "fact 5 was recorded as commit")


def test_history_cut_off(recorded, git, repository):
    git(repository, "update-ref", "refs/heads/main", "main~2")
    found("history rewritten", "main does not lead to it any more")


def test_history_cut_off_and_receipts_with_it(recorded, git, repository):
    """Whoever also changes what the deliveries say is betrayed by the facts."""
    git(repository, "update-ref", "refs/heads/main", "main~2")
    for fact in DomainEvent.objects.order_by("-sequence")[:2]:
        Delivery.objects.filter(channel="audit", fact=fact).update(receipt={})
    found("missing in git", "it has no commit")


def changed_file(git, repository, path: str, change) -> str:
    """A tree in which the file is changed."""
    blob = git(repository, "hash-object", "-w", "--stdin", given=change(git(repository, "show", f"main:{path}") + "\n"))
    environment = ["-c", "core.bare=false", f"--work-tree={repository}"]
    git(repository, *environment, "read-tree", "main")
    git(repository, *environment, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    return git(repository, *environment, "write-tree")


def path_of(promotion: PromotionRequest) -> str:
    return f"requests/prod/{promotion.created_at:%Y/%m}/{promotion}.yaml"


def test_one_byte_in_a_file_under_forged_trailers(recorded, git, repository):
    newest = DomainEvent.objects.latest("sequence").data["document"]["metadata"]["id"]
    path = path_of(PromotionRequest.objects.get(number=newest))
    tree = changed_file(git, repository, path, lambda text: text.replace("missing", "misSing"))
    rewrite(git, repository, lambda text: re.sub(r"^tree \w+", f"tree {tree}", text))
    commit = git(repository, "rev-parse", "main")
    delivery = Delivery.objects.filter(channel="audit").order_by("-fact_id").first()
    Delivery.objects.filter(pk=delivery.pk).update(receipt={**delivery.receipt, "commit": commit})
    found("content differs", "'comment: \"The evidence is misSing\"'")


def test_a_foreign_commit_in_a_request_file_and_its_acceptance(recorded, git, repository, cpi):
    tree = changed_file(git, repository, path_of(recorded), lambda text: text.replace("2.1.0", "2.1.1"))
    commit = git(repository, "commit-tree", tree, "-p", "main", "-m", "Fix the version")
    git(repository, "update-ref", "refs/heads/main", commit)
    found("foreign change", f"commit {commit[:12]} by Somebody: it touches {path_of(recorded)}")
    assert "the file in main is not what its newest recorded step says" in audit("verify", "--all")

    with pytest.raises(CommandError, match="reason of at least"):
        call_command("audit", "accept", commit, "--reason", "ok")
    audit("accept", commit, "--reason", "Somebody's experiment")
    comment_on_request(promotion=recorded, by=cpi, comment="Written again from the database")
    deliver()
    assert "holds" in audit("verify")


def test_foreign_commits_elsewhere_are_nobodys_business(recorded, git, repository):
    tree = changed_file(git, repository, path_of(recorded), lambda text: text)
    blob = git(repository, "hash-object", "-w", "--stdin", given="# Ours\n")
    listing = git(repository, "ls-tree", tree) + f"\n100644 blob {blob}\tREADME.md\n"
    tree = git(repository, "mktree", given=listing)
    commit = git(repository, "commit-tree", tree, "-p", "main", "-m", "Say what this is")
    git(repository, "update-ref", "refs/heads/main", commit)
    assert "holds" in audit("verify")


def test_a_file_nobody_recorded(recorded, git, repository):
    foreign = path_of(recorded).replace(str(recorded), "PR-2020-0001")
    blob = git(repository, "rev-parse", f"main:{path_of(recorded)}")
    environment = ["-c", "core.bare=false", f"--work-tree={repository}"]
    git(repository, *environment, "read-tree", "main")
    git(repository, *environment, "update-index", "--add", "--cacheinfo", f"100644,{blob},{foreign}")
    tree = git(repository, *environment, "write-tree")
    rewrite(git, repository, lambda text: re.sub(r"^tree \w+", f"tree {tree}", text))
    found("foreign change", foreign)
    assert f"missing in database: {foreign}" in audit("verify", "--all")


def test_rot_on_the_disk(recorded, git, repository):
    blob = git(repository, "rev-parse", f"main:{path_of(recorded)}")
    file = repository / "objects" / blob[:2] / blob[2:]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    found("repository damaged", "cannot be read")


def test_the_repository_is_gone(recorded, repository):
    repository.rename(repository.with_suffix(".away"))
    found("history rewritten", "main does not lead to it any more")
    assert AuditRepository.open().head() is None
