"""No releases while production is frozen."""

from __future__ import annotations

import datetime as dt
from typing import Any

from core.clock import now
from iep.policies.base import Outcome, Step, Verdict

NAME = "freeze window"
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class FreezeWindow:
    """Refuses production during the application's windows; other stages are free.

    Options of the application: {"windows": [{"from": "2026-12-20T00:00Z", "until": "2027-01-04T00:00Z", "reason": "…"}],
    "days": ["sat", "sun"]}, all times with their offset, days in UTC. What cannot be read refuses.
    """

    def check(self, step: Step) -> Verdict:
        options = step.options(NAME)
        if step.target != "prod":
            return Verdict(NAME, Outcome.PASS, f"{step.target} is never frozen.")
        if DAYS[now().weekday()] in options.get("days", []):
            return Verdict(NAME, Outcome.BLOCK, f"No releases on {now():%A}. Release on another day.")
        for window in options.get("windows", []):
            if _moment(window["from"]) <= now() < _moment(window["until"]):
                why = f": {window['reason']}" if window.get("reason") else ""
                return Verdict(NAME, Outcome.BLOCK, f"Production is frozen until {window['until']}{why}.")
        return Verdict(NAME, Outcome.PASS, "Production is not frozen.")


def _moment(text: Any) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset from UTC")
    return moment
