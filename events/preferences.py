"""Reads of what a person wants to hear: at once, in a digest or never; quiet hours; muted things."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Exists, OuterRef, Q

from accounts.models import Tenant, User
from core.clock import now
from core.errors import Conflict, NotFound
from events.models import DomainEvent, HeldNotice, Mode, MutedSubject, NoticeChannel, NoticePreference, NoticeSettings
from events.notifiers.base import notice_kinds
from events.notifiers.digest import DIGEST

_SALT = "events.unsubscribe"
MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a person is told of a fact: now, at a later time, or not at all for a reason."""

    hold_until: dt.datetime | None = None
    skip: str = ""


@dataclass(frozen=True, slots=True)
class Reader:
    """A person as a channel needs to know them: what they chose there, and which things they muted."""

    user: User
    channel: NoticeChannel
    modes: Mapping[str, str]
    muted: Collection[tuple[str, str, int | None]]

    def judge(self, fact: DomainEvent, kind: str) -> Verdict:
        """What the preferences say about a notice of this kind at this moment."""
        mode = self.modes.get(kind, default_mode(self.channel, kind))
        if mode == Mode.NEVER:
            return Verdict(skip="does not want this kind")
        if any((fact.subject_type, fact.subject_id, tenant) in self.muted for tenant in (fact.tenant_id, None)):
            return Verdict(skip="muted it")
        if kind == DIGEST:  # it has waited already
            return Verdict()
        settings = getattr(self.user, "notice_settings", None) or NoticeSettings(user=self.user)
        if mode == Mode.DIGEST:
            return Verdict(hold_until=next_digest(settings, zone_of(self.user), now()))
        return Verdict(hold_until=end_of_quiet(settings, zone_of(self.user), now()))


def find_readers(users: Iterable[User], channel: NoticeChannel, facts: Collection[DomainEvent]) -> dict[int, Reader]:
    """By key of the account: what each of them chose on the channel and muted of what the facts are about; two queries.

    Load `notice_settings` with the users.
    """
    people = {user.pk: user for user in users}
    modes: dict[int, dict[str, str]] = {}
    rows = NoticePreference.objects.filter(user__in=people, channel=channel).values_list("user", "kind", "mode")
    for user, kind, mode in rows.order_by():
        modes.setdefault(user, {})[kind] = mode
    muted: dict[int, set[tuple[str, str, int | None]]] = {}
    things = MutedSubject.objects.filter(user__in=people, subject_id__in={fact.subject_id for fact in facts})
    for user, kind, thing, tenant in things.order_by().values_list("user", "subject_type", "subject_id", "tenant"):
        muted.setdefault(user, set()).add((kind, thing, tenant))
    return {pk: Reader(user, channel, modes.get(pk, {}), muted.get(pk, ())) for pk, user in people.items()}


def hold(user: User, fact: DomainEvent, until: dt.datetime, channel: NoticeChannel) -> dict[str, Any]:
    """Keep it for the person's digest on this channel; the receipt."""
    HeldNotice.objects.get_or_create(user=user, fact=fact, channel=channel, defaults={"due_at": until})
    return {"held_until": until.isoformat()}


def default_mode(channel: NoticeChannel, kind: str) -> Mode:
    """What holds where nothing was chosen; whoever asked for a digest somewhere gets it there."""
    return Mode.NOW if kind == DIGEST else channel.default


def modes_for(kind: str) -> list[str]:
    """What may be chosen for a kind; a digest cannot wait for itself."""
    return [mode for mode in Mode.values if kind != DIGEST or mode != Mode.DIGEST]


def settings_of(user: User) -> NoticeSettings:
    """The person's settings; unsaved defaults when none were made."""
    return NoticeSettings.objects.filter(user=user).first() or NoticeSettings(user=user)


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(user.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # typed in by staff
        return zoneinfo.ZoneInfo("UTC")


def end_of_quiet(settings: NoticeSettings, zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> dt.datetime | None:
    """When the quiet hours that `moment` lies in end; None outside of them."""
    begin, end = settings.quiet_from, settings.quiet_until
    if begin is None or end is None or begin == end:
        return None
    local = moment.astimezone(zone)
    time = local.time()
    inside = begin <= time < end if begin < end else time >= begin or time < end
    return _next(end, local) if inside else None


def next_digest(settings: NoticeSettings, zone: zoneinfo.ZoneInfo, moment: dt.datetime) -> dt.datetime:
    """The next time for a digest that does not fall into the quiet hours."""
    due = _next(settings.digest_at, moment.astimezone(zone))
    return end_of_quiet(settings, zone, due) or due


def _next(time: dt.time, local: dt.datetime) -> dt.datetime:
    """The next moment after `local` at which its clock shows `time`, in UTC."""
    for days in (0, 1):
        candidate = dt.datetime.combine(local.date() + dt.timedelta(days=days), time, local.tzinfo)
        if candidate.astimezone(dt.UTC) > local.astimezone(dt.UTC):
            return candidate.astimezone(dt.UTC)
    raise AssertionError("tomorrow is always later than now")


def muting(user: User, subject_type: str, id_column: str) -> Exists:
    """Whether `user` muted the thing of each row, for a query about these things."""
    return Exists(MutedSubject.objects.filter(user=user, subject_type=subject_type, subject_id=OuterRef(id_column)))


def is_muted(user: User, subject_type: str, subject_id: str, tenant: int | None = None) -> bool:
    """Whether `user` muted the thing of that tenant; without a tenant, that of any."""
    muted = MutedSubject.objects.filter(user=user, subject_type=subject_type, subject_id=subject_id)
    return (muted.filter(Q(tenant=tenant) | Q(tenant=None)) if tenant else muted).exists()


def tenant_of_thing(user: User, subject_type: str, subject_id: str, slug: str = "") -> Tenant | None:
    """Whose thing `user` means, by what happened to it as far as `user` may know; None: nothing is known of it.

    Conflict (ambiguous_key) when several tenants have it and `slug` names none, NotFound when it is not that tenant's.
    """
    seen = DomainEvent.objects.visible_to(user).about(subject_type, subject_id).order_by()
    found = {tenant.slug: tenant for tenant in Tenant.objects.filter(pk__in=seen.values("tenant"))}
    if slug and slug not in found:
        raise NotFound(f"There is no {subject_type} {subject_id[:40]} of {slug[:40]} that you may see.")
    if not slug and len(found) > 1:
        raise Conflict(
            f"Several tenants have a {subject_type} {subject_id[:40]}: {', '.join(sorted(found))}. Name the tenant.",
            code="ambiguous_key",
            field="tenant",
            details={"tenants": sorted(found)},
        )
    return found[slug] if slug else next(iter(found.values()), None)


def unsubscribe_token(user: User, kind: str, subject: tuple[str, str] = ("", ""), tenant: int | None = None) -> str:
    """Lets whoever holds the mail leave this kind of notice or mute the thing that it is about, and do nothing else."""
    return signing.dumps([str(user.public_id), kind, *subject, tenant], salt=_SALT)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Whom a link in a mail is about, which kind of notice, and which thing."""

    user: User
    kind: str
    subject_type: str = ""
    subject_id: str = ""
    tenant_id: int | None = None  # mails of long ago did not say


def read_unsubscribe_token(token: str) -> Leaving:
    """What the token says; NotFound for a made-up one or a closed account."""
    try:
        public_id, kind, *subject = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        public_id, kind, subject = None, "", []
    user = User.objects.filter(public_id=public_id, is_active=True).first() if public_id else None
    if user is None or kind not in notice_kinds():
        raise NotFound("This link is not valid any more. Change what you hear of on your profile.")
    return Leaving(user, kind, *subject)


def muted_things(user: User) -> list[MutedSubject]:
    """What the person does not want to hear of, the last one first."""
    return list(
        MutedSubject.objects.filter(user=user).select_related("tenant").order_by("-created_at", "-pk")[:MOST_LISTED]
    )
