"""Applications, their releases, and the stamps of tickets on them."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet

from accounts.models import Tenant, User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.errors import InvalidInput, NotFound
from core.rows import build, columns, width
from core.sql import run
from events.models import DomainEvent
from iep.models import Application, Judgement, Release, SignedManifest, SigningKey, Stamp
from iep.states import OPEN, Stage
from tickets.models import Project, Ticket
from tickets.services.change import read_ticket

FILTERS: dict[str, tuple[str, ...]] = {stage.value: (stage,) for stage in Stage} | {"open": OPEN, "all": tuple(Stage)}
_APPLICATION = f"""
SELECT {columns(Application, "application")}, {columns(Tenant, "tenant")}
FROM iep_application application JOIN accounts_tenant tenant ON tenant.id = application.tenant_id
WHERE application.slug = %s
"""  # noqa: S608 (our own columns)
_WITH_TICKET = f"""
SELECT {columns(Application, "application")}, {columns(Tenant, "tenant")},
    {columns(Ticket, "ticket")}, {columns(Project, "project")}
FROM iep_application application JOIN accounts_tenant tenant ON tenant.id = application.tenant_id
LEFT JOIN tickets_ticket ticket ON ticket.tenant_id = application.tenant_id AND UPPER(ticket.key) = UPPER(%s)
LEFT JOIN tickets_project project ON project.id = ticket.project_id
WHERE application.slug = %s
"""  # noqa: S608 (our own columns)
_WIDTH = width(Application) + width(Tenant)
_STAMP = ("application__tenant", "application__project", "ticket__project", "ticket__tenant", "author")


def list_applications(user: User) -> QuerySet[Application]:
    """Those that `user` may see, by name, with `module_count`."""
    found = Application.objects.visible_to(user).select_related("tenant", "project")
    return found.annotate(module_count=Count("modules")).order_by("slug")


def find_application(user: User, slug: str) -> Application:
    """NotFound says the same for none and for hidden ones."""
    return _visible(user, slug, run(_APPLICATION, [_asked(slug)]))


def find_with_ticket(user: User, slug: str, key: str) -> tuple[Application, Ticket | None]:
    """As find_application, with its tenant's ticket with this key, in any case, if there is one that `user` may see."""
    rows = run(_WITH_TICKET, [_asked(key), _asked(slug)])
    found = _visible(user, slug, rows)
    ticket = rows[0][_WIDTH:]
    if ticket[0] is None or not has_capability(user, Capability.VIEW_TICKETS, found.tenant_id):
        return found, None
    return found, read_ticket(ticket, found.tenant)


def _asked(text: str) -> str:
    return text[:40].replace("\x00", "")


def _visible(user: User, slug: str, rows: list[tuple[Any, ...]]) -> Application:
    found = build(Application, rows[0][: width(Application)]) if rows else None
    if found is None or not has_capability(user, Capability.VIEW_APPLICATIONS, found.tenant_id):
        raise NotFound(f"There is no application {slug[:40]!r} that you may see.")
    found.tenant = build(Tenant, rows[0][width(Application) : _WIDTH])
    return found


def open_counts(applications: list[Application]) -> dict[int, dict[str, int]]:
    """Of each application, how many stamps are in each open stage; one query."""
    counts: dict[int, dict[str, int]] = {application.pk: dict.fromkeys(OPEN, 0) for application in applications}
    rows = Stamp.objects.filter(application__in=counts, stage__in=OPEN).order_by().values_list("application", "stage")
    for application, stage, number in rows.annotate(number=Count("pk")):
        counts[application][stage] = number
    return counts


def list_stamps(application: Application, stage: str = "open") -> QuerySet[Stamp]:
    """The application's stamps in a stage, `open` ones (dev and QA) or `all`, the last changed first."""
    if stage not in FILTERS:
        raise InvalidInput({"stage": [f"Choose one of: {', '.join(FILTERS)}."]})
    found = Stamp.objects.filter(application=application, stage__in=FILTERS[stage])
    return found.select_related(*_STAMP).order_by("-updated_at", "-pk")


def find_stamp(application: Application, key: str) -> Stamp:
    """The stamp of the ticket with this key, in any case; NotFound when it was never stamped here."""
    found = (
        Stamp.objects.select_related(*_STAMP)
        .filter(application=application, ticket__key__iexact=key.replace("\x00", "")[:100])
        .first()
    )
    if found is None:
        raise NotFound(f"{key[:40]} was never stamped on {application.slug}. Stamp a file first.")
    return found


def last_judgement(stamp: Stamp) -> Judgement | None:
    """What the policies said last when the stamp was to go on; None when none was asked."""
    return Judgement.objects.filter(stamp=stamp).select_related("by").first()


def list_releases(application: Application) -> QuerySet[Release]:
    """Production's revisions, the newest first, with who, what for and which paths."""
    found = Release.objects.filter(application=application).select_related("stamp__ticket", "by", "undoes")
    return found.prefetch_related("changes").order_by("-revision")


def stamp_history(user: User, stamp: Stamp) -> QuerySet[DomainEvent]:
    """The facts about the stamp that `user` may know of, oldest first."""
    subject = f"{stamp.application.slug}/{stamp.ticket.key}"
    facts = DomainEvent.objects.visible_to(user).about("stamp", subject)
    return facts.filter(tenant_id=stamp.application.tenant_id).order_by("sequence")


def list_signing_keys(application: Application) -> QuerySet[SigningKey]:
    """The keys that the application trusts, and those it trusted."""
    return SigningKey.objects.filter(application=application).select_related("created_by")


def find_signing_key(application: Application, key: int) -> SigningKey:
    """NotFound for a key of another application, and for none."""
    found = list_signing_keys(application).filter(pk=key).first() if key < 2**63 else None
    if found is None:
        raise NotFound("The application has no key with this number.")
    found.application = application
    return found


def list_signed_manifests(application: Application) -> QuerySet[SignedManifest]:
    """What build servers signed for it, the newest first."""
    return SignedManifest.objects.filter(application=application).select_related("key")
