"""gRPC and its JSON by buf, a program in Go that shares no line with our server: script/test installs it (BUF names it).

What the guide says with grpcurl is said with buf as `buf curl --protocol grpc --http2-prior-knowledge -d REQUEST
http://HOST:PORT/SERVICE/METHOD`; buf takes numbers of enums only as numbers, grpcurl also as text.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from accounts.services import issue_token
from events.models import Event
from events.tracker import records
from events.tracker.wire.messages import FILES, message
from tests.events.tracker.commands import grpcurl
from tests.events.tracker.conftest import columns
from tests.events.tracker.guide import GRPCURL
from tests.events.tracker.rpc import REFLECTIONS, start_server
from tests.events.tracker.test_guide import EXAMPLE_ID
from tests.events.tracker.test_wire import ALL, GOLDEN, full

BUF = os.environ.get("BUF") or shutil.which("buf")
EVENTS = "tracker.event.v1alpha1.EventService"
NOT_FOUND = 5 << 3  # buf ends with the code of gRPC, shifted

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(BUF is None, reason="BUF names no buf; script/test installs it"),
]


@pytest.fixture(scope="module")
def port(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        process, port = start_server()
    yield port
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


@pytest.fixture
def bearer(devops) -> str:
    return "Bearer " + issue_token(user=devops, name="x", scopes=["events:read", "events:write"])[1]


def command(port: int, method: str, request: Any, bearer: str = "", version: str = REFLECTIONS[0]) -> list[str]:
    asked = ["--protocol", "grpc", "--http2-prior-knowledge", "--emit-defaults", "-d", json.dumps(request)]
    asked += ["--reflect-protocol", version.removeprefix("grpc.reflection.").replace("v1", "grpc-v1", 1)]
    asked += ["-H", f"authorization: {bearer}"] if bearer else []
    return [str(BUF), "curl", *asked, f"http://127.0.0.1:{port}/{method}"]


def ask(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, **options), capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip


def unquoted(value: Any) -> Any:
    """Numbers of enums as numbers."""
    if isinstance(value, dict):
        return {key: unquoted(item) for key, item in value.items()}
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 3 else value


@pytest.mark.parametrize("version", REFLECTIONS)
def test_every_grpcurl_command_of_the_guide_through_reflection(port, bearer, tenant, version):
    for line in GRPCURL:
        method, request = grpcurl(line)
        if "GetEvent" in method:
            Event.objects.update(slack_id=EXAMPLE_ID)
        done = ask(port, method, unquoted(request), bearer, version=version)
        assert done.returncode == 0, (line, done.stderr)
        answer = json.loads(done.stdout)
        if "CreateEvent" in method:
            made = answer["event"]
            assert (made["attributes"]["status"], made["attributes"]["environment"]) == ("success", "production")
        elif "GetEvent" in method:
            assert answer["event"]["metadata"]["id"] == made["metadata"]["id"]
        else:
            wanted = 0 if "priority" in request else 1
            assert (answer["totalCount"], len(answer["events"])) == (wanted, wanted), line


def test_health_services_and_refusals(port, bearer, tenant):
    done = ask(port, "grpc.health.v1.Health/Check", {"service": EVENTS})
    assert json.loads(done.stdout) == {"status": "SERVING"}
    listed = subprocess.run(
        [str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--list-methods", f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout.split()  # fmt: skip
    ours = {f"{service.full_name}/{name}" for file in FILES.values()
            for service in file.services_by_name.values() for name in service.methods_by_name}  # fmt: skip
    assert ours <= set(listed)
    done = ask(port, f"{EVENTS}/GetEvent", {"id": "nothing"}, bearer)
    assert done.returncode == NOT_FOUND
    assert "no event found" in done.stderr


def test_it_watches_what_happens(port, bearer, tenant, devops):
    event = records.record_event(tenant=tenant, content=columns(), by=devops)
    records.update_event(event=event, content={"status": 3}, by=devops)
    line = command(port, f"{EVENTS}/WatchEvents", {"afterSequence": "0"}, bearer)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        decode, text, heard = json.JSONDecoder(), "", []
        while len(heard) < 2 and (read := watching.stdout.readline()):
            text += read
            try:
                one, end = decode.raw_decode(text.lstrip())
            except ValueError:
                continue  # the rest of this answer is still to come
            heard.append(one)
            text = text.lstrip()[end:]
        watching.terminate()
    assert [one["kind"] for one in heard] == ["recorded", "changed"]
    assert {one["id"] for one in heard} == {str(event.pk)}


def test_the_golden_json_of_every_message_is_what_it_prints(tmp_path):
    """The binary form of each full message, made by Google's library, printed by Go's."""
    image = tmp_path / "image.binpb"
    image.write_bytes(descriptors().SerializeToString())
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for package, name in ALL:
        codec = message(package, name)
        printed = subprocess.run(
            [str(BUF), "convert", str(image), "--type", codec.full_name, "--from", "-#format=binpb", "--to",
             "-#format=json"],
            input=codec.to_proto(full(codec)).SerializeToString(), capture_output=True, timeout=60, check=True,
        )  # fmt: skip
        assert json.loads(printed.stdout) == golden[f"{package}.{name}"]["full"], name


def descriptors() -> FileDescriptorSet:
    """Our files, after those they import."""
    found, image = set(), FileDescriptorSet()

    def add(file: Any) -> None:
        if file.name in found:
            return
        found.add(file.name)
        for needed in file.dependencies:
            add(needed)
        file.CopyToProto(image.file.add())

    for file in FILES.values():
        add(file)
    return image
