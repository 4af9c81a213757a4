"""The facts that applications and stamps leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from accounts.roles import Capability
from core.sql import Statement
from events.services import append_after, compose
from events.types import Audience, Subject
from iep.models import Application, Stamp

STAMP, APPLICATION = "stamp", "application"
_AUDIENCE = Audience(Capability.VIEW_APPLICATIONS)


def subject_id(stamp: Stamp) -> str:
    return f"{stamp.application.slug}/{stamp.ticket.key}"


Rows = list[list[tuple[Any, ...]]]


def publish_about(
    stamp: Stamp,
    fact: str,
    *,
    by: User | None,
    data: dict[str, Any] | None = None,
    after: Sequence[Statement] = (),
    last: bool = False,
) -> Rows:
    """The fact of a step, with what the stamp is like after it. Its application, ticket and tenant must be loaded.

    The statements that it comes after are sent in its round trip, and the COMMIT if it is the `last`; their rows.
    """
    standing = {
        "application": stamp.application.slug,
        "ticket": stamp.ticket.key,
        "stage": stamp.stage,
        "revision": stamp.revision,
        "production_revision": stamp.application.revision,
    }
    label = f"{stamp.ticket.key} on {stamp.application.name}"
    composed = compose(
        type=fact,
        subject=Subject(STAMP, subject_id(stamp), label),
        tenant=stamp.application.tenant,
        by=by,
        data=standing | (data or {}),
        audience=_AUDIENCE,
    )
    return append_after(composed, after, last=last)


def publish_about_application(
    application: Application,
    fact: str,
    *,
    by: User | None,
    data: dict[str, Any] | None = None,
    after: Sequence[Statement] = (),
) -> Rows:
    """The fact of what became of an application, after these statements; their rows."""
    composed = compose(
        type=fact,
        subject=Subject(APPLICATION, application.slug, application.name),
        tenant=application.tenant,
        by=by,
        data={"application": application.slug, "production_revision": application.revision} | (data or {}),
        audience=_AUDIENCE,
    )
    return append_after(composed, after)
