"""What staff do with connections: make, change, and see whether they work."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from accounts.models import User
from accounts.roles import Capability
from core.errors import DomainError, InvalidInput, NotAllowed
from events.connections.github import GitHub
from events.connections.jira import Jira
from events.endpoints.guard import Forbidden, check_url
from events.endpoints.secrets import seal
from events.models import Connection, ConnectionKind, SourceKind
from events.services import publish
from events.types import Audience, DeliveryFailed, Subject

SUBJECT_TYPE = "connection"
_AUDIENCE = Audience(Capability.DECIDE_PROMOTION)


class Unanswered(DomainError):
    """The system outside did not take the call."""

    status = 502
    code = "unanswered"
    title = "The other system refused"


def names_of(recipients: Collection[str]) -> dict[str, str]:
    """How people know connections, by the keys that deliveries have."""
    found = Connection.objects.filter(pk__in=[pk for pk in recipients if pk.isdigit()])
    return {str(each.pk): each.name for each in found}


def check_can_change(by: User) -> None:
    if not by.has_perm("events.change_connection"):
        raise NotAllowed("You may not change connections. Ask an administrator.", code="not_authorized")


@transaction.atomic
def save_connection(*, connection: Connection, by: User, secret: str = "") -> Connection:
    """Make or change it; an empty `secret` leaves the one that it has. Leaves `connection.created` or `.changed`.

    InvalidInput for an address that cannot be called, or a webhook of another tenant or kind.
    """
    check_can_change(by)
    _check(connection, secret)
    made = connection.pk is None
    if secret:
        connection.secret = seal(secret.strip())
    if secret or not made:
        connection.account = ""  # asked anew: it may be another one now
    connection.save()
    publish(
        type=f"connection.{'created' if made else 'changed'}",
        subject=Subject(SUBJECT_TYPE, str(connection.pk), str(connection)),
        tenant=connection.tenant,
        by=by,
        data={
            "kind": connection.kind, "url": connection.url, "user": connection.user, "active": connection.active,
            "secret_changed": bool(secret),
        },
        audience=_AUDIENCE,
    )  # fmt: skip
    return connection


def _check(connection: Connection, secret: str) -> None:
    errors: dict[str, list[str]] = {}
    try:
        check_url(connection.url)
    except Forbidden as error:
        errors["url"] = [str(error).replace("Webhooks go to", "Connections go to")]
    if not secret and not connection.secret:
        errors["new_secret"] = ["Enter the API token."]
    source = connection.source
    if source is not None and (source.tenant_id, source.kind) != (connection.tenant_id, connection.kind):
        errors["source"] = [f"Choose a source of {SourceKind(connection.kind).label} and of the same tenant."]
    if errors:
        raise InvalidInput(errors)


def check_connection(*, connection: Connection, by: User) -> str:
    """Ask the system who we are there; the account. Unanswered says what it said instead."""
    check_can_change(by)
    connection.account = ""
    try:
        with Jira(connection) if connection.kind == ConnectionKind.JIRA else GitHub(connection) as system:
            account = system.know_ourselves()
    except DeliveryFailed as error:
        raise Unanswered(str(error)) from error
    Connection.objects.filter(pk=connection.pk).update(account=account)
    return account
