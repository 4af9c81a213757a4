"""Clicks, forms and commands from Slack: noted in the request, done by a worker, each once, as the linked account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from core.clock import now
from core.context import acting_through
from core.doorbell import ring_on_commit
from core.errors import DomainError
from core.plugins import load_callable
from events.models import SlackCall
from events.outbox import only_one
from events.slack.accounts import find_account, link_account
from events.slack.cards import Click
from events.slack.client import answer, call
from events.types import DeliveryFailed

log = structlog.get_logger(__name__)

FACE = "slack"
UNHEARD = dt.timedelta(seconds=10)
# A button that nobody worked on for so long is not what its presser still expects.
STALE = dt.timedelta(minutes=10)
HELP = (
    "`/stagepass approvals`: what waits for your decision\n`/stagepass ticket TICKET-001`: where a ticket is\n"
    "`/stagepass link CODE`: act as your account, with a code from your profile"
)


def note_call(*, signature: str, kind: str, payload: dict[str, Any]) -> bool:
    """Remember what came, and wake a worker; False when the very same call came before."""
    try:
        with transaction.atomic():
            noted = SlackCall.objects.create(signature=signature, kind=kind, payload=payload)
            ring_on_commit("events.perform_slack_call", noted.pk)
    except IntegrityError:
        return False
    return True


def unheard_calls(limit: int = 100) -> list[int]:
    """Those that no doorbell was heard for."""
    waiting = SlackCall.objects.filter(done_at=None, received_at__lt=now() - UNHEARD)
    return list(waiting.order_by("received_at").values_list("pk", flat=True)[:limit])


def forget_calls(older_than: dt.timedelta = dt.timedelta(days=1)) -> None:
    """What is done and too old to be replayed."""
    SlackCall.objects.filter(done_at__lt=now() - older_than).delete()


def perform_call(pk: int) -> None:
    """Do what was asked for and tell the one who asked; a second worker finds nothing to do."""
    with only_one(f"slack-call:{pk}") as mine:
        noted = SlackCall.objects.filter(pk=pk, done_at=None).first() if mine else None
        if noted is None:
            return
        with acting_through(FACE):
            said = _perform(noted) if now() - noted.received_at < STALE else "That took too long. Please try again."
        SlackCall.objects.filter(pk=pk).update(done_at=now())
    if said:
        _say(noted.payload, said)


def _perform(noted: SlackCall) -> str:
    try:
        return _COMMANDS[noted.kind](noted.payload)
    except DomainError as refusal:
        return refusal.message
    except DeliveryFailed as failure:
        log.warning("slack.call_unanswered", kind=noted.kind, reason=str(failure))
        return f"Slack did not let us finish that. Do it on the page: {settings.SITE_URL}"


def _who(payload: dict[str, Any]) -> tuple[str, str]:
    """Team and user; a command spells them in its own way."""
    team = payload.get("team_id") or (payload.get("team") or {}).get("id") or ""
    user = payload.get("user_id") or (payload.get("user") or {}).get("id") or ""
    return str(team), str(user)


def _unlinked() -> str:
    return (
        f"Slack does not know yet who you are in Stagepass. Get a code at {settings.SITE_URL}/profile/#slack and type "
        "`/stagepass link CODE`. This is done once."
    )


def _act(payload: dict[str, Any]) -> str:
    """A pressed button."""
    pressed = payload["actions"][0]
    subject_type, _, subject_id = str(pressed.get("block_id", "")).partition(":")
    click = Click(
        action=str(pressed.get("action_id", "")),
        subject_id=subject_id,
        value=str(pressed.get("value", "")),
        trigger=str(payload.get("trigger_id", "")),
        place=str((payload.get("channel") or {}).get("id", "")),
        slack_user=_who(payload)[1],
        response_url=str(payload.get("response_url", "")),
    )
    return _hand_on(subject_type, click, payload)


def _submit(payload: dict[str, Any]) -> str:
    """A form that was sent: its name says what it is about, its private part where to answer."""
    view = payload["view"]
    subject_type, _, action = str(view.get("callback_id", "")).partition(":")
    subject_id, _, place = str(view.get("private_metadata", "")).partition("|")
    values = (view.get("state") or {}).get("values") or {}
    fields = {
        name: str(each.get("value") or "") for block in values.values() for name, each in block.items()
    }  # fmt: skip
    click = Click(action, subject_id, "", place=place, slack_user=_who(payload)[1], fields=fields)
    return _hand_on(subject_type, click, payload)


def _hand_on(subject_type: str, click: Click, payload: dict[str, Any]) -> str:
    if click.action == "open":
        return ""
    user = find_account(*_who(payload))
    if user is None:
        return _unlinked()
    path = settings.SLACK_ACTIONS.get(subject_type)
    if path is None:
        return "This button does nothing any more."
    act: Callable[..., str] = load_callable(path)
    return act(click=click, by=user)


def _command(payload: dict[str, Any]) -> str:
    """A typed command."""
    team, slack_user = _who(payload)
    word, _, rest = str(payload.get("text", "")).strip().partition(" ")
    word = word.lower()
    if word == "link":
        user = link_account(team=team, slack_user=slack_user, code=rest)
        return f"Done: in Slack you act as {user.email} from now on."
    path = settings.SLACK_COMMANDS.get(word)
    if path is None:
        return HELP
    known = find_account(team, slack_user)
    if known is None:
        return _unlinked()
    command: Callable[[User, str], str] = load_callable(path)
    return command(known, rest.strip())


_COMMANDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "block_actions": _act,
    "view_submission": _submit,
    "command": _command,
}
KINDS = tuple(_COMMANDS)


def _say(payload: dict[str, Any], text: str) -> None:
    """To the one who clicked alone; that it cannot be said changes nothing about what was done."""
    address = str(payload.get("response_url") or "")
    place = str((payload.get("view") or {}).get("private_metadata", "")).partition("|")[2]
    try:
        if address:
            answer(address, text)
        elif place:
            call("chat.postEphemeral", channel=place, user=_who(payload)[1], text=text)
    except DeliveryFailed as failure:
        log.warning("slack.unsaid", reason=str(failure), text=text)
