"""Logging in and out: in the browser, or with a token of one's own."""

from __future__ import annotations

import platform
import sys
import time
from typing import Any

import click

from stamp import credentials
from stamp.client import Service
from stamp.errors import Away, Failed, NotLoggedIn, Stop, Usage
from stamp.session import Session

ENDED = {
    "access_denied": "Somebody refused this log-in in the browser.",
    "expired_token": "The code was not confirmed in time.",
}


def login(session: Session, *, paste: bool, browser: bool) -> None:
    """Get a token and keep it for this server."""
    server = session.settings.server
    entry = _pasted(session) if paste else _by_browser(session, open_it=browser)
    place = credentials.keep(server, entry)
    who = entry.get("email") or "you"
    text = f"Logged in at {server} as {who}; the token is in {place}, readable by you only."
    session.out.result({"server": server, "email": entry.get("email"), "expires_at": entry.get("expires_at")}, text)


def logout(session: Session) -> None:
    """Forget the token of this server."""
    server = session.settings.server
    forgotten = credentials.forget(server)
    text = f"Logged out of {server}." if forgotten else f"You were not logged in at {server}."
    session.out.result({"server": server, "forgotten": forgotten}, text + " The profile page revokes tokens for good.")


def _pasted(session: Session) -> dict[str, Any]:
    if sys.stdin.isatty():
        token = click.prompt("Token (from your profile page)", hide_input=True, err=True)
    else:
        token = sys.stdin.readline()
    token = token.strip()
    if not token:
        raise Usage("No token was given.", hint="echo $TOKEN | stamp login --with-token")
    service = Service(session.settings.server, token, session.settings.retries, say=session.out.detail)
    service.get("/applications")  # NotLoggedIn when it is not good
    return {"token": token}


def _by_browser(session: Session, *, open_it: bool) -> dict[str, Any]:
    service = Service(session.settings.server, retries=session.settings.retries, say=session.out.detail)
    begun = service.post("/login", {"client": f"stamp on {platform.node() or 'a computer'}"[:100]}).body
    session.out.talk(f"Open {begun['verification_url_complete']}")
    session.out.talk(f"and confirm the code {click.style(begun['user_code'], bold=True)}")
    if open_it:
        click.launch(begun["verification_url_complete"])
    interval = float(begun["interval"])
    end = time.monotonic() + float(begun["expires_in"])
    while time.monotonic() < end:
        time.sleep(interval)
        try:
            told = service.post("/login/token", {"device_code": begun["device_code"]}).body
        except (Failed, Away, NotLoggedIn) as stop:
            interval = _go_on(stop, interval)
        else:
            return {"token": told["secret"], "email": told.get("email"), "expires_at": told.get("expires_at")}
    raise NotLoggedIn(ENDED["expired_token"], hint="stamp login")


def _go_on(stop: Stop, interval: float) -> float:
    """The next interval while the person has not decided; NotLoggedIn when it is over."""
    if stop.code == "authorization_pending" or isinstance(stop, Away):
        return interval
    if stop.code == "slow_down":
        return interval + 5
    if stop.code in ENDED:
        raise NotLoggedIn(ENDED[stop.code], code=stop.code, hint="stamp login") from None
    raise stop
