"""The digest: one notice of many facts that a person did not want at once."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from accounts.models import User
from events.models import DomainEvent
from events.notifiers.base import Told, Words, notice_about

DIGEST = "digest"
DIGEST_FACT = "notices.digested"
LISTED = 100


def is_digest_elsewhere(fact: DomainEvent, channel: str) -> bool:
    """Whether the fact is a digest of what another channel has held back."""
    return fact.type == DIGEST_FACT and fact.data.get("channel", channel) != channel


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One line of a digest."""

    subject: str
    url: str
    fact: DomainEvent


@dataclass(frozen=True, slots=True)
class DigestNotice:
    """The kind of notice that tells of many facts at once."""

    name: str = DIGEST
    fact: str = DIGEST_FACT
    label: str = "Digests of what I did not want at once"
    optional: bool = True

    def told(self, fact: DomainEvent) -> Told:
        return Told(User.objects.filter(public_id=fact.subject_id, is_active=True))

    def words(self, fact: DomainEvent) -> Words:
        items = self._items(fact)
        count = len(items)
        subject = items[0].subject if count == 1 else f"{count} things happened while you were away"
        context = {"items": items[:LISTED], "more": max(0, count - LISTED)}
        return Words(subject, f"{settings.SITE_URL}/", context)

    def still_matters(self, fact: DomainEvent) -> bool:
        return bool(self._items(fact))

    def _items(self, fact: DomainEvent) -> list[DigestItem]:
        """One line for each fact that the person may still see and that still matters."""
        user = User.objects.get(public_id=fact.subject_id)
        items = []
        for told in DomainEvent.objects.visible_to(user).filter(sequence__in=fact.data["facts"]).order_by("sequence"):
            kind = notice_about(told)
            if kind is not None and kind.still_matters(told):
                words = kind.words(told)
                items.append(DigestItem(words.subject, words.url, told))
        return items


NOTICES = (DigestNotice(),)
