"""A real SMTP server that takes mail, and misbehaves towards the addresses it is told to."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import threading
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailServer:
    """Listens on a free port in a thread of its own; `behaviour[address]` is refuse, later, bye, slow, hang or drop.

    refuse: 550 at RCPT; later: 451 at RCPT; bye: 421 at RCPT and hangs up; slow: takes its time; hang: no answer to the
    message's end; drop: takes the message and then cuts the connection without a word.
    """

    def __init__(self) -> None:
        self.accepted: list[tuple[str, EmailMessage]] = []
        self.seen: list[str] = []
        self.connections = 0
        self.behaviour: dict[str, str] = {}
        self.loop = asyncio.new_event_loop()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> MailServer:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)
        self.socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(self.loop.create_server(self._speak, sock=self.socket))
        self.loop.run_forever()
        server.close()

    def _speak(self) -> SMTP:
        self.connections += 1
        return SMTP(self, hostname="localhost", loop=self.loop)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        self.seen.append(address)
        if self.behaviour.get(address) == "refuse":
            return "550 5.1.1 No such user"
        if self.behaviour.get(address) == "later":
            return "451 4.7.1 Greylisted, come again"
        if self.behaviour.get(address) == "bye":
            assert server.transport is not None
            server.transport.write(b"421 4.3.2 Enough for now\r\n")
            server.transport.close()
            return ""
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        address = envelope.rcpt_tos[0]
        behaviour = self.behaviour.get(address)
        if behaviour == "slow":
            await asyncio.sleep(0.6)
        if behaviour == "hang":
            await asyncio.sleep(3600)
        message = email.message_from_bytes(bytes(envelope.content or b""), policy=email.policy.default)
        self.accepted.append((address, message))
        if behaviour == "drop":
            assert server.transport is not None
            server.transport.abort()
        return "250 Kept"

    def ids(self, address: str) -> list[str]:
        return [str(message["Message-ID"]) for to, message in self.accepted if to == address]
