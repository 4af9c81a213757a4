"""Which tickets a text names: keys of this tenant's projects, found by each project's pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from django.db.models import Q
from django.db.models.functions import Upper

from events.cdevents.mentions import Mentions
from tickets.models import Project, Ticket

# A prefix and a number, that stand alone: no part of a longer word, of a version (CORE-7-12), of a number.
_KEY = re.compile(
    r"(?<![A-Za-z0-9_-])([A-Za-z][A-Za-z0-9_]{0,30})-(\d{1,9})(?![A-Za-z0-9_]|-\d+(?![A-Za-z0-9]))", re.ASCII
)
MAX_WORD = 200
MAX_CANDIDATES = 300


def find_mentions(tenant_id: int, texts: Sequence[str]) -> list[Mentions]:
    """For each text the keys of tickets that exist, and of those that do not but whose project does, as they come.

    Keys are found in any case and with or without leading zeros. A project with a `key_pattern` is named by that
    instead. Three queries, however many texts.
    """
    found = [_plain_keys(text) for text in texts]
    prefixes = {key.rpartition("-")[0] for keys in found for key in keys}
    projects = list(
        Project.objects.annotate(upper=Upper("prefix"))
        .filter(tenant_id=tenant_id)
        .filter(Q(upper__in=prefixes) | Q(settings__has_key="key_pattern"))
        .only("prefix", "settings")
    )
    own = [project for project in projects if project.setting("key_pattern")]
    for keys, text in zip(found, texts, strict=True):
        keys += [key for project in own for key in _own_keys(project, text)]
    known = _existing(tenant_id, {spelling for keys in found for key in keys for spelling in _spellings(key)})
    named = {project.prefix.upper(): project.pk for project in projects}
    return [_mentions(keys, text, known, named, own) for keys, text in zip(found, texts, strict=True)]


def _mentions(
    keys: list[str], text: str, known: dict[str, tuple[str, int]], named: dict[str, int], own: Sequence[Project]
) -> Mentions:
    """What `keys` mean; those of a project with a pattern of its own count only where that finds them."""
    strict = {project.pk: set(_own_keys(project, text)) for project in own}
    tickets: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for key in keys:
        ticket = next((known[spelling] for spelling in _spellings(key) if spelling in known), None)
        project = ticket[1] if ticket else named.get(key.rpartition("-")[0])
        if project is None or (project in strict and key not in strict[project]):
            continue
        if ticket is not None:
            tickets[ticket[0]] = None
        else:
            unknown[key] = None
    return Mentions(tuple(tickets), tuple(unknown))


def _plain_keys(text: str) -> list[str]:
    found = (f"{match[1]}-{match[2]}".upper() for match in _KEY.finditer(text))
    return list(dict.fromkeys(found))[:MAX_CANDIDATES]


def _spellings(key: str) -> tuple[str, ...]:
    """As written, and as our own keys are made: three digits at least."""
    prefix, _, number = key.rpartition("-")
    return (key, f"{prefix}-{int(number):03d}", f"{prefix}-{int(number)}")


def _own_keys(project: Project, text: str) -> Iterator[str]:
    """What the project's own pattern finds, word by word; a bare number gets the project's prefix."""
    pattern = _compiled(project.setting("key_pattern"))
    for word in text.split():
        for match in pattern.finditer(word[:MAX_WORD]):
            key = (match[1] if pattern.groups and match[1] else match[0]).upper()
            key = f"{project.prefix.upper()}-{key}" if key.isdigit() else key
            if _KEY.fullmatch(key):
                yield key


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


def _existing(tenant_id: int, keys: set[str]) -> dict[str, tuple[str, int]]:
    """The tickets with these keys, as they are spelled, each with its project."""
    if not keys:
        return {}
    tickets = Ticket.objects.annotate(upper=Upper("key")).filter(tenant_id=tenant_id, upper__in=keys)
    return {upper: (key, project) for upper, key, project in tickets.values_list("upper", "key", "project_id")}
