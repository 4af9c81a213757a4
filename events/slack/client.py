"""Calls to Slack's API, with its refusals in our words: wait, rest, or never."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from events.types import DeliveryFailed, DeliveryRefused

TIMEOUT = 10
# Until somebody changes the token or Slack is well again, nothing gets through.
_ALL_CALLS = {
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
    "team_access_not_granted",
    "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout",
}  # fmt: skip
_NEVER = {
    "channel_not_found", "is_archived", "not_in_channel", "invalid_blocks", "msg_too_long", "no_text", "restricted_action",
    "invalid_arguments", "user_not_found", "user_not_in_channel", "cant_update_message", "edit_window_closed",
}  # fmt: skip
GONE = "message_not_found"


class SlackGone(DeliveryFailed):
    """The message that was to be changed is not there any more."""


def call(method: str, **arguments: Any) -> dict[str, Any]:
    """What the method answers; DeliveryRefused, SlackGone, or DeliveryFailed with the wait that Slack asks for."""
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError, SlackClientError

    client = WebClient(token=settings.SLACK_TOKEN, base_url=settings.SLACK_API, timeout=TIMEOUT, retry_handlers=[])
    try:
        answer = client.api_call(method, json=arguments)
    except SlackApiError as error:
        raise _failure(error.response) from error
    except (SlackClientError, OSError, ValueError) as error:
        raise DeliveryFailed(f"Slack does not answer: {error or type(error).__name__}", channel_down=True) from error
    return dict(answer.data) if isinstance(answer.data, dict) else {}


def _failure(response: Any) -> DeliveryFailed:
    data = response.data if isinstance(response.data, dict) else {}
    code = str(data.get("error") or f"status {response.status_code}")
    told = f"Slack answered {code}."
    if response.status_code == 429:
        return DeliveryFailed(told, _wait_of(response.headers), channel_down=True)
    if code == GONE:
        return SlackGone(told)
    if code in _NEVER:
        return DeliveryRefused(told)
    return DeliveryFailed(told, channel_down=code in _ALL_CALLS or response.status_code >= 500)


def _wait_of(headers: Any) -> float:
    text = next((str(value) for name, value in dict(headers).items() if name.lower() == "retry-after"), "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else 30.0


def answer(address: str, text: str) -> None:
    """Tell the one who clicked or asked, seen by nobody else; only at the address of Slack itself."""
    from slack_sdk.webhook import WebhookClient

    parts, api = urlsplit(address), urlsplit(settings.SLACK_API)
    ours = parts.netloc == api.netloc and parts.scheme == api.scheme
    if not ours and (parts.scheme, parts.hostname) != ("https", "hooks.slack.com"):
        raise DeliveryRefused("The address for the answer is not Slack's.")
    try:
        WebhookClient(address, timeout=TIMEOUT, retry_handlers=[]).send(
            text=text, response_type="ephemeral", replace_original=False
        )
    except (OSError, ValueError) as error:
        raise DeliveryFailed(f"Slack does not take the answer: {error}") from error
