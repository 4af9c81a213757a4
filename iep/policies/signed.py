"""What was stamped is what the build server signed for the commit: released is built, even where builds change files."""

from __future__ import annotations

from collections.abc import Iterable

from iep.models import SignedManifest
from iep.policies.base import Outcome, Step, Verdict

NAME = "signed manifest"
SHOWN, MOST_MANIFESTS = 5, 20


class SignedManifestMatches:
    """Each file of the ticket has the digest that a manifest for its commit gives it, signed by a key that is trusted now."""

    def check(self, step: Step) -> Verdict:
        manifest, why_not = manifest_of(step)
        if manifest is None:
            return Verdict(NAME, Outcome.BLOCK, why_not)
        count = len(step.stamp.delta)
        files, them = ("The one file is", "it") if count == 1 else (f"All {count} files are", "them")
        return Verdict(NAME, Outcome.PASS, f"{files} as {manifest.key.name} signed {them} for {manifest.commit[:10]}.")


class SignedCheck:
    """What the build server says of a check that it ran on exactly these files, such as its tests or its security scan."""

    def __init__(self, check: str) -> None:
        self.name = check

    def check(self, step: Step) -> Verdict:
        manifest, why_not = manifest_of(step)
        if manifest is None:
            return Verdict(self.name, Outcome.BLOCK, why_not)
        told = manifest.checks.get(self.name)
        if told is None:
            reason = (
                f"The signed manifest for {manifest.commit[:10]} says nothing of {self.name}. Add it to its checks."
            )
            return Verdict(self.name, Outcome.BLOCK, reason)
        detail = f": {told['detail']}" if told.get("detail") else ""
        word = "passed" if told["passed"] else "did not pass"
        outcome = Outcome.PASS if told["passed"] else Outcome.BLOCK
        return Verdict(
            self.name, outcome, f"{manifest.key.name} says that they {word} at {manifest.commit[:10]}{detail}."
        )


def manifest_of(step: Step) -> tuple[SignedManifest | None, str]:
    """The manifest that covers every file of the step, or why there is none."""
    head = str((step.git or {}).get("head", ""))
    if not head:
        return None, "Nothing says which commit this is. Stamp from a git working copy."
    found = SignedManifest.objects.filter(
        application=step.stamp.application_id, commit=head, key__revoked_at=None
    ).select_related("key")[:MOST_MANIFESTS]
    nearest: list[str] | None = None
    for manifest in found:
        others = differing(step, manifest)
        if not others:
            return manifest, ""
        nearest = others if nearest is None or len(others) < len(nearest) else nearest
    if nearest is None:
        return None, f"No signed manifest for {head[:10]} is here. Let the build server send it, then try again."
    return None, f"{_listed(nearest)} differ from what was signed for {head[:10]}. Stamp what the build server built."


def differing(step: Step, manifest: SignedManifest) -> list[str]:
    """The ticket's paths that the manifest has otherwise; a removed file must not be in it."""
    return [path for path, entry in sorted(step.stamp.delta.items()) if manifest.files.get(path) != entry["digest"]]


def _listed(paths: Iterable[str]) -> str:
    names = list(paths)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
