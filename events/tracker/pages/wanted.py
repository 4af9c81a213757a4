"""What the pages of events are narrowed to, as their addresses say it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import urlencode

from django.http import QueryDict

from accounts.models import Tenant, User
from accounts.roles import Capability
from events.tracker import vocabulary as words
from events.tracker.rights import open_tenants
from events.tracker.search import Criteria

FACETS: dict[str, type[IntEnum]] = {
    "type": words.Type,
    "status": words.Status,
    "environment": words.Environment,
    "priority": words.Priority,
}
TEXTS = ("service", "owner", "source", "ticket")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; every part is optional and comes from the address."""

    text: str = ""
    numbers: Mapping[str, int] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    tenant: str = ""
    since: dt.date | None = None
    until: dt.date | None = None

    @classmethod
    def of(cls, query: QueryDict) -> Wanted:
        """What cannot be is left out, so that an old or mistyped address still shows something."""

        def clean(name: str) -> str:
            return query.get(name, "").replace("\x00", "").strip()[:200]

        numbers = {name: number for name, known in FACETS.items() if (number := _number(clean(name), known))}
        return cls(
            text=clean("q"),
            numbers=numbers,
            texts={name: value for name in TEXTS if (value := clean(name))},
            tenant=clean("tenant"),
            since=read_day(clean("since")),
            until=read_day(clean("until")),
        )

    @property
    def narrows(self) -> bool:
        return any((self.text, self.numbers, self.texts, self.tenant, self.since, self.until))

    @property
    def words(self) -> dict[str, str]:
        """The chosen words of the facets, as the address has them."""
        return {name: FACETS[name](number).name for name, number in self.numbers.items()}

    def criteria(self, user: User) -> Criteria:
        """For the search, in the tenants that `user` may look into."""
        return Criteria(
            tenants=tenants_to_look_in(user, self.tenant),
            exact={**self.numbers, **self.texts},
            text=self.text,
            since=_midnight(self.since) if self.since else None,
            until=_midnight(self.until) + dt.timedelta(days=1, microseconds=-1) if self.until else None,
        )

    def query(self, *, dates: bool = False, **changes: str | None) -> str:
        """The address' part behind the question mark, with changes; without `dates` for views that have their own."""
        parts: dict[str, str | None] = {"q": self.text, **self.words, **self.texts, "tenant": self.tenant}
        if dates:
            parts |= {name: day.isoformat() for name in ("since", "until") if (day := getattr(self, name))}
        return urlencode({name: value for name, value in (parts | changes).items() if value})


def tenants_to_look_in(user: User, slug: str = "") -> list[int]:
    """The tenants (by number) where `user` may see events; only the named one if it is among them."""
    tenants = open_tenants(user, Capability.VIEW_EVENTS)
    if not slug:
        return tenants
    return list(Tenant.objects.filter(pk__in=tenants, slug=slug).values_list("pk", flat=True))


def read_day(text: str) -> dt.date | None:
    """The day that an address names, None for none or for one that cannot be."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1970 < day.year < 9000 else None


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), dt.UTC)


def _number(text: str, known: type[IntEnum]) -> int:
    """A word of the vocabulary, in any case, or its number; 0 for what is neither."""
    for word in known:
        if word and text.lower() in (word.name.lower(), str(word.value)):
            return word.value
    return 0
