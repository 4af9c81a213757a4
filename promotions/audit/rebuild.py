"""Restores requests, their history and their deployments into an empty database from a copy of the repository."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import pygit2
from django.db import transaction
from django.utils.dateparse import parse_datetime

from accounts.models import Tenant, User
from core.canonical import digest_of
from core.clock import now
from core.errors import Conflict, NotFound
from core.gitcli import run_git
from events import outbox
from events.models import Delivery, DeliveryState, DispatchCursor, DomainEvent
from events.services import append
from promotions.audit.commits import parse_trailers, path_of
from promotions.audit.document import from_yaml
from promotions.audit.replay import CHANNEL, changed_paths, commits_between
from promotions.audit.repository import MAIN, AuditRepository
from promotions.audit.restored import restore_request
from promotions.audit.signing import SignatureCheck
from promotions.models import Deployment, NumberCounter, PromotionRequest
from promotions.services.deployments import deployment_failed
from promotions.services.transition import SUBJECT_TYPE
from promotions.states import DeploymentState

UNKNOWN = (
    "Restored from the audit trail, which does not say whether this attempt was launched. See what production runs, then "
    "retry."
)


@dataclass(frozen=True, slots=True)
class RecordedFact:
    """A fact as its commit tells it: the hashed content, the whole document, and where it was read."""

    commit: str
    blob: str
    trailers: dict[str, str]
    content: dict[str, Any]
    document: dict[str, Any]
    actor_name: str


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild brought back."""

    requests: int = 0
    facts: int = 0
    users: dict[str, User] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    authors: dict[str, User] = field(default_factory=dict)


def rebuild_from(*, source: Path) -> Rebuilt:
    """Restore everything that the repository at `source` (bare or a clone) tells, as one transaction.

    Accounts and tenants that are missing come back inactive and without roles. Nothing is launched: an attempt that was
    queued when the record ends counts as failed and can be retried. Conflict when the database or the audit repository
    already holds another history; NotFound when there is none at `source`.
    """
    check_empty()
    repository = _adopt(Path(source).absolute())
    head = repository.head()
    assert head is not None
    rebuilt = Rebuilt()
    with transaction.atomic():
        outbox.route_facts()
        facts: dict[str, list[DomainEvent]] = {}
        for recorded in read_facts(repository, head):
            fact = _restore_fact(recorded, rebuilt)
            facts.setdefault(fact.subject_id, []).append(fact)
        _mark_delivered(chain.from_iterable(facts.values()))
        for number, history in facts.items():
            restore_request(history)
            _count_number(number)
        for unfinished in Deployment.objects.filter(state=DeploymentState.QUEUED):
            deployment_failed(deployment=unfinished, error=UNKNOWN)
    rebuilt.requests, rebuilt.facts = len(facts), sum(len(history) for history in facts.values())
    return rebuilt


def check_empty() -> None:
    """Conflict unless the database has never seen a promotion request."""
    facts = DomainEvent.objects.filter(subject_type=SUBJECT_TYPE).exists()
    if facts or PromotionRequest.objects.exists() or NumberCounter.objects.filter(last__gt=0).exists():
        raise Conflict(
            "The database already has promotion requests. A rebuild needs an empty, migrated database.",
            code="not_empty",
        )


def _adopt(source: Path) -> AuditRepository:
    """The audit repository with the history of `source` in it."""
    try:
        given = pygit2.Repository(str(source))
    except pygit2.GitError as error:
        raise NotFound(f"There is no git repository at {source}: {error}.") from error
    name = next((ref for ref in (MAIN, "refs/remotes/origin/main") if ref in given.references), None)
    if name is None:
        raise NotFound(f"The repository at {source} has no main branch.")
    wanted, repository = given.references[name].peel(pygit2.Commit).id, AuditRepository.open()
    with repository.writing():
        head = repository.head()
        if head is None:
            run_git(repository.path, "fetch", "--quiet", "--no-tags", "--", str(source), f"{name}:{MAIN}")
        elif head.id != wanted:
            raise Conflict(
                f"{repository.path} has another history than {source}. Move it away or rebuild from it.",
                code="not_empty",
            )
    return repository


def read_facts(repository: AuditRepository, head: pygit2.Commit) -> Iterator[RecordedFact]:
    """Every recorded fact, oldest first; Conflict at the first commit that does not fit its own hash or signature."""
    signatures = SignatureCheck(repository.path)
    for commit in commits_between(repository, None, head.id):
        trailers = parse_trailers(commit.message)
        if not trailers:
            continue
        try:
            recorded = _read(repository, commit, trailers)
        except (KeyError, ValueError) as error:
            raise Conflict(f"Commit {commit.id} cannot be read: {error}", code="damaged") from error
        whole = {**recorded.content, "data": {**recorded.content["data"], "document": recorded.document}}
        if digest_of(whole) != trailers["Fact-Hash"]:
            raise Conflict(f"Commit {commit.id} was changed: its content does not have its Fact-Hash.", code="damaged")
        if fault := signatures.check(commit)[1]:
            raise Conflict(f"Commit {commit.id}: {fault}.", code="damaged")
        yield recorded


def _read(repository: AuditRepository, commit: pygit2.Commit, trailers: dict[str, str]) -> RecordedFact:
    path = next(iter(changed_paths(commit)))
    blob = commit.tree[path].id
    document = from_yaml(repository.git[blob].read_raw())
    if path_of(document) != path or document["metadata"]["id"] != trailers["Request-Id"]:
        raise ValueError(f"{path} holds the document of another request.")
    content = json.loads(trailers["Fact-Content"])
    return RecordedFact(str(commit.id), str(blob), trailers, content, document, commit.author.name)


def _restore_fact(recorded: RecordedFact, rebuilt: Rebuilt) -> DomainEvent:
    """The fact again, with a new place in the log, and its receipt; it keeps what ties it to its commit."""
    content, document = recorded.content, recorded.document
    subject_type, subject_id, subject_label = content["subject"]
    actor_id, actor_label = content["actor"]
    actor = _restore_user(actor_id, actor_label, recorded.actor_name, rebuilt) if actor_id else None
    if content["type"] == "promotion.created" and actor is not None:
        rebuilt.authors[subject_id] = actor
    occurred_at = parse_datetime(content["occurred_at"])
    assert occurred_at is not None
    return append(
        DomainEvent(
            id=content["id"],
            type=content["type"],
            occurred_at=occurred_at,
            tenant=_restore_tenant(document["metadata"]["tenant"], rebuilt),
            subject_type=subject_type,
            subject_id=subject_id,
            subject_label=subject_label,
            actor_id=actor.public_id if actor else None,
            actor_label=actor_label,
            surface=content["surface"],
            request_id=content["request_id"],
            data={
                **content["data"],
                "document": document,
                "restored": {
                    "commit": recorded.commit,
                    "blob": recorded.blob,
                    "trailers": digest_of(recorded.trailers),
                },
            },
            audience_capability=content["audience"][0],
            audience_users=[rebuilt.authors[subject_id].pk] if content["audience"][1] else [],
        )
    )


def _restore_user(public_id: str, email: str, name: str, rebuilt: Rebuilt) -> User:
    """The account by its id, else by its address, else a new one that cannot log in."""
    if public_id not in rebuilt.users:
        found = User.objects.filter(public_id=public_id).first() or User.objects.filter(email__iexact=email).first()
        rebuilt.users[public_id] = found or User.objects.create_user(
            email, None, public_id=uuid.UUID(public_id), name=name, is_active=False
        )
    return rebuilt.users[public_id]


def _restore_tenant(slug: str, rebuilt: Rebuilt) -> Tenant:
    if slug not in rebuilt.tenants:
        rebuilt.tenants[slug] = Tenant.objects.get_or_create(slug=slug, defaults={"name": slug})[0]
    return rebuilt.tenants[slug]


def _mark_delivered(facts: Iterable[DomainEvent]) -> None:
    """The restored facts are old news: on record already, and nobody is told of them again."""
    Delivery.objects.bulk_create(
        [
            Delivery(
                fact=fact, channel=CHANNEL, state=DeliveryState.DONE, done_at=now(),
                receipt={"commit": fact.data["restored"]["commit"], "blob": fact.data["restored"]["blob"], "restored": True},
            )
            for fact in facts
        ],
        batch_size=500,
    )  # fmt: skip
    head = DomainEvent.objects.order_by("-sequence").values_list("sequence", flat=True).first() or 0
    DispatchCursor.objects.update_or_create(pk=1, defaults={"position": head, "moved_at": now()})


def _count_number(number: str) -> None:
    """The next request gets a number that was never given."""
    year, given = (int(part) for part in number.removeprefix("PR-").split("-"))
    counter, _ = NumberCounter.objects.select_for_update().get_or_create(year=year)
    counter.last = max(counter.last, given)
    counter.save(update_fields=["last"])
