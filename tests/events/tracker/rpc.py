"""A real gRPC server process on the test database, and a client for it made from reflection alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
from django.db import connection
from google.protobuf import descriptor_pool, json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha import reflection_pb2

ROOT = Path(__file__).parents[3]
REFLECTIONS = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


def database_url() -> str:
    place = connection.settings_dict
    user, password = quote(place["USER"]), quote(place["PASSWORD"])
    return f"postgres://{user}:{password}@{place['HOST']}:{place['PORT']}/{place['NAME']}"


def start_server(*options: str, **environment: str) -> tuple[subprocess.Popen[str], int]:
    """The server's process and the port it serves on."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "rungrpc", "--port", "0", *options],
        cwd=ROOT, env=os.environ | {"DATABASE_URL": database_url()} | environment,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("Serving gRPC on "), line
    return process, int(line.rpartition(":")[2])


class Client:
    """Calls by name with JSON in and out, as grpcurl does: it knows only what reflection tells it."""

    def __init__(self, port: int, version: str = REFLECTIONS[0]) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.version = version
        self.pool = descriptor_pool.DescriptorPool()

    def close(self) -> None:
        self.channel.close()

    def ask(self, **request: str) -> Any:
        method = self.channel.stream_stream(
            f"/{self.version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        return next(method(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=20))

    def services(self) -> list[str]:
        return sorted(service.name for service in self.ask(list_services="").list_services_response.service)

    def service(self, name: str) -> Any:
        try:
            return self.pool.FindServiceByName(name)
        except KeyError:
            answer = self.ask(file_containing_symbol=name)
            assert not answer.HasField("error_response"), answer
            files = [
                FileDescriptorProto.FromString(raw) for raw in answer.file_descriptor_response.file_descriptor_proto
            ]
            self._add(files)
            return self.pool.FindServiceByName(name)

    def _add(self, files: list[FileDescriptorProto]) -> None:
        waiting = {file.name: file for file in files}
        while waiting:
            ready = [f for f in waiting.values() if not any(name in waiting for name in f.dependency)]
            for file in ready:
                self.pool.Add(waiting.pop(file.name))

    def method(self, full_name: str) -> tuple[Any, Any, Any]:
        service, _, name = full_name.rpartition("/")
        method = self.service(service).methods_by_name[name]
        return method, GetMessageClass(method.input_type), GetMessageClass(method.output_type)

    def call(self, full_name: str, request: dict[str, Any] | None = None, token: str = "", **metadata: str) -> Any:
        _, asks, answers = self.method(full_name)
        stub = self.channel.unary_unary(
            f"/{full_name}", request_serializer=asks.SerializeToString, response_deserializer=answers.FromString
        )
        message = json_format.ParseDict(request or {}, asks(), descriptor_pool=self.pool)
        return json_format.MessageToDict(stub(message, timeout=20, metadata=headers(token, metadata)))

    def watch(self, full_name: str, request: dict[str, Any] | None = None, token: str = "") -> Any:
        _, asks, answers = self.method(full_name)
        stub = self.channel.unary_stream(
            f"/{full_name}", request_serializer=asks.SerializeToString, response_deserializer=answers.FromString
        )
        message = json_format.ParseDict(request or {}, asks(), descriptor_pool=self.pool)
        stream = stub(message, timeout=60, metadata=headers(token, {}))
        stream.initial_metadata()  # it watches from here on
        return stream


def headers(token: str, metadata: dict[str, str]) -> list[tuple[str, str]]:
    sent = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    return [*sent, ("authorization", f"Bearer {token}")] if token else sent
