"""What people do about notices, and what is held back for them: preferences, muting, leaving, digests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from accounts.models import Tenant, User
from core.clock import now
from core.errors import InvalidInput
from events.models import DomainEvent, HeldNotice, Mode, MutedSubject, NoticeChannel, NoticePreference, NoticeSettings
from events.notifiers.base import notice_kinds
from events.notifiers.digest import DIGEST, DIGEST_FACT
from events.preferences import modes_for
from events.services import publish
from events.types import Audience, Subject

SUBJECT_TYPE = "person"


@transaction.atomic
def set_preferences(
    *,
    modes: Mapping[str, str],
    slack: Mapping[str, str] | None = None,
    quiet_from: dt.time | None,
    quiet_until: dt.time | None,
    digest_at: dt.time,
    by: User,
) -> None:
    """Keep what `by` chose for themselves: `modes` for mails, `slack` for messages to them in Slack.

    InvalidInput for unknown kinds or modes, or half quiet hours.
    """
    errors: dict[str, list[str]] = {}
    chosen = [(NoticeChannel.EMAIL, modes), (NoticeChannel.SLACK, slack or {})]
    for channel, kinds in chosen:
        for kind, mode in kinds.items():
            if kind not in notice_kinds() or mode not in modes_for(kind):
                field = kind if channel == NoticeChannel.EMAIL else f"{channel.value}-{kind}"
                errors[field] = [f"Choose {', '.join(modes_for(kind))} for a kind of notice that exists."]
    if (quiet_from is None) != (quiet_until is None):
        missing = "quiet_from" if quiet_from is None else "quiet_until"
        errors[missing] = ["Say both when quiet hours begin and when they end, or neither."]
    if errors:
        raise InvalidInput(errors)
    for channel, kinds in chosen:
        for kind, mode in kinds.items():
            _choose(by, kind, mode, channel)
    NoticeSettings.objects.update_or_create(
        user=by, defaults={"quiet_from": quiet_from, "quiet_until": quiet_until, "digest_at": digest_at}
    )


def _choose(user: User, kind: str, mode: str, channel: NoticeChannel) -> None:
    NoticePreference.objects.update_or_create(user=user, kind=kind, channel=channel, defaults={"mode": mode})


def mute(*, subject_type: str, subject_id: str, tenant: Tenant | None, by: User) -> None:
    """Hear no more of one thing of `tenant` (None: of whichever); muting twice changes nothing."""
    MutedSubject.objects.get_or_create(user=by, subject_type=subject_type, subject_id=subject_id, tenant=tenant)


def unmute(*, subject_type: str, subject_id: str, tenant: Tenant | None, by: User) -> None:
    """Hear of it again; without `tenant` of those of every tenant."""
    muted = MutedSubject.objects.filter(user=by, subject_type=subject_type, subject_id=subject_id)
    if tenant is not None:
        muted = muted.filter(Q(tenant=tenant) | Q(tenant=None))
    muted.delete()


def unsubscribe(*, user: User, kind: str) -> None:
    """Never mail this kind again; held-back notices of someone who leaves the digest are dropped with it."""
    _choose(user, kind, Mode.NEVER, NoticeChannel.EMAIL)
    if kind == DIGEST:
        user.held_notices.filter(channel=NoticeChannel.EMAIL).delete()


def due_digests(limit: int = 500) -> list[tuple[User, NoticeChannel]]:
    """Whose held-back notices should go out now, and on which channel."""
    held = HeldNotice.objects.filter(due_at__lte=now()).order_by("user_id", "channel").distinct("user_id", "channel")
    return [(notice.user, NoticeChannel(notice.channel)) for notice in held.select_related("user")[:limit]]


@transaction.atomic
def compile_digest(*, user: User, channel: NoticeChannel = NoticeChannel.EMAIL) -> DomainEvent | None:
    """Turn what is due for `user` there into one fact that the message is made of; None when another sweep was faster."""
    due = HeldNotice.objects.filter(user=user, channel=channel, due_at__lte=now())
    sequences = {notice.pk: notice.fact_id for notice in due.select_for_update(skip_locked=True)}
    if not sequences:
        return None
    HeldNotice.objects.filter(pk__in=sequences).delete()
    return publish(
        type=DIGEST_FACT,
        subject=Subject(SUBJECT_TYPE, str(user.public_id), user.email),
        tenant=None,
        by=None,
        data={"facts": sorted(sequences.values()), "channel": channel.value},
        audience=Audience(users=(user.pk,)),
    )
