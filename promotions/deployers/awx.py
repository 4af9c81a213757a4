"""The deployer that launches a job template of AWX and follows its job; AWX's own word on the job is all that counts."""

from __future__ import annotations

import datetime as dt
import email.utils
import json
import re
import time
from typing import Any
from urllib.parse import quote

import structlog

from core.clock import now
from promotions.deployers.awx_client import AwxClient, AwxDenied, AwxMissing, AwxTooLarge, client_for
from promotions.deployers.base import DeployerError, DeployerRefused, DeployerUnsure, Job, Outcome, Progress
from promotions.deployers.variables import extra_vars_of

log = structlog.get_logger(__name__)

OPTIONS = {"job_template", "limit", "extra_vars"}
LAUNCH_BUDGET = 25.0  # seconds for everything before the launch itself; the engine's lease is longer than both
# How long after it was sent a launch may still become a job; the engine waits longer than this before it asks again.
SENT_MAY_ARRIVE = dt.timedelta(seconds=140)
SEARCHES_AT_ONCE = 3
PAGE, MAX_PAGES = 25, 40
EVENTS, MAX_EVENT_PAGES = 100, 20
MAX_ARTIFACTS = 64 * 1024
# How far AWX's clock may be behind ours.
CLOCK_SKEW = dt.timedelta(hours=1)
EVENTS_SETTLE = dt.timedelta(seconds=60)
_OUTCOMES: dict[str, Outcome] = {
    "successful": "succeeded", "failed": "failed", "error": "failed", "canceled": "canceled",
}  # fmt: skip
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class AwxDeployer:
    """Launches the target's `job_template` (id or name) with the request in extra_vars, and the nonce to find it by."""

    def __init__(self, url: str = "", api_path: str = "/api/v2/", token: str = "", ca_file: str = "") -> None:
        self.url, self.api_path, self.token, self.ca_file = url.rstrip("/"), api_path, token, ca_file

    @property
    def api(self) -> AwxClient:
        if not self.url or not self.token:
            raise DeployerRefused("No AWX is configured. Set AWX_URL and AWX_TOKEN.")
        return client_for(self.url, self.api_path, self.token, self.ca_file)

    def start(self, job: Job) -> str:
        """One job per nonce: what an earlier try may have launched is looked for before anything is launched."""
        begun = time.monotonic()
        _check_options(job.options)
        variables = extra_vars_of(job)
        if job.tries > 1 and (found := self._look_before_launch(job)):
            return found
        if job.sent_at and now() - job.sent_at < SENT_MAY_ARRIVE:
            raise DeployerUnsure("An earlier launch was sent and nobody heard the answer. AWX may still make its job.")
        if job.cancel_requested:
            raise DeployerRefused("Canceled before it was launched.")
        template = self._template(job)
        self._check_launchable(template, job, variables)
        if time.monotonic() - begun > LAUNCH_BUDGET:
            raise DeployerError("AWX answers too slowly to launch a job safely.")
        body: dict[str, Any] = {"extra_vars": variables}
        if job.options.get("limit"):
            body["limit"] = job.options["limit"]
        job.sending()
        try:
            answer = self.api.post(f"job_templates/{template}/launch/", body)
        except DeployerUnsure as unsure:
            return self._find_after(job, template, unsure)
        except DeployerError:
            job.not_taken()
            raise
        return self._accept(answer)

    def _look_before_launch(self, job: Job) -> str | None:
        """The job of an earlier try. Until AWX lets us look, nothing may be concluded, so its refusals do not count."""
        try:
            found = self._search(job, self._template(job))
        except DeployerRefused as refusal:
            raise DeployerError(f"{refusal} An earlier launch may have arrived, so this is tried again.") from refusal
        return self._adopt(job, found)

    def _find_after(self, job: Job, template: int, unsure: DeployerUnsure) -> str:
        """Look at once for what a launch without an answer has started."""
        for pause in range(SEARCHES_AT_ONCE):
            time.sleep(pause)
            try:
                found = self._search(job, template)
            except DeployerError as error:
                raise DeployerUnsure(f"{unsure} Nor can its job be looked for: {error}") from error
            if number := self._adopt(job, found):
                return number
        raise DeployerUnsure(f"{unsure} No job of it is to be seen yet.")

    def _template(self, job: Job) -> int:
        wanted = job.options["job_template"]
        if isinstance(wanted, int):
            return wanted
        found = self.api.get("job_templates/", name=wanted, page_size=2).get("results", [])
        if len(found) != 1:
            how_many = "no job template" if not found else "several job templates"
            raise DeployerRefused(
                f"AWX shows this token {how_many} named {wanted!r}. Put the template's number into the target's options."
            )
        return int(found[0]["id"])

    def _check_launchable(self, template: int, job: Job, variables: dict[str, Any]) -> None:
        """AWX takes what a template does not ask for without a word and drops it: look before, not after."""
        asks = self.api.get(f"job_templates/{template}/launch/")
        if not asks.get("ask_variables_on_launch") and not asks.get("survey_enabled"):
            raise DeployerRefused(
                f"Job template {template} would drop our variables. Switch on 'Prompt on launch' of its variables in AWX."
            )
        if job.options.get("limit") and not asks.get("ask_limit_on_launch"):
            raise DeployerRefused(
                f"Job template {template} would drop the limit and run on all hosts. Switch on 'Prompt on launch' of its"
                " limit in AWX, or take the limit out of the target's options."
            )
        missing = [name for name in asks.get("variables_needed_to_start", []) if name not in variables]
        if missing:
            raise DeployerRefused(
                f"Job template {template} also needs the variables {', '.join(map(str, missing))}. Add them to extra_vars"
                " in the target's options."
            )
        if passwords := asks.get("passwords_needed_to_start"):
            raise DeployerRefused(
                f"Job template {template} asks for passwords ({', '.join(map(str, passwords))}). Store them in its"
                " credentials in AWX."
            )

    def _accept(self, answer: dict[str, Any]) -> str:
        number, ignored = answer.get("job"), answer.get("ignored_fields")
        if not isinstance(number, int):
            raise DeployerRefused(
                "AWX started something else than a plain job. Templates with slices are not supported."
            )
        if ignored:
            self._drop(number, f"AWX ignored {json.dumps(ignored)[:500]}: the template does not ask for it on launch.")
        return str(number)

    def _drop(self, number: int, why: str) -> None:
        """Stop a job that runs with something else than it was given, and give up."""
        try:
            self.api.post(f"jobs/{number}/cancel/", {})
        except DeployerError as error:
            raise DeployerRefused(f"{why} Job {number} COULD NOT BE STOPPED, do it in AWX: {error}") from error
        raise DeployerRefused(f"{why} Job {number} was stopped.")

    def _search(self, job: Job, template: int) -> list[dict[str, Any]]:
        """The jobs with our nonce: AWX cannot filter by variables, so read what was created since the approval."""
        since = (job.created_at - CLOCK_SKEW).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        found: list[dict[str, Any]] = []
        for page in range(1, MAX_PAGES + 1):
            answer = self.api.get(
                "jobs/", job_template=template, created__gte=since, order_by="-id", page_size=PAGE, page=page
            )
            found += [entry for entry in answer.get("results", []) if _nonce_in(entry.get("extra_vars")) == job.nonce]
            if not answer.get("next"):
                return found
        raise DeployerError(
            f"AWX has more than {PAGE * MAX_PAGES} new jobs of the template; ours was not found in time."
        )

    def _adopt(self, job: Job, found: list[dict[str, Any]]) -> str | None:
        """Ours is the first: a relaunch by hand in AWX carries the same nonce but nobody approved it."""
        ours = [entry for entry in found if entry.get("launch_type") != "relaunch"]
        if not ours:
            return None
        first = min(ours, key=lambda entry: entry["id"])
        if (limit := job.options.get("limit")) and first.get("limit") != limit:
            self._drop(first["id"], f"AWX ignored the limit {limit!r}.")
        log.info("awx.job_adopted", job=first["id"], deployment=job.deployment_id)
        return str(first["id"])

    def poll(self, job: Job) -> Progress:
        """AWX's status of the job, with the output of the events since the last one read."""
        number = quote(job.job_id, safe="")
        try:
            state = self.api.get(f"jobs/{number}/")
        except AwxDenied as refusal:  # says nothing about the job
            raise DeployerError(str(refusal)) from refusal
        except AwxMissing as refusal:
            raise DeployerRefused(f"AWX does not know job {job.job_id} any more, so its end is unknown.") from refusal
        outcome = _OUTCOMES.get(str(state.get("status")), "running")
        text, offset, complete = self._output(job, number, final=outcome != "running")
        if not complete or (outcome != "running" and _events_are_coming(state)):
            outcome = "running"  # for us: a moment later all of it is there
        if job.log_offset == 0 and text:
            text = f"AWX job {job.job_id}: {self.url}/#/jobs/playbook/{job.job_id}/output\n{text}"
        error = self._why(number, state) if outcome in {"failed", "canceled"} else ""
        return Progress(outcome, text, offset, error=error, result=_artifacts(state))

    def _output(self, job: Job, number: str, *, final: bool) -> tuple[str, int, bool]:
        """Text since the last event, its number, whether that is all. Events come in any order: stop before a gap."""
        parts: list[str] = []
        offset, size = job.log_offset, EVENTS
        for _ in range(MAX_EVENT_PAGES):
            try:
                answer = self.api.get(
                    f"jobs/{number}/job_events/",
                    counter__gt=offset, order_by="counter", page_size=size, no_truncate="true",
                )  # fmt: skip
            except AwxTooLarge:
                if size == 1:
                    parts.append("[An event is too large to be shown here.]\n")
                    offset += 1
                size = 1
                continue
            for event in answer.get("results", []):
                if event["counter"] != offset + 1 and not final:
                    return "".join(parts), offset, True
                offset = event["counter"]
                if text := str(event.get("stdout") or ""):
                    parts.append(_ANSI.sub("", text.replace("\r\n", "\n")) + "\n")
            if not answer.get("next"):
                return "".join(parts), offset, True
        return "".join(parts), offset, False

    def _why(self, number: str, state: dict[str, Any]) -> str:
        """AWX's word for the end, its explanation, and the first task that failed."""
        parts = [f"AWX says: {state.get('status')}."]
        if explanation := state.get("job_explanation"):
            parts.append(str(explanation)[:1000])
        if traceback := state.get("result_traceback"):
            parts.append(str(traceback).strip().splitlines()[-1][:500])
        if state.get("status") == "failed" and (task := self._failed_task(number)):
            parts.append(task)
        return " ".join(parts)

    def _failed_task(self, number: str) -> str:
        try:
            answer = self.api.get(
                f"jobs/{number}/job_events/",
                event__in="runner_on_failed,runner_on_unreachable", order_by="counter", page_size=5,
            )  # fmt: skip
        except DeployerError:
            return ""
        for event in answer.get("results", []):
            data = event.get("event_data") or {}
            if not data.get("ignore_errors"):
                message = (data.get("res") or {}).get("msg") or "no message"
                return f"Task {event.get('task')!r} on {event.get('host_name')}: {str(message)[:1000]}"
        return ""

    def cancel(self, job: Job) -> None:
        """Ask AWX to stop the job; one that is over stays as it is. Remote hosts finish the task they are at."""
        try:
            self.api.post(f"jobs/{quote(job.job_id, safe='')}/cancel/", {})
        except AwxMissing:  # 404 gone, 405 over: poll tells
            return


def _check_options(options: Any) -> None:
    if not isinstance(options, dict) or not (template := options.get("job_template")):
        raise DeployerRefused('The deployment target does not say which template: {"job_template": 7} or its name.')
    if isinstance(template, bool) or not isinstance(template, int | str):
        raise DeployerRefused("job_template of the deployment target must be a number or a name.")
    if unknown := sorted(options.keys() - OPTIONS):
        raise DeployerRefused(
            f"The deployment target's option {unknown[0]!r} is not known; known are {', '.join(sorted(OPTIONS))}."
        )
    if not isinstance(options.get("limit", ""), str):
        raise DeployerRefused("In the options of the deployment target, limit must be a text.")


def _nonce_in(extra_vars: Any) -> str | None:
    """The nonce in a job's variables, which AWX gives as JSON text."""
    try:
        variables = json.loads(extra_vars) if isinstance(extra_vars, str) else extra_vars
    except (ValueError, RecursionError):
        return None
    return variables.get("nonce") if isinstance(variables, dict) else None


def _artifacts(state: dict[str, Any]) -> dict[str, Any]:
    artifacts = state.get("artifacts")
    if not isinstance(artifacts, dict) or len(json.dumps(artifacts)) > MAX_ARTIFACTS:
        return {}
    return artifacts


def _events_are_coming(state: dict[str, Any]) -> bool:
    """Whether AWX still takes in output of a job that has ended; by its own clock, and not for ever."""
    if state.get("event_processing_finished", True):
        return False
    try:
        finished = dt.datetime.fromisoformat(str(state["finished"]))
        return email.utils.parsedate_to_datetime(state["_date"]) - finished < EVENTS_SETTLE
    except (KeyError, TypeError, ValueError):
        return False
