"""Each step of a request becomes one commit in the documented place, by the acting person, once."""

from __future__ import annotations

from events.models import Delivery, DomainEvent
from promotions.audit.document import from_yaml
from promotions.services import approve_request, comment_on_request
from tests.promotions.audit.conftest import deliver


def test_one_commit_per_step_by_who_took_it(repository, pending, cpi, devops, target, git):
    approve_request(promotion=pending, by=cpi, comment="Looks right")
    deliver()

    names = git(repository, "log", "--format=%an|%ae|%cn|%s", "--reverse", "main").splitlines()
    assert names == [
        f"Devops|{devops.public_id}@users.noreply.stagepass.invalid|Stagepass|{pending} payment-api v2.1.0: created",
        f"Cpi|{cpi.public_id}@users.noreply.stagepass.invalid|Stagepass|{pending} payment-api v2.1.0: approved",
    ]
    place = f"requests/prod/{pending.created_at:%Y/%m}/{pending}.yaml"
    assert git(repository, "ls-tree", "-r", "--name-only", "main") == place
    document = from_yaml(git(repository, "show", f"main:{place}").encode() + b"\n")
    approved = DomainEvent.objects.get(type="promotion.approved")
    assert document == approved.data["document"]
    assert [entry["action"] for entry in document["status"]["history"]] == ["created", "approved"]


def test_the_commit_names_its_fact_and_its_time(repository, pending, git):
    deliver()
    fact = DomainEvent.objects.get()
    trailers = dict(
        line.split(": ", 1) for line in git(repository, "log", "-1", "--format=%(trailers:unfold)", "main").splitlines()
    )
    assert trailers.pop("Fact-Content")
    assert trailers == {
        "Request-Id": pending.number,
        "Action": "created",
        "Actor-Id": str(pending.author.public_id),
        "Fact-Id": str(fact.id),
        "Fact-Sequence": "1",
        "Fact-Hash": fact.hash,
        "Previous-Fact-Hash": "0" * 64,
    }
    assert (
        git(repository, "log", "-1", "--format=%at %ct", "main").split() == [str(int(fact.occurred_at.timestamp()))] * 2
    )
    receipt = Delivery.objects.get(channel="audit").receipt
    assert receipt["commit"] == git(repository, "rev-parse", "main")
    assert receipt["blob"] == git(
        repository, "rev-parse", f"main:requests/prod/{pending.created_at:%Y/%m}/{pending}.yaml"
    )


def test_a_fact_delivered_twice_is_one_commit(repository, pending, cpi, git):
    comment_on_request(promotion=pending, by=cpi, comment="One moment please")
    deliver()
    before = list(Delivery.objects.filter(channel="audit").order_by("fact_id").values_list("receipt", flat=True))
    Delivery.objects.filter(channel="audit").update(state="queued", receipt={})
    deliver()
    assert git(repository, "rev-list", "--count", "main") == "2"
    assert (
        list(Delivery.objects.filter(channel="audit").order_by("fact_id").values_list("receipt", flat=True)) == before
    )


def test_git_finds_nothing_wrong_with_the_repository(repository, pending, git):
    deliver()
    git(repository, "fsck", "--strict", "--full")
