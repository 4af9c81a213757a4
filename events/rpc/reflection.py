"""Server reflection, in the version clients ask for today (v1) and the one before (v1alpha): the same messages."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from grpc_reflection.v1alpha import reflection, reflection_pb2

OLD, NEW = "grpc.reflection.v1alpha", "grpc.reflection.v1"
METHOD = "ServerReflectionInfo"


def add_reflection(server: grpc.Server, services: list[str]) -> None:
    """Let clients ask which services there are and what their messages look like."""
    _describe_new_version()
    names = [*services, f"{OLD}.ServerReflection", f"{NEW}.ServerReflection"]
    servicer = reflection.ReflectionServicer(names)
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(f"{package}.ServerReflection", {METHOD: handler})
            for package in (OLD, NEW)
        ]
    )


def _describe_new_version() -> None:
    """Put a description of v1 into the pool: v1alpha's under the new name, as the two differ in nothing else."""
    pool = descriptor_pool.Default()
    file = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = "grpc/reflection/v1/reflection.proto", NEW
    file.ClearField("options")
    for message in file.message_type:
        _rename(message)
    for method in file.service[0].method:
        method.input_type = _renamed(method.input_type)
        method.output_type = _renamed(method.output_type)
    pool.Add(file)  # adding the same file again changes nothing


def _rename(message: DescriptorProto) -> None:
    for each in message.field:
        if each.type_name:
            each.type_name = _renamed(each.type_name)
    for nested in message.nested_type:
        _rename(nested)


def _renamed(name: Any) -> str:
    return str(name).replace(f".{OLD}.", f".{NEW}.")
