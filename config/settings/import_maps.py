"""Import maps: what an application may ask of a promotion, and who is asked before production changes."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from config import env

# One file and one line each; an application chooses among them by name. A policy that fails or hangs refuses.
IEP_POLICIES: dict[str, dict[str, Any]] = {
    "git ancestry": {"BACKEND": "iep.policies.ancestry.GitAncestry"},
    "digests match commit": {"BACKEND": "iep.policies.digests.DigestsMatchCommit"},
    "sanity command": {"BACKEND": "iep.policies.sanity.SanityCommand"},
    "signed manifest": {"BACKEND": "iep.policies.signed.SignedManifestMatches"},
    # These three answer the pre-checks of a promotion request; a line may name another BACKEND for one of them.
    "staging tests": {"BACKEND": "iep.policies.signed.SignedCheck", "OPTIONS": {"check": "staging tests"}},
    "security scan": {"BACKEND": "iep.policies.signed.SignedCheck", "OPTIONS": {"check": "security scan"}},
    "performance tests": {"BACKEND": "iep.policies.signed.SignedCheck", "OPTIONS": {"check": "performance tests"}},
    "sign-off": {"BACKEND": "iep.policies.sign_off.SignOffNeeded"},
    "freeze window": {"BACKEND": "iep.policies.freeze.FreezeWindow"},
}
IEP_POLICY_SECONDS = 10.0
# After how long in dev or QA without a change people are reminded; nothing: never.
IEP_STALE_AFTER = dt.timedelta(days=float(env.text("IEP_STALE_DAYS")))
# What "sanity command" may run, by the name that an application gives: {"lint": ["/opt/checks/lint", "--strict"]}.
SANITY_COMMANDS: dict[str, list[str]] = json.loads(env.text("IEP_SANITY_COMMANDS") or "{}")
# Its wildcard leads to this site. Without a port it is on the site's own.
PREVIEW_HOST = env.text("IEP_PREVIEW_HOST").lower()
IEP_SIGN_OFFS = {"promotion request": {"BACKEND": "promotions.sign_off.PromotionSignOff"}}
