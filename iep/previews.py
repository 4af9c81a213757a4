"""Previews: which ticket a visitor asks to see over production, and whether that is theirs to see."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.core.cache import cache

from accounts.models import User
from accounts.roles import Capability
from accounts.selectors import has_capability
from core.canonical import utc_text
from core.clock import now
from core.errors import WrongState
from iep import maps, permissions
from iep.maps import Files
from iep.models import Application, Stamp, StampRevision
from iep.selectors.conflicts import between
from iep.states import OPEN, Stage
from iep.types import Conflict, Delta
from iep.validation import TICKET_KEY
from iep.wire import preview_of
from tickets.models import Ticket

COOKIE_HOURS, ENTER_SECONDS = 8, 60
ANY = "preview"  # ?preview=TKT-001: in whatever open stage it is
MOST_TICKETS = 8
_LINK, _COOKIE, _ENTER = "iep.preview.link", "iep.preview.cookie", "iep.preview.enter"
_ONE = re.compile(rf"({TICKET_KEY.pattern})(?:@(?:rev)?([1-9][0-9]{{0,8}}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the address or the cookie asks for: a stage, and tickets in it, each at a revision or as it is now."""

    stage: str
    tickets: tuple[tuple[str, int | None], ...]

    @property
    def text(self) -> str:
        return ",".join(key + (f"@{pin}" if pin else "") for key, pin in self.tickets)


@dataclass(frozen=True, slots=True)
class Preview:
    """Production with the changes of some tickets over it, as a visitor may see it."""

    choice: Choice
    stamps: tuple[Stamp, ...]
    deltas: tuple[Delta, ...]
    files: Files
    conflicts: tuple[Conflict, ...] = ()

    @property
    def stage(self) -> str:
        """The stage it is in, that of the first ticket where several are shown."""
        return self.choice.stage if self.choice.stage != ANY else str(self.stamps[0].stage)

    @property
    def changed(self) -> list[str]:
        return sorted({path for delta in self.deltas for path in delta})


def read_choice(query: Mapping[str, str]) -> Choice | None:
    """What ?dev= or ?qa= asks for; None without them, or when they say nothing that could be a ticket."""
    for stage in (*OPEN, ANY):
        if query.get(stage):
            return _choice(stage, query[stage])
    return None


def choice_of_tickets(text: str) -> Choice | None:
    """These tickets, in whatever open stage each is."""
    return _choice(ANY, text)


def _choice(stage: str, text: str) -> Choice | None:
    parts = [_ONE.fullmatch(part.strip()) for part in text.split(",")][: MOST_TICKETS + 1]
    if not parts or len(parts) > MOST_TICKETS or not all(parts):
        return None
    found = tuple((part[1].upper(), int(part[2]) if part[2] else None) for part in parts if part)
    return Choice(str(stage), found)


def leaves(query: Mapping[str, str]) -> bool:
    """Whether ?dev= or ?qa= is there and empty: back to production."""
    return any(stage in query and not query[stage] for stage in OPEN)


def find_preview(
    application: Application, choice: Choice | None, *, user: User | None, link: str = ""
) -> Preview | None:
    """What the visitor may see of it; None for everything else alike: unknown, closed, another stage, no right."""
    if choice is None:
        return None
    keys = [key for key, _ in choice.tickets]
    found = {
        stamp.ticket.key.upper(): stamp
        for stamp in Stamp.objects.filter(
            application=application, ticket__key__in=keys, stage__in=OPEN if choice.stage == ANY else [choice.stage]
        ).select_related("application__tenant", "ticket__tenant")
    }
    if len(found) != len(set(keys)) or not _may_see(application, keys, user, link):
        return None
    return _lay_over(application, choice, [found[key] for key in keys])


def _may_see(application: Application, keys: Sequence[str], user: User | None, link: str) -> bool:
    if link and opened_by(link, application, keys):
        return True
    if user is None or not user.is_authenticated:
        return False
    if not has_capability(user, Capability.VIEW_APPLICATIONS, application.tenant_id):
        return False
    visible = Ticket.objects.visible_to(user).filter(tenant=application.tenant_id, key__in=keys)
    return visible.count() == len(set(keys))


def _lay_over(application: Application, choice: Choice, stamps: list[Stamp]) -> Preview | None:
    """Production's head with the deltas over it; a single ticket at a revision stands on the production of then."""
    deltas: list[Delta] = []
    base: int | None = None
    for stamp, (_, pin) in zip(stamps, choice.tickets, strict=True):
        if pin is None:
            deltas.append(stamp.delta)
            continue
        kept = StampRevision.objects.filter(stamp=stamp, number=pin).first()
        if kept is None:
            return None
        deltas.append(kept.delta)
        base = kept.production_revision if len(stamps) == 1 else None
    files: Files = maps.production_now(application)[1] if base is None else maps.production_at(application, base)
    for delta in deltas:
        files = maps.apply_delta(files, delta)
    return Preview(choice, tuple(stamps), tuple(deltas), files, tuple(between(stamps)))


# Links and cookies


def make_link(*, stamp: Stamp, by: User, hours: int) -> tuple[str, str]:
    """An address that opens this preview without an account, and until when.

    NotAllowed without the right to stamp; WrongState when there is nothing to preview. Ends early with the stage.
    """
    permissions.check_can_stamp(by, stamp.application)
    address = preview_of(stamp)
    if address is None:
        raise WrongState(f"{stamp.ticket.key} is in {stamp.stage}: there is no preview of it.")
    until = now() + dt.timedelta(hours=hours)
    content = {"app": stamp.application.slug, "ticket": stamp.ticket.key, "until": int(until.timestamp())}
    return f"{address}&key={signing.dumps(content, salt=_LINK, compress=True)}", utc_text(until.replace(microsecond=0))


def opened_by(link: str, application: Application, keys: Sequence[str]) -> bool:
    """Whether a signed link is for exactly this and still good."""
    content = _signed(link, _LINK)
    return content is not None and content.get("app") == application.slug and list(keys) == [content.get("ticket")]


def cookie_of(application: Application, choice: Choice, user: User | None, link: str) -> str:
    """What carries a choice over navigation: signed, for this account or by this link, and only for some hours."""
    until = int((now() + dt.timedelta(hours=COOKIE_HOURS)).timestamp())
    content: dict[str, Any] = {"app": application.slug, "stage": choice.stage, "tickets": choice.text, "until": until}
    content |= {"link": link} if link else {"user": user.pk if user else 0}
    return signing.dumps(content, salt=_COOKIE, compress=True)


def ticket_of_entry(cookie: str) -> str:
    """What lets a browser in at a preview's own host: within a minute, once, with what the cookie there will hold."""
    until = int((now() + dt.timedelta(seconds=ENTER_SECONDS)).timestamp())
    return signing.dumps({"cookie": cookie, "until": until, "nonce": secrets.token_hex(8)}, salt=_ENTER, compress=True)


def cookie_of_entry(text: str) -> str:
    """The cookie that such an entry stands for; empty when it is forged, late, or was used."""
    content = _signed(text, _ENTER)
    if content is None or not cache.add(f"iep-enter-{content['nonce']}", 1, ENTER_SECONDS * 2):
        return ""
    return str(content["cookie"])


def visitor_of_cookie(text: str) -> User | None:
    """Whose cookie it is: on a preview's own host, where nobody is logged in."""
    content = _signed(text, _COOKIE)
    user = content.get("user") if content else None
    return User.objects.filter(pk=user, is_active=True).first() if user else None


def choice_of_cookie(text: str, application: Application, user: User | None) -> tuple[Choice | None, str]:
    """What a cookie asks for, and the link behind it; nothing for a forged or old one, or another account's."""
    content = _signed(text, _COOKIE)
    if content is None or content.get("app") != application.slug:
        return None, ""
    link = str(content.get("link", ""))
    if not link and (user is None or content.get("user") != user.pk):
        return None, ""
    return _choice(str(content["stage"]), str(content["tickets"])), link


def _signed(text: str, salt: str) -> dict[str, Any] | None:
    if not text or len(text) > 4000:
        return None
    try:
        content = signing.loads(text, salt=salt)
    except signing.BadSignature:
        return None
    fine = isinstance(content, dict) and int(content.get("until", 0)) > now().timestamp()
    return content if fine else None


def is_waiting(stamp: Stamp) -> bool:
    return stamp.stage == Stage.QA and bool(stamp.sign_off)
