"""The demo's shop: what it seeds is complete, and seeding again changes nothing."""

from __future__ import annotations

import json
import re

import pytest

from accounts.demo import seed_people
from events.models import DomainEvent
from iep.demo import HERE, seed_shop, sources
from iep.models import Application, Release, Stamp
from iep.validation import fault_of_path

IMPORT = re.compile(r"""(?:from|import\(|^import)\s*["']([^"']+)["']""", re.MULTILINE)


@pytest.fixture
def seeded(db) -> Application:
    seed_people({})
    seed_shop()
    return Application.objects.get()


def test_a_history_a_ticket_in_qa_and_one_in_dev(seeded):
    assert seeded.sign_off
    assert list(Release.objects.values_list("kind", flat=True).order_by("revision")) == [
        "baseline",
        "release",
        "release",
    ]
    stages = dict(Stamp.objects.values_list("ticket__key", "stage"))
    assert stages == {"TKT-010": "prod", "TKT-011": "prod", "TKT-012": "qa", "TKT-013": "dev"}


def test_production_is_the_folder_so_that_a_first_stamp_of_a_copy_changes_nothing(seeded):
    import hashlib

    there = dict(seeded.modules.values_list("path", "digest"))
    assert there == {path: hashlib.sha256(content).hexdigest() for path, content in sources().items()}


def test_seeding_again_changes_nothing(seeded):
    facts = DomainEvent.objects.count()
    seed_shop()
    assert DomainEvent.objects.count() == facts


def test_every_file_may_be_stamped_and_every_import_leads_somewhere():
    files = sources()
    assert not [path for path in files if fault_of_path(path)]
    named = json.loads(files["importmap.json"])["imports"]
    for path, content in files.items():
        if not path.startswith("src/") or not path.endswith(".js"):
            continue
        for specifier in IMPORT.findall(content.decode()):
            assert resolve(path, specifier, named) in files, f"{path} imports {specifier}"


def resolve(importer: str, specifier: str, named: dict[str, str]) -> str:
    """The path that a specifier leads to, as a browser would find it."""
    import posixpath

    if specifier.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(importer), specifier))
    prefix = max(
        (key for key in named if specifier == key or (key.endswith("/") and specifier.startswith(key))), key=len
    )
    return posixpath.normpath(named[prefix] + specifier.removeprefix(prefix))


def test_the_page_waits_for_its_map_and_names_no_foreign_host():
    page = (HERE / "shop.html").read_text()
    assert page.index("<!-- importmap -->") < page.index("<script")
    assert not re.search(r"https?://", page)
