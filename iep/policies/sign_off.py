"""Production only after people agreed: says what the application's sign-off will ask for."""

from __future__ import annotations

from iep.policies.base import Outcome, Step, Verdict

NAME = "sign-off"


class SignOffNeeded:
    """Refuses production to an application that releases directly although it wants a sign-off."""

    def check(self, step: Step) -> Verdict:
        if step.target != "prod":
            return Verdict(NAME, Outcome.PASS, "Only production takes a sign-off.")
        if step.stamp.application.sign_off:
            return Verdict(
                NAME, Outcome.PASS, "A promotion request is asked for and has to be approved by someone else."
            )
        return Verdict(NAME, Outcome.BLOCK, "Switch on sign-off for this application: it releases directly.")
