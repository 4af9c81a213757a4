"""Does what a `curl` or `grpcurl` command line says, without the programs: the commands stay word for word."""

from __future__ import annotations

import http.client
import json
import shlex
from typing import Any
from urllib.parse import urlsplit


def curl(command: str, server: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    """Status and JSON of the answer to this curl command, sent to `server` instead of http://localhost:8080."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "curl"
    method, body, sent, url = "GET", None, dict(headers or {}), ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            sent[name] = value.strip()
        elif word == "-d":
            body = words.pop(0)
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
            method = "POST" if method == "GET" else method
        else:
            assert word.startswith("http://localhost:8080/"), word
            url = word.removeprefix("http://localhost:8080")
    connection = http.client.HTTPConnection(urlsplit(server).netloc, timeout=20)
    connection.request(method, url, body.encode() if body else None, sent)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def grpcurl(command: str) -> tuple[str, dict[str, Any]]:
    """The full method and the JSON of the request that this grpcurl command sends."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words.pop(0) == "grpcurl"
    request: dict[str, Any] = {}
    while words[0].startswith("-"):
        option = words.pop(0)
        if option == "-d":
            request = json.loads(words.pop(0))
        else:
            assert option == "--plaintext", option
    assert words[0] == "localhost:8765", words
    return words[1], request
