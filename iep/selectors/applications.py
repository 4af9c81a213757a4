"""Applications, their releases, and the stamps of tickets on them."""

from __future__ import annotations

from django.db.models import Count, QuerySet

from accounts.models import User
from core.errors import InvalidInput, NotFound
from events.models import DomainEvent
from iep.models import Application, Judgement, Release, Stamp
from iep.states import OPEN, Stage

FILTERS: dict[str, tuple[str, ...]] = {stage.value: (stage,) for stage in Stage} | {"open": OPEN, "all": tuple(Stage)}
_STAMP = ("application__tenant", "application__project", "ticket__project", "ticket__tenant", "author")


def list_applications(user: User) -> QuerySet[Application]:
    """Those that `user` may see, by name, with `module_count`."""
    found = Application.objects.visible_to(user).select_related("tenant", "project")
    return found.annotate(module_count=Count("modules")).order_by("slug")


def find_application(user: User, slug: str) -> Application:
    """NotFound says the same for none and for hidden ones."""
    found = Application.objects.visible_to(user).select_related("tenant", "project").filter(slug=slug[:40]).first()
    if found is None:
        raise NotFound(f"There is no application {slug[:40]!r} that you may see.")
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
