"""AWX's REST API as far as deployments need it: bounded in time and size, with errors that say what to do."""

from __future__ import annotations

import json
import ssl
import time
from functools import lru_cache
from typing import Any

import httpx2
import stamina

from promotions.deployers.base import DeployerError, DeployerRefused, DeployerUnsure

CONNECT_PATIENCE = 5.0
READ_PATIENCE = 10.0
MAX_ANSWER = 4 * 1024 * 1024
MAX_ERROR = 64 * 1024
NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class AwxDenied(DeployerRefused):
    """AWX knows who asks and says no, or does not know who asks: 401 and 403."""


class AwxMissing(DeployerRefused):
    """AWX has no such thing, or not for this token: 404."""


class AwxTooLarge(DeployerError):
    """The answer is larger than we are willing to read."""


class AwxPassing(DeployerError):
    """The kind of trouble that is often over a moment later."""


class AwxClient:
    """One AWX. Safe to share between threads."""

    def __init__(self, url: str, api_path: str, token: str, ca_file: str) -> None:
        self.base = f"{url.rstrip('/')}/{api_path.strip('/')}/"
        self.http = httpx2.Client(
            headers={
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # so that a size is what it says
            },
            verify=_trust(url, ca_file),
            timeout=httpx2.Timeout(READ_PATIENCE, connect=CONNECT_PATIENCE),
            limits=httpx2.Limits(max_connections=16, max_keepalive_connections=4, keepalive_expiry=20),
        )

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        """Read; tried again when the connection breaks, for reading changes nothing."""
        for attempt in stamina.retry_context(AwxPassing, attempts=3, timeout=10, wait_initial=0.1, wait_max=1):
            with attempt:
                return self._call("GET", path, params=params)
        raise AssertionError("stamina returns or raises")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change something, once. DeployerUnsure when it may or may not have happened."""
        return self._call("POST", path, body=body)

    def _call(self, method: str, path: str, params: Any = None, body: Any = None) -> dict[str, Any]:
        end = time.monotonic() + READ_PATIENCE
        try:
            with self.http.stream(method, self.base + path, params=params, json=body) as response:
                content = _read(response, end)
        except httpx2.InvalidURL as error:
            raise DeployerRefused(f"AWX_URL is not an address: {error}.") from error
        except NEVER_SENT as error:
            raise AwxPassing(f"AWX cannot be reached at {self.base}: {error}.") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            what = f"AWX did not answer {method} {path} ({type(error).__name__}: {error})."
            raise self._unclear(method, what, passing=not isinstance(error, httpx2.TimeoutException)) from error
        if response.is_success:
            return self._parse(method, path, response, content)
        raise self._error(method, path, response, content)

    def _parse(self, method: str, path: str, response: httpx2.Response, content: bytes) -> dict[str, Any]:
        if not content.strip():
            return {}
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            kind = response.headers.get("Content-Type", "no content type")
            what = f"{self.base + path} answers {kind}, not an object in JSON. Is AWX_API_PATH right?"
            raise self._unclear(method, what, passing=False)
        return answer | {"_date": response.headers.get("Date", "")}

    def _error(self, method: str, path: str, response: httpx2.Response, content: bytes) -> DeployerError:
        status, said = response.status_code, _said(content)
        if status == 401:
            return AwxDenied(f"AWX does not accept the token (401{said}). Put a valid one into AWX_TOKEN.")
        if status == 403:
            return AwxDenied(
                f"AWX does not allow {method} {path} (403{said}). Give the token's user the right to it, such as Execute"
                " on the job template."
            )
        if status == 404:
            return AwxMissing(
                f"AWX has nothing at {self.base + path} (404). Does it exist, may the token's user see it, and is"
                " AWX_API_PATH right?"
            )
        if response.is_redirect:
            return DeployerRefused(
                f"AWX redirects to {response.headers.get('Location', 'nowhere')}. Put the right address into AWX_URL."
            )
        if status == 405:
            return AwxMissing(f"AWX does not do {method} {path} now (405).")
        if status == 429 or status >= 500:
            what = f"AWX has trouble: {method} {path} answers {status}{said}."
            # A gateway that gave up says nothing about what stands behind it.
            return self._unclear(method, what, passing=True) if status in {502, 504} else AwxPassing(what)
        return DeployerRefused(f"AWX refuses {method} {path} ({status}{said}).")

    @staticmethod
    def _unclear(method: str, what: str, *, passing: bool) -> DeployerError:
        if method != "GET":
            return DeployerUnsure(what)
        return AwxPassing(what) if passing else DeployerError(what)


@lru_cache(maxsize=16)
def client_for(url: str, api_path: str, token: str, ca_file: str) -> AwxClient:
    """The client of an AWX, made once: its connections and certificates are worth keeping."""
    return AwxClient(url, api_path, token, ca_file)


def _trust(url: str, ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file or not url.startswith("https:"):
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise DeployerRefused(f"AWX_CA_FILE {ca_file} cannot be used: {error}.") from error


def _read(response: httpx2.Response, end: float) -> bytes:
    """The body, unless it is too large or trickles in; of an error only the beginning."""
    content = bytearray()
    for chunk in response.iter_raw():
        content += chunk
        if not response.is_success and len(content) >= MAX_ERROR:
            return bytes(content[:MAX_ERROR])
        if len(content) > MAX_ANSWER:
            raise AwxTooLarge(f"AWX answers {response.url.path} with more than {MAX_ANSWER // 1024} KiB.")
        if time.monotonic() > end:
            raise httpx2.ReadTimeout("the answer trickles in too slowly")
    return bytes(content)


def _said(content: bytes) -> str:
    """What AWX says about an error, short and in one line."""
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    if isinstance(answer, dict) and isinstance(answer.get("detail"), str):
        answer = answer["detail"]
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return f": {' '.join(text.split())[:500]}"
