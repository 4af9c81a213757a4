"""Applications and stamps as programs get them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings

from accounts.models import User
from core.canonical import utc_text
from events.models import DomainEvent
from iep.models import Application, Judgement, Release, SignedManifest, SigningKey, Stamp
from iep.selectors.conflicts import conflicts_of
from iep.services.stages import Promoted, sign_off
from iep.services.stamps import Stamped
from iep.states import Stage


def render_application(application: Application, counts: dict[str, int], modules: int) -> dict[str, Any]:
    return {
        "app": application.slug,
        "name": application.name,
        "tenant": application.tenant.slug,
        "url": page_of(application),
        "production_revision": application.revision,
        "sign_off": application.sign_off,
        "repository": application.repository,
        "policies": list(application.policies),
        "modules": modules,
        "stages": counts,
    }


def page_of(application: Application) -> str:
    return f"{settings.SITE_URL}/apps/{application.slug}/"


def preview_of(stamp: Stamp, *, pinned: bool = False) -> str | None:
    """Where the ticket can be looked at; nowhere once it is in production or closed."""
    if not stamp.is_open:
        return None
    pin = f"@{stamp.revision}" if pinned else ""
    return f"{page_of(stamp.application)}?{stamp.stage}={stamp.ticket.key}{pin}"


def kind_of(entry: dict[str, Any]) -> str:
    """What a delta's entry does to production."""
    if entry["digest"] is None:
        return "removed"
    return "modified" if entry["base"] else "added"


def render_stamp(stamp: Stamp, user: User, around: Sequence[Sequence[Any]] | None = None) -> dict[str, Any]:
    """With its conflicts, out of what is `around` it where that was asked for already."""
    conflicts = conflicts_of(stamp, around)
    moved = {conflict.path for conflict in conflicts if conflict.blocks}
    return {
        "app": stamp.application.slug,
        "ticket": stamp.ticket.key,
        "title": stamp.ticket.title,
        "stage": stamp.stage,
        "revision": stamp.revision,
        "production_revision": stamp.application.revision,
        "base_revision": stamp.base_revision,
        "author": stamp.author.email,
        "updated_at": utc_text(stamp.updated_at),
        "changes": [
            {
                "path": path,
                "change": kind_of(entry),
                "digest": entry["digest"],
                "before": entry["base"],
                "size": entry["size"],
                "conflict": "changed_in_production" if path in moved else None,
            }
            for path, entry in sorted(stamp.delta.items())
        ],
        "conflicts": [conflict.as_json() for conflict in conflicts],
        "git": stamp.git,
        "sign_off": render_sign_off(stamp, user),
        "released_revision": stamp.released_revision if stamp.stage == Stage.PROD else None,
        "preview_url": preview_of(stamp),
        "pinned_url": preview_of(stamp, pinned=True),
        "panel_url": f"{settings.SITE_URL}/iep/{stamp.application.slug}/{stamp.ticket.key}/",
    }


def render_sign_off(stamp: Stamp, user: User) -> dict[str, Any] | None:
    if not stamp.sign_off:
        return None
    standing = sign_off().standing(stamp.sign_off, user)
    return {"request": stamp.sign_off, "state": standing.state, "url": standing.address or None}


def render_stamped(stamped: Stamped, user: User) -> dict[str, Any]:
    return render_stamp(stamped.stamp, user, stamped.around) | {
        "changed": sorted(stamped.changed),
        "unchanged": stamped.unchanged,
        "stale": sorted(stamped.stale),
    }


def render_promoted(promoted: Promoted, user: User) -> dict[str, Any]:
    release = {"release": render_release(promoted.release)} if promoted.release else {}
    verdicts = [verdict.as_json() for verdict in promoted.verdicts]
    return render_stamp(promoted.stamp, user) | {"verdicts": verdicts} | release


def render_release(release: Release) -> dict[str, Any]:
    return {
        "revision": release.revision,
        "kind": release.kind,
        "ticket": release.stamp.ticket.key if release.stamp else None,
        "by": release.by.email if release.by else "system",
        "reason": release.reason,
        "request": release.request or None,
        "approvals": release.approvals,
        "undoes": release.undoes.revision if release.undoes else None,
        "at": utc_text(release.created_at),
        "changes": [
            {"path": change.path, "before": change.before or None, "after": change.after or None}
            for change in release.changes.all()
        ],
    }


def render_judgement(judgement: Judgement | None) -> dict[str, Any] | None:
    """What policies said of a step; null when they never were asked."""
    if judgement is None:
        return None
    return {
        "target": judgement.target,
        "revision": judgement.revision,
        "allowed": not any(verdict["outcome"] == "block" for verdict in judgement.verdicts),
        "request": judgement.request or None,
        "by": judgement.by.email if judgement.by else "system",
        "at": utc_text(judgement.created_at),
        "verdicts": judgement.verdicts,
    }


def render_key(key: SigningKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "public_key": key.public_key,
        "added_by": key.created_by.email if key.created_by else "system",
        "added_at": utc_text(key.created_at),
        "revoked_at": utc_text(key.revoked_at) if key.revoked_at else None,
    }


def render_manifest(manifest: SignedManifest) -> dict[str, Any]:
    return {
        "commit": manifest.commit,
        "digest": manifest.digest,
        "key": manifest.key.name,
        "files": len(manifest.files),
        "checks": manifest.checks,
        "at": utc_text(manifest.created_at),
    }


def render_step(fact: DomainEvent) -> dict[str, Any]:
    return {
        "at": utc_text(fact.occurred_at),
        "fact": fact.type,
        "by": fact.actor_label,
        "revision": fact.data.get("revision"),
        "detail": fact.data.get("reason") or fact.data.get("request") or "",
    }
