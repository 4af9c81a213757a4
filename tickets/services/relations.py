"""Dependencies, parents and links to outside; cycles are refused under a lock."""

from __future__ import annotations

from django.db import connection, transaction

from accounts.models import User
from core.errors import Conflict, InvalidInput, NotFound
from tickets import permissions
from tickets.models import Dependency, Ticket, TicketLink
from tickets.services.change import lock
from tickets.services.facts import publish_about
from tickets.types import LinkKind
from tickets.validation import check_link

MAX_RELATED = 200


def lock_relations(ticket: Ticket) -> None:
    """One writer of dependencies and parents per tenant, so that two halves of a cycle cannot slip in at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tickets.relations'), %s)", [ticket.tenant_id])


@transaction.atomic
def add_dependency(*, ticket: Ticket, blocker: Ticket, by: User) -> Dependency:
    """`ticket` waits for `blocker`: it cannot be claimed before that is resolved or completed.

    Adding it twice changes nothing. Leaves `ticket.dependency_added`. InvalidInput for itself or another tenant's,
    Conflict (dependency_cycle) naming the way round.
    """
    permissions.check_can_edit(by, ticket.tenant)
    if blocker.tenant_id != ticket.tenant_id:
        raise InvalidInput({"blocker": ["Both tickets have to be of the same tenant."]})
    if blocker.pk == ticket.pk:
        raise InvalidInput({"blocker": ["A ticket cannot wait for itself."]})
    blocker = lock(blocker)  # before the lock of relations, as an edit does that gives a ticket a parent
    lock_relations(ticket)
    existing = Dependency.objects.filter(ticket=ticket, blocker=blocker).first()
    if existing is not None:
        return existing
    way = _way(blocker, ticket)
    if way:
        raise Conflict(
            f"{blocker.key} already waits for {ticket.key}: {' → '.join(way)}. Remove one of these first.",
            code="dependency_cycle",
            field="blocker",
            details={"cycle": way},
        )
    _check_room(ticket.dependencies.count(), "blocker")
    dependency = Dependency.objects.create(ticket=ticket, blocker=blocker, tenant=ticket.tenant)
    publish_about(ticket, "ticket.dependency_added", by=by, data={"blocker": blocker.key})
    return dependency


def _way(start: Ticket, goal: Ticket) -> list[str]:
    """The keys along which `start` waits for `goal`; empty when it does not."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE way(id, path) AS (
                SELECT %s::bigint, ARRAY[%s::bigint]
                UNION ALL
                SELECT next.blocker_id, way.path || next.blocker_id
                FROM way JOIN tickets_dependency next ON next.ticket_id = way.id
                WHERE NOT next.blocker_id = ANY(way.path)
            ) CYCLE id SET seen USING trail
            SELECT path FROM way WHERE id = %s LIMIT 1
            """,
            [start.pk, start.pk, goal.pk],
        )
        row = cursor.fetchone()
    if row is None:
        return []
    keys = dict(Ticket.objects.filter(pk__in=row[0]).values_list("pk", "key"))
    return [keys[pk] for pk in row[0]]


@transaction.atomic
def remove_dependency(*, ticket: Ticket, blocker: Ticket, by: User) -> None:
    """`ticket` no longer waits for `blocker`; leaves `ticket.dependency_removed`, or nothing when it did not wait."""
    permissions.check_can_edit(by, ticket.tenant)
    deleted, _ = Dependency.objects.filter(ticket=ticket, blocker=blocker).delete()
    if deleted:
        publish_about(ticket, "ticket.dependency_removed", by=by, data={"blocker": blocker.key})


def check_parent(ticket: Ticket, parent: Ticket | None) -> Ticket | None:
    """The parent, if that makes no circle; call it under `lock_relations`."""
    ancestor, seen = parent, 0
    while ancestor is not None:
        if ancestor.pk == ticket.pk or seen > 1000:
            raise Conflict(
                f"{ticket.key} is above {parent.key if parent else ''} already.", code="parent_cycle", field="parent"
            )
        ancestor, seen = ancestor.parent, seen + 1
    return parent


@transaction.atomic
def link_ticket(*, ticket: Ticket, url: str, by: User, kind: str = LinkKind.OTHER, title: str = "") -> TicketLink:
    """Where else it is spoken of; the same address twice updates its kind and title. Leaves `ticket.linked`.

    InvalidInput for anything but an http(s) address.
    """
    permissions.check_can_edit(by, ticket.tenant)
    url, title = url.strip(), title.strip()
    check_link(kind, url, title)
    ticket = lock(ticket)
    existing = ticket.links.filter(url=url).first()
    if existing is not None and (existing.kind, existing.title) == (kind, title):
        return existing
    if existing is None:
        _check_room(ticket.links.count(), "url")
    link, _ = TicketLink.objects.update_or_create(
        ticket=ticket, url=url, defaults={"kind": kind, "title": title}, create_defaults={
            "kind": kind, "title": title, "created_by": by,
        },
    )  # fmt: skip
    publish_about(ticket, "ticket.linked", by=by, data={"url": url, "kind": kind, "link_title": title})
    return link


@transaction.atomic
def unlink_ticket(*, ticket: Ticket, link: int, by: User) -> None:
    """Take a link away by its id; leaves `ticket.unlinked`. NotFound when the ticket has no such link."""
    permissions.check_can_edit(by, ticket.tenant)
    ticket = lock(ticket)
    found = ticket.links.filter(pk=link).first()
    if found is None or not found.delete()[0]:
        raise NotFound(f"{ticket.key} has no link {link}.")
    publish_about(ticket, "ticket.unlinked", by=by, data={"url": found.url, "kind": found.kind})


def _check_room(count: int, field: str) -> None:
    if count >= MAX_RELATED:
        raise InvalidInput({field: [f"A ticket has at most {MAX_RELATED} of these."]})
