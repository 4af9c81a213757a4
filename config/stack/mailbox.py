"""Catches e-mails over SMTP and keeps each as one `.eml` file, for a machine that has no mail server.

Run by path: `python mailbox.py --port PORT --directory DIRECTORY`.
"""

import argparse
import asyncio
import itertools
import os
import signal
from datetime import UTC, datetime
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

LIMIT = 33_554_432  # bytes per message
counter = itertools.count(1)


class Mailbox:
    """The handler that writes messages into a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one message; its name sorts by time of arrival."""
        content = envelope.content or b""
        self.keep(content if isinstance(content, bytes) else content.encode(), envelope)
        return "250 Kept"

    def keep(self, content: bytes, envelope: Envelope) -> Path:
        """Write the message whole or not at all, with the envelope on top: Bcc is seen nowhere else."""
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{next(counter):04d}.eml"
        recipients = ", ".join(envelope.rcpt_tos)
        top = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {recipients}\r\n"
        fresh = self.directory / f".{name}"
        fresh.write_bytes(top.encode("utf-8") + content)
        return fresh.replace(self.directory / name)


async def serve(port: int, directory: Path) -> None:
    """Catch mail until asked to stop."""
    directory.mkdir(parents=True, exist_ok=True)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(
        lambda: SMTP(Mailbox(directory), enable_SMTPUTF8=True, data_size_limit=LIMIT, hostname="localhost", loop=loop),
        host="127.0.0.1",
        port=port,
    )
    print(f"Catching mail on smtp://127.0.0.1:{port} into {directory} (process {os.getpid()})", flush=True)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.port, given.directory))
