"""Calls to addresses that people typed: only to public machines, to the very address that was checked, never elsewhere."""

from __future__ import annotations

import heapq
import http.client
import ipaddress
import itertools
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

CONNECT_SECONDS = 5.0
# For one whole call, however the other side spreads its answer.
CALL_SECONDS = 15.0
LARGEST_ANSWER = 16 * 1024

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")
_SITE_LOCAL = ipaddress.ip_network("fec0::/10")


class Forbidden(Exception):
    """The address is none that may be called."""


class Unreachable(Exception):
    """Nobody answered there."""


def is_public(address: Address) -> bool:
    """Whether it is a machine on the internet, also behind the mapped and translated forms of IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address in _6TO4 or address.teredo is not None or address in _SITE_LOCAL:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_allowed(address: Address) -> bool:
    """Public, or in one of the networks that the settings open."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    return is_public(address) or any(
        mapped in network for network in _open_networks() if network.version == mapped.version
    )


def _open_networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in settings.WEBHOOK_NETWORKS]


def check_url(url: str) -> SplitResult:
    """The parts of an address that may be called as far as its spelling tells; Forbidden says what is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Forbidden("This is not a web address.") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.WEBHOOK_NETWORKS):
        raise Forbidden("Webhooks go to https addresses.")
    if not parts.hostname or parts.username or parts.password:
        raise Forbidden("The address names a host, and no user or password.")
    if port is not None and port not in {80, 443} and port < 1024:
        raise Forbidden("Of the ports below 1024 only 80 and 443 are called.")
    if not url.isascii() or any(character.isspace() for character in url):
        raise Forbidden("The address is spelled in plain ASCII without blanks.")
    return parts


def resolve(parts: SplitResult) -> list[tuple[str, int]]:
    """Every address of the host, all of them allowed; one that is not refuses the host, for it may come next."""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"The name {parts.hostname} leads nowhere: {error}") from error
    places = list(dict.fromkeys((str(entry[4][0]).partition("%")[0], port) for entry in found))
    for host, _ in places:
        if not _is_allowed(ipaddress.ip_address(host)):
            raise Forbidden(f"{parts.hostname} leads to {host}, which is not on the public internet.")
    return places


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class Line:
    """A connection to one checked address that can be used for several calls."""

    def __init__(self, url: str) -> None:
        self.parts = check_url(url)
        self.connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        reason: Exception | None = None
        for place in resolve(self.parts):
            try:
                found = socket.create_connection(place, timeout=CONNECT_SECONDS)
                # Or the body waits until the receiver has acknowledged the headers, often for 40 ms.
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return self._speak(found, place)
            except OSError as error:
                reason = error
        raise Unreachable(f"{self.parts.hostname} does not answer: {reason}")

    def _speak(self, found: socket.socket, place: tuple[str, int]) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.parts.hostname or "", place[1], timeout=CONNECT_SECONDS)
        with _hung_up_after(found):
            try:
                tls = self.parts.scheme == "https"
                connection.sock = _tls().wrap_socket(found, server_hostname=self.parts.hostname) if tls else found
            except OSError:
                found.close()
                raise
        return connection

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
        """Status, Retry-After and the beginning of the answer; Unreachable when there was none in time."""
        target = (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")
        sock = self.connection.sock
        try:
            sock.settimeout(CALL_SECONDS)
            with _hung_up_after(sock):
                self.connection.request("POST", target, body, {"Host": self.parts.netloc, **headers})
                answer = self.connection.getresponse()
                text = answer.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unreachable(f"No answer: {str(error) or type(error).__name__}") from error
        if answer.will_close or not answer.isclosed():
            self.close()
        return answer.status, answer.headers.get("Retry-After", ""), text

    @property
    def is_open(self) -> bool:
        return self.connection.sock is not None

    def close(self) -> None:
        self.connection.close()


@dataclass(eq=False, slots=True)
class _Watch:
    """A call that is watched until it ends."""

    sock: socket.socket | None
    late: bool = False


class _Watchdog:
    """One thread that hangs up on all calls of this process that take too long."""

    def __init__(self) -> None:
        self.watches: list[tuple[float, int, _Watch]] = []
        self.numbers = itertools.count()
        self.woken = threading.Condition()
        threading.Thread(target=self._run, daemon=True, name="webhook watchdog").start()

    def watch(self, sock: socket.socket, seconds: float) -> _Watch:
        watch = _Watch(sock)
        with self.woken:
            heapq.heappush(self.watches, (time.monotonic() + seconds, next(self.numbers), watch))
            if self.watches[0][2] is watch:
                self.woken.notify()
        return watch

    def _run(self) -> None:
        while True:
            with self.woken:
                while not self.watches or self.watches[0][0] > time.monotonic():
                    self.woken.wait(self.watches[0][0] - time.monotonic() if self.watches else None)
                _, _, watch = heapq.heappop(self.watches)
                if watch.sock is not None:
                    watch.late = True
                    _hang_up(watch.sock)


@cache
def _watchdog(process: int) -> _Watchdog:
    return _Watchdog()


@contextmanager
def _hung_up_after(sock: socket.socket) -> Iterator[None]:
    """Ends the connection when the block takes too long, also when single bytes keep coming; that is an OSError."""
    dog = _watchdog(os.getpid())  # threads do not follow into a forked process
    watch = dog.watch(sock, CALL_SECONDS)
    try:
        yield
        if watch.late:  # what was read is what had come until then
            raise TimeoutError(f"it took longer than {CALL_SECONDS:.0f} s")
    finally:
        with dog.woken:  # from here on the socket may be somebody else's
            watch.sock = None


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        sock.close()
