"""Any course of steps of several tickets ends in the database as a plain model of it says."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import DomainError
from iep.maps import apply_delta
from iep.models import Application, Blob, Change, Stamp
from iep.services import (
    promote_stamp,
    rebase_stamp,
    release_stamp,
    reopen_stamp,
    revert_stamp,
    stamp_ticket,
    take_back_release,
    ticket_for,
)
from iep.services.change import load
from iep.types import File, Manifest
from tests.iep.conftest import production

PATHS = ["src/cart.js", "src/one.js"]
CONTENTS = {letter: letter * 64 for letter in "ab"}
saves = st.tuples(st.just("save"), st.sampled_from(PATHS), st.sampled_from([*CONTENTS.values(), None]))
verbs = st.tuples(
    st.sampled_from(["promote", "release", "take_back", "revert", "reopen", "mine", "mine", "theirs", "theirs"])
)
numbers = st.integers(1, 2)
single = st.tuples(numbers, st.one_of(saves, verbs)).map(lambda step: [step])
# Saved, promoted and released in a row, so that courses come to where tickets meet.
shipped = st.tuples(numbers, saves).map(lambda step: [step, (step[0], ("promote",)), (step[0], ("release",))])
courses = st.lists(st.one_of(single, shipped), min_size=4, max_size=12).map(lambda parts: list(chain(*parts)))


def crossing(end: str) -> list[tuple[int, tuple[str | None, ...]]]:
    """Two tickets on one file: the second is released first, then the first goes on with `end`."""
    one, two = CONTENTS.values()
    first, second = (1, ("save", PATHS[0], one)), (2, ("save", PATHS[0], two))
    return [first, second, (2, ("promote",)), (2, ("release",)), (1, (end,)), (1, ("promote",)), (1, ("release",)),
            (2, ("take_back",)), (1, ("take_back",)), (2, ("take_back",))]  # fmt: skip


@dataclass
class Work:
    """A ticket: its stage, its own contents with what it started from, and what its release did."""

    stage: str = "dev"
    own: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    did: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass
class Model:
    live: dict[str, str]
    tickets: dict[int, Work] = field(default_factory=dict)
    revision: int = 1

    def step(self, number: int, verb: str, *more: str | None) -> bool:
        """Whether the step is allowed; then it is done."""
        if verb == "save":
            work = self.tickets.setdefault(number, Work())
            return work.stage == "dev" and self._save(work, *more)
        work = self.tickets.get(number)
        return work is not None and getattr(self, f"_{verb}")(work)

    def _save(self, work: Work, path: str, content: str | None) -> bool:
        there = self.live.get(path)
        if path in work.own and work.own[path][0] == content:
            return True
        base = work.own[path][1] if path in work.own else there
        work.own.pop(path, None)
        if content != there:
            work.own[path] = (content, base)
        return True

    def _clashes(self, work: Work) -> set[str]:
        return {path for path, entry in work.own.items() if self.live.get(path) not in entry}

    def _promote(self, work: Work) -> bool:
        if work.stage == "qa":
            return self._release(work)
        allowed = work.stage == "dev" and bool(work.own) and not self._clashes(work)
        work.stage = "qa" if allowed else work.stage
        return allowed

    def _release(self, work: Work) -> bool:
        if work.stage != "qa" or self._clashes(work):
            return False
        work.did = {
            path: (self.live.get(path), new) for path, (new, _) in work.own.items() if self.live.get(path) != new
        }
        self._put({path: new for path, (_, new) in work.did.items()})
        work.stage = "prod"
        return True

    def _take_back(self, work: Work) -> bool:
        if work.stage != "prod" or any(self.live.get(path) != new for path, (_, new) in work.did.items()):
            return False
        self._put({path: old for path, (old, _) in work.did.items()})
        work.stage = "qa"
        return True

    def _put(self, contents: dict[str, str | None]) -> None:
        self.revision += 1
        self.live |= {path: content for path, content in contents.items() if content}
        for path in [path for path, content in contents.items() if content is None]:
            self.live.pop(path, None)

    def _revert(self, work: Work) -> bool:
        if work.stage == "prod":
            return self._take_back(work)
        allowed = work.stage == "qa"
        work.stage = "dev" if allowed else work.stage
        return allowed

    def _reopen(self, work: Work) -> bool:
        allowed = work.stage == "prod"
        if allowed:
            work.stage, work.own = "dev", {}
        return allowed

    def _rebase(self, work: Work, dropped: set[str]) -> bool:
        if work.stage not in {"dev", "qa"}:
            return False
        work.own = {
            path: (new, self.live.get(path))
            for path, (new, _) in work.own.items()
            if path not in dropped and self.live.get(path) != new
        }
        return True

    def _mine(self, work: Work) -> bool:
        return self._rebase(work, set())

    def _theirs(self, work: Work) -> bool:
        return self._rebase(work, self._clashes(work))


def really(application, cpi, number: int, verb: str, *more: str | None) -> bool:
    """The same step by the services; whether they did it."""
    key = f"TKT-{number:03}"
    try:
        if verb == "save":
            path, content = more
            file = (File(path, content, 1),) if content else ()
            manifest = Manifest(files=file, removed=() if content else (path,))
            ticket = ticket_for(application=application, key=key, by=cpi)
            stamp_ticket(application=application, ticket=ticket, manifest=manifest, by=cpi)
            return True
        found = Stamp.objects.filter(application=application, ticket__key=key).first()
        if found is None:
            return False
        stamp = load(found)
        clashes = [
            path for path, e in stamp.delta.items() if production(application).get(path) not in (e["digest"], e["base"])
        ]
        {
            "promote": lambda: promote_stamp(stamp=stamp, by=cpi),
            "release": lambda: release_stamp(stamp=stamp, by=cpi),
            "take_back": lambda: take_back_release(stamp=stamp, by=cpi),
            "revert": lambda: revert_stamp(stamp=stamp, by=cpi),
            "reopen": lambda: reopen_stamp(stamp=stamp, by=cpi),
            "mine": lambda: rebase_stamp(stamp=stamp, by=cpi, mine=clashes),
            "theirs": lambda: rebase_stamp(stamp=stamp, by=cpi, theirs=clashes),
        }[verb]()
    except DomainError:
        return False
    return True


class TakenBack(Exception):
    """Ends an example without leaving anything."""


@pytest.mark.django_db
def test_courses_end_as_the_model_says(shop, cpi):
    Blob.objects.bulk_create(Blob(application=shop, digest=digest, size=1) for digest in CONTENTS.values())

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(course=courses)
    @example(course=crossing("mine"))
    @example(course=crossing("theirs"))
    @example(course=crossing("promote"))
    def run(course):
        with pytest.raises(TakenBack), transaction.atomic():
            model = Model(production(shop))
            for number, step in course:
                assert really(shop, cpi, number, *step) == model.step(number, *step), (number, step)
                assert production(shop) == model.live
                for other, work in model.tickets.items():
                    assert own(shop, other) == work.own, (other, course)
            compare(shop, model)
            raise TakenBack

    run()


def own(shop: Application, number: int) -> dict[str, tuple[str | None, str | None]]:
    delta = Stamp.objects.values_list("delta", flat=True).get(application=shop, ticket__key=f"TKT-{number:03}")
    return {path: (entry["digest"], entry["base"]) for path, entry in delta.items()}


def compare(shop: Application, model: Model) -> None:
    assert Application.objects.get(pk=shop.pk).revision == model.revision
    assert replayed(shop) == model.live
    for number, work in model.tickets.items():
        stamp = Stamp.objects.filter(application=shop, ticket__key=f"TKT-{number:03}").first()
        assert stamp is not None
        assert stamp.stage == work.stage
        shown = apply_delta(model.live, stamp.delta)
        wanted = model.live | {path: new for path, (new, _) in work.own.items() if new}
        for path in [path for path, (new, _) in work.own.items() if new is None]:
            wanted.pop(path, None)
        assert shown == wanted, "a preview is production of now with exactly the ticket's own contents"


def replayed(application: Application) -> dict[str, str]:
    files: dict[str, str] = {}
    for change in Change.objects.filter(application=application).order_by("revision"):
        files[change.path] = change.after
    return {path: digest for path, digest in files.items() if digest}
