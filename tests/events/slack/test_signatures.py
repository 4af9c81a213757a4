"""Slack's signature, by its published example, and everything that is not quite it."""

from __future__ import annotations

import pytest

from events.slack.signatures import is_genuine, sign

SECRET, TIME = "8f742231b10e8888abcd99yyyzzz85a5", "1531420618"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
    b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
    b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d"
    b"10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def test_the_published_example():
    assert sign(SECRET, TIME, BODY) == SIGNATURE
    assert is_genuine(["other", SECRET], TIME, SIGNATURE, BODY, int(TIME) + 299)


@pytest.mark.parametrize(
    ("secrets", "time", "signature", "body", "late"),
    [
        (["another"], TIME, SIGNATURE, BODY, 0),
        ([""], TIME, sign("", TIME, BODY), BODY, 0),
        ([], TIME, SIGNATURE, BODY, 0),
        ([SECRET], TIME, SIGNATURE, BODY + b" ", 0),
        ([SECRET], TIME, SIGNATURE.upper(), BODY, 0),
        ([SECRET], TIME, "", BODY, 0),
        ([SECRET], TIME, "v0=é", BODY, 0),
        ([SECRET], "1531420619", SIGNATURE, BODY, 0),
        ([SECRET], TIME, SIGNATURE, BODY, 301),
        ([SECRET], TIME, SIGNATURE, BODY, -301),
        ([SECRET], "", SIGNATURE, BODY, 0),
        ([SECRET], "1e9", SIGNATURE, BODY, 0),
        ([SECRET], "-1531420618", SIGNATURE, BODY, 0),
    ],
)
def test_anything_else_is_forged(secrets, time, signature, body, late):
    assert not is_genuine(secrets, time, signature, body, int(TIME) + late)
