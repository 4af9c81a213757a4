"""From a copy of the repository alone, requests come back with their decisions, attempts and the same history."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import Tenant, User
from events import outbox
from events.models import Delivery, DispatchCursor, DomainEvent
from promotions.models import AuditRemote, Deployment, DeploymentTarget, NumberCounter, PromotionRequest, RunningVersion
from promotions.services import (
    approve_afterwards,
    approve_request,
    break_glass,
    cancel_deployment,
    comment_on_request,
    create_request,
    edit_request,
    object_to_request,
    reject_request,
    roll_back_request,
)
from promotions.services.engine import follow, launch
from promotions.services.operators import force_request_state
from promotions.services.transition import load
from promotions.wire import render_history, render_promotion
from tests.conftest import content
from tests.promotions.audit.conftest import deliver
from tests.promotions.audit.test_verify import audit


def documents() -> dict[str, dict]:
    """Every request as the API shows it."""
    return {
        row.number: render_promotion(
            load(row), render_history(DomainEvent.objects.about("promotion", row.number).order_by("sequence"))
        )
        for row in PromotionRequest.objects.all()
    }


def deploy(promotion: PromotionRequest, by: User) -> PromotionRequest:
    approve_request(promotion=promotion, by=by, comment="Looks right")
    deliver()
    deployment = Deployment.objects.get(promotion=promotion)
    launch(deployment)
    follow(deployment)
    deliver()
    return load(promotion)


@pytest.fixture
def past(repository, make_request, devops, cpi, cpi_admin, root, target) -> dict[str, dict]:
    """Requests in many states, all on record; how they look."""
    RunningVersion.objects.create(
        tenant=target.tenant, environment="prod", target_type="api", target_name="payment-api", version="2.0.0"
    )
    deployed = deploy(make_request(tickets=("TICKET-001",)), cpi)
    undone = roll_back_request(promotion=deployed, by=devops, reason="Payments are slow")
    deploy(undone, cpi)
    reject_request(promotion=make_request(target_name="ledger"), by=cpi, reason="The evidence is missing")
    edited = make_request(target_name="catalog", release_notes="Straße\r\n\tno: 😀\x85\u2028")
    edited = edit_request(promotion=edited, content=content(target_name="catalog", version="3.0.0"), by=devops)
    comment_on_request(promotion=edited, by=cpi_admin, comment="no")
    later = make_request(target_name="later", scheduled_at=dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    approve_request(promotion=later, by=cpi)
    stuck = approve_request(promotion=make_request(target_name="stuck"), by=cpi, comment="Looks right")
    force_request_state(promotion=stuck, state="pending", by=root, reason="Approved by mistake")
    for name, review in (("owed", None), ("stood-by", approve_afterwards), ("blamed", object_to_request)):
        urgent = break_glass(promotion=make_request(target_name=name), by=cpi_admin, reason="Payments are down, help")
        cancel_deployment(promotion=urgent, by=cpi_admin)
        if review is not None:
            words = {"reason": "It should have waited"} if review is object_to_request else {"comment": "Right so"}
            review(promotion=urgent, by=cpi, **words)
    deliver()
    return documents()


def empty_the_database() -> None:
    """As after the loss of the whole database: only the repository is left."""
    tables = [
        model._meta.db_table
        for model in (
            Deployment, RunningVersion, DeploymentTarget, PromotionRequest, NumberCounter, Delivery, DispatchCursor,
            DomainEvent, AuditRemote, User, Tenant, Group,
        )
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")


@pytest.fixture
def copy(past, repository, tmp_path, git, settings) -> Path:
    """A clone of the repository, which itself is lost."""
    place = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(place))
    empty_the_database()
    settings.AUDIT_REPOSITORY = tmp_path / "new.git"
    return place


def test_everything_comes_back_as_it_was(past, copy, settings, git):
    told = audit("rebuild", "--from", str(copy))
    assert told.startswith("Restored 9 requests with 33 facts")
    assert "The audit trail holds: 9 requests, 33 facts, 33 commits, head" in told
    assert documents() == past
    assert git(settings.AUDIT_REPOSITORY, "rev-parse", "main") == git(copy, "rev-parse", "main")


def test_the_bare_repository_itself_serves_as_well(past, repository):
    empty_the_database()
    audit("rebuild", "--from", str(repository))
    assert documents() == past
    assert "holds" in audit("verify")


def test_what_the_documents_do_not_show_comes_back_too(copy):
    before = "deploy"
    audit("rebuild", "--from", str(copy))
    first = PromotionRequest.objects.order_by("pk").first()
    assert (first.state, first.approval_comment, first.replaced_version) == ("rolled_back", "Looks right", "2.0.0")
    assert first.approved_digest == first.digest
    assert first.tickets == ["TICKET-001"]
    attempt = first.deployments.get()
    assert (attempt.state, attempt.attempt, attempt.deployer) == ("succeeded", 1, "none")
    assert attempt.deployment_id.startswith(before)
    assert attempt.deployment_id == documents()[first.number]["status"]["history"][-2]["deploymentId"]
    undoing = first.reversals.get()
    assert undoing.state == "deployed"
    assert RunningVersion.objects.get().version == "2.0.0"


def test_what_an_operator_forced_stays_as_it_was_put(copy):
    audit("rebuild", "--from", str(copy))
    stuck = PromotionRequest.objects.get(target_name="stuck")
    assert (stuck.state, stuck.approved_by, stuck.approved_digest) == ("pending", None, "")
    assert stuck.deployments.get().state == "canceled"
    assert stuck.expires_at > stuck.created_at
    assert stuck.remind_at is not None


def test_broken_glass_comes_back_with_its_review(copy):
    audit("rebuild", "--from", str(copy))
    rows = {row.target_name: row for row in PromotionRequest.objects.exclude(glass_broken_by=None)}
    assert {name: row.review for name, row in rows.items()} == {
        "owed": "owed", "stood-by": "approved", "blamed": "objected",
    }  # fmt: skip
    assert {row.glass_broken_by.email for row in rows.values()} == {"cpi_admin@example.com"}
    assert [rows[name].review_remind_at is None for name in ("owed", "stood-by", "blamed")] == [False, True, True]
    assert rows["stood-by"].approval_comment == "Right so"


def test_people_come_back_without_any_right(copy, past):
    audit("rebuild", "--from", str(copy))
    author = User.objects.get(email="devops@example.com")
    assert (author.is_active, author.name, author.has_usable_password()) == (False, "Devops", False)
    assert not author.memberships.exists()
    assert not author.groups.exists()
    assert Tenant.objects.get().slug == "tenant-finance"


def test_people_who_are_there_already_are_taken(copy):
    known = User.objects.create_user("devops@example.com", "a password", name="Known")
    audit("rebuild", "--from", str(copy))
    known.refresh_from_db()
    assert known.is_active
    assert PromotionRequest.objects.filter(author=known).count() == 9
    assert "holds" in audit("verify")


def test_nobody_is_told_again_and_nothing_is_written_again(copy, settings, git):
    news = {"facts": ("promotion.*",), "handler": "tests.events.test_outbox.listen"}
    settings.SUBSCRIBERS = {**settings.SUBSCRIBERS, "news": news}
    outbox.channels.cache_clear()
    audit("rebuild", "--from", str(copy))
    head = git(settings.AUDIT_REPOSITORY, "rev-parse", "main")
    deliver()
    assert git(settings.AUDIT_REPOSITORY, "rev-parse", "main") == head
    outbox.channels.cache_clear()
    assert Delivery.objects.exclude(channel="audit").count() == 0


def test_life_goes_on_with_the_next_number(copy, make_user, past):
    from accounts.roles import Role
    from accounts.services import grant_role

    audit("rebuild", "--from", str(copy))
    author = User.objects.get(email="devops@example.com")
    grant_role(user=author, tenant=Tenant.objects.get(), role=Role.DEVOPS)
    author.is_active = True
    author.save()
    new = create_request(tenant=Tenant.objects.get(), content=content(target_name="fresh"), by=author)
    assert new.number == max(past).replace("0009", "0010")
    pending = PromotionRequest.objects.get(target_name="catalog")
    comment_on_request(promotion=pending, by=author, comment="Still here")
    deliver()
    assert "10 requests, 35 facts, 35 commits, head" in audit("verify")
    # A second loss: facts of before and after the first rebuild come back together.
    before = documents()
    repository = Delivery.objects.filter(channel="audit").order_by("-fact_id").first()
    assert repository.receipt["commit"]
    empty_the_database()
    told = audit("rebuild", "--from", str(copy.parent / "new.git"))
    assert "holds: 10 requests, 35 facts, 35 commits" in told
    assert documents() == before


def test_an_attempt_of_unknown_fate_is_not_launched_but_can_be_retried(
    repository, make_request, cpi, target, git, tmp_path
):
    approve_request(promotion=make_request(), by=cpi)
    deliver()
    empty_the_database()
    told = audit("rebuild", "--from", str(repository))
    assert "2 facts" in told
    assert "1 not yet recorded" in told
    promotion = PromotionRequest.objects.get()
    assert promotion.state == "failed"
    attempt = promotion.deployments.get()
    assert attempt.state == "failed"
    assert "not say whether this attempt was launched" in attempt.error
    assert launch(attempt) is False
    deliver()
    assert "1 requests, 3 facts, 3 commits, head" in audit("verify")


def test_a_running_job_is_followed_by_its_own_name(repository, make_request, cpi, target):
    promotion = approve_request(promotion=make_request(), by=cpi)
    deliver()
    before = promotion.deployments.get()
    launch(before)
    deliver()
    before.refresh_from_db()
    assert before.state == "running"
    empty_the_database()
    audit("rebuild", "--from", str(repository))
    attempt = Deployment.objects.get()
    assert (attempt.state, attempt.job_id, attempt.deployment_id) == ("running", before.job_id, before.deployment_id)
    follow(attempt)
    assert PromotionRequest.objects.get().state == "deployed"
    deliver()
    assert "holds" in audit("verify")


def test_a_database_in_use_is_refused(past, repository):
    with pytest.raises(CommandError, match="needs an empty, migrated database"):
        call_command("audit", "rebuild", "--from", str(repository))
    assert documents() == past


def test_another_history_in_the_place_of_the_repository_is_refused(copy, settings, git):
    git(copy, "clone", "--quiet", "--bare", str(copy), str(settings.AUDIT_REPOSITORY))
    git(settings.AUDIT_REPOSITORY, "update-ref", "refs/heads/main", "main~1")
    with pytest.raises(CommandError, match="has another history than"):
        call_command("audit", "rebuild", "--from", str(copy))
    assert PromotionRequest.objects.count() == 0


def test_a_copy_that_was_tampered_with_is_refused_whole(copy, git):
    path = git(copy, "log", "-1", "--format=", "--name-only", "main")
    file = copy / path
    file.write_text(file.read_text().replace("2.1.0", "6.6.6"))
    git(copy, "add", path)
    message = git(copy, "log", "-1", "--format=%B")
    git(copy, "commit", "--quiet", "--amend", "-m", message)
    with pytest.raises(CommandError, match="does not have its Fact-Hash"):
        call_command("audit", "rebuild", "--from", str(copy))
    assert PromotionRequest.objects.count() == DomainEvent.objects.count() == User.objects.count() == 0


@pytest.mark.parametrize("kind", ["nothing", "empty"])
def test_what_is_no_audit_repository_is_refused(kind, db, repository, tmp_path, git):
    place = tmp_path / "place"
    place.mkdir()
    if kind == "empty":
        git(place, "init", "--quiet", "--bare")
    with pytest.raises(CommandError, match="no git repository" if kind == "nothing" else "no main branch"):
        call_command("audit", "rebuild", "--from", str(place))
