"""The mailbox: a real mail over SMTP becomes a file, whole, in order, with the envelope."""

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from config.stack import processes

SCRIPT = Path(__file__).parents[2] / "config" / "stack" / "mailbox.py"


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = processes.choose_port()
    command = [sys.executable, "-P", str(SCRIPT), "--port", str(port), "--directory", str(tmp_path / "mailbox")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout
    assert b"Catching mail" in process.stdout.readline()
    yield port
    process.terminate()
    assert process.wait(5) == 0


def mail(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "stagepass@example.com", "cpi@example.com"
    message.set_content("Grüße, please approve PR-2024-0003.\n.\n..dots\n")
    message.add_alternative("<p>Please approve</p>", subtype="html")
    return message


def test_mails_are_kept_in_the_order_of_their_arrival(port: int, tmp_path: Path) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        for number in range(3):
            client.send_message(mail(f"Zürich {number}"), to_addrs=["cpi@example.com", "blind@example.com"])
    files = sorted((tmp_path / "mailbox").iterdir())
    kept = [message_from_bytes(file.read_bytes(), policy=default) for file in files]
    assert [message["Subject"] for message in kept] == ["Zürich 0", "Zürich 1", "Zürich 2"]
    assert {file.suffix for file in files} == {".eml"}
    assert kept[0]["X-Envelope-To"] == "cpi@example.com, blind@example.com"
    body = kept[0].get_body(("plain",))
    assert body
    assert body.get_content().replace("\r\n", "\n") == "Grüße, please approve PR-2024-0003.\n.\n..dots\n"
