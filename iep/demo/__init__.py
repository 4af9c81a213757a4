"""The demo's front-end application: a shop of ES modules with a history, a ticket in QA and one in dev."""

from __future__ import annotations

import hashlib
from pathlib import Path

from accounts.models import Tenant, User
from iep.models import Application, Stamp
from iep.services import (
    ensure_application,
    promote_stamp,
    publish_files,
    release_stamp,
    stamp_ticket,
    store_blob,
)
from iep.services.upkeep import read_graph
from iep.types import File, Manifest
from tickets.models import Project
from tickets.services import ensure_project, open_ticket
from tickets.types import Priority, TicketContent, TicketType

HERE = Path(__file__).parent
SLUG = "shop"
TYPES = {".js", ".mjs", ".css", ".json", ".txt"}

# What the shop said before its first two tickets.
EARLIER = {
    "src/parts/banner.js": ("Free delivery from €60, and thirty days to change your mind.", "Welcome to our new shop."),
    "src/lib/delivery.js": ("FREE_FROM = 6000", "FREE_FROM = 12000"),
}
HERO = ("Few, light, and made to be repaired.", "Few, light, and made to be repaired: ask us for a new sole.")
BRAND = ("light-dark(#22604a, #7fd1ac)", "light-dark(#7a3b12, #f0b27a)")


def seed_shop() -> None:
    """The application `shop` with three production revisions and two open stamps; what exists stays as it is."""
    if Application.objects.filter(slug=SLUG).exists():
        return
    Shop().open()


def sources() -> dict[str, bytes]:
    """The shop's files as they are stamped, by path."""
    root = HERE / SLUG
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix in TYPES and not path.name.startswith(".")
    }


class Shop:
    """The demo's people at work on the shop."""

    def __init__(self) -> None:
        self.tenant = Tenant.objects.get(slug="tenant-finance")
        self.devops = User.objects.get(email="pierre.durand@cab-i.com")
        self.cpi = User.objects.get(email="jean.dupont@cab-i.com")
        self.files = sources()

    def open(self) -> None:
        """Begin with an older shop and bring it to what it is now, ticket by ticket."""
        project = ensure_project(key="finance/shop", by=self.devops, tenant=self.tenant)
        self.application = ensure_application(
            tenant=self.tenant, slug=SLUG, by=self.cpi, name="Fernweh shop", project=project,
            page=(HERE / "shop.html").read_text(encoding="utf-8"),
        )  # fmt: skip
        older = {path: self.changed(path, now, then) for path, (now, then) in EARLIER.items()}
        publish_files(application=self.application, files=self.files | older, by=self.cpi, reason="The first shop")
        self.ticket(project, "TKT-001", "Say on every page what delivery costs", "Customers ask for it every day.")
        self.release("TKT-010", "A sentence that sells", "src/parts/banner.js", project)
        self.release("TKT-011", "Free delivery from 60 euros", "src/lib/delivery.js", project)
        in_qa = self.stamp("TKT-012", "Repairs in the first sentence", "src/pages/catalogue.js", HERO, project)
        promote_stamp(stamp=in_qa, by=self.devops)
        self.stamp("TKT-013", "Autumn colours", "src/styles/shop.css", BRAND, project)
        read_graph()

    def changed(self, path: str, old: str, new: str) -> bytes:
        """The file with one text in place of another."""
        text = self.files[path].decode()
        assert old in text, f"{path} says something else now"
        return text.replace(old, new).encode()

    def ticket(self, project: Project, key: str, title: str, description: str = "") -> None:
        content = TicketContent(
            title=title,
            description=description or title,
            type=TicketType.STORY,
            priority=Priority.MEDIUM,
            labels=("shop",),
        )
        open_ticket(project=project, content=content, by=self.devops, key=key)

    def stamp(
        self, key: str, title: str, path: str, change: tuple[str, str] | None, project: Project
    ) -> Stamp:  # fmt: skip
        """A ticket that changes one file: to what `change` makes of it, or to what it is in the folder."""
        self.ticket(project, key, title)
        content = self.changed(path, *change) if change else self.files[path]
        digest = hashlib.sha256(content).hexdigest()
        store_blob(application=self.application, digest=digest, chunks=[content], by=self.devops)
        ticket = project.tickets.get(key=key)
        manifest = Manifest(files=(File(path, digest, len(content)),))
        return stamp_ticket(application=self.application, ticket=ticket, manifest=manifest, by=self.devops).stamp

    def release(self, key: str, title: str, path: str, project: Project) -> None:
        """A ticket whose change is in production since."""
        stamp = self.stamp(key, title, path, None, project)
        stamp = promote_stamp(stamp=stamp, by=self.devops).stamp
        release_stamp(stamp=stamp, by=self.cpi, reason=title)
