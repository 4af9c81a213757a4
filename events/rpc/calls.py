"""One gRPC call: who calls, the operation, its answer or its refusal; nothing escapes."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import structlog
from django.db import close_old_connections
from prometheus_client import Histogram

from core.context import acting_through, request_id
from core.errors import InvalidInput
from events.rpc.masks import narrow_to_mask
from events.tracker.access import Caller, Header, identify
from events.tracker.operations.events import answer_of, create_event
from events.tracker.operations.table import Operation
from events.tracker.recorder import RECORDER, Sending
from events.tracker.refusals import as_domain_error, code_of
from events.tracker.wire.codec import Plain

log = structlog.get_logger(__name__)

CALL_SECONDS = Histogram("stagepass_rpc_seconds", "Time to answer a gRPC call.", ["method", "code"])
PAGE = 1000  # without per_page: more would not fit into the 4 MiB that clients take by default

# Their requests say the whole of what shall be; all others only what they set.
REPLACING = {"UpdateEvent", "CreateUpdateCatalog", "UpdateVersions", "UpdateDependencies"}
PAGED = {"SearchEvents", "ListEvents", "TodayEvents"}
IDLE_SECONDS = 5.0
_thread = threading.local()
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


def unary(operation: Operation) -> grpc.RpcMethodHandler:
    """The handler of a method with one request and one answer."""

    def handle(message: Any, context: grpc.ServicerContext) -> Any:
        with answering(context, operation.name):
            answer = _recorded(operation, message, context) if operation.function is create_event else None
            if answer is None:
                plain = operation.call(caller_of(context), request_of(operation, message))
                answer = operation.response.to_proto(plain)
            return answer

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=operation.request.make.FromString,
        response_serializer=operation.response.make.SerializeToString,
    )


def _recorded(operation: Operation, message: Any, context: grpc.ServicerContext) -> Any:
    """The answer, recorded with what others send at the same moment; None where the operation itself has to see to it."""
    known = threading.Semaphore(0)
    sending = Sending(
        header=_header_of(context), read=lambda caller: request_of(operation, message),
        render=lambda event: operation.response.to_proto(answer_of(event)),
        face="grpc", request_id=request_id.get(), done=known.release,
    )  # fmt: skip
    RECORDER.submit(sending)
    known.acquire()
    if sending.error is not None:
        raise sending.error
    return sending.answer


def request_of(operation: Operation, message: Any) -> Plain:
    """The plain request of a message, in the sense gRPC clients give it."""
    if operation.name not in REPLACING:
        plain = operation.request.set_fields(message)
        if operation.name in PAGED and not plain.get("per_page"):
            plain["per_page"] = PAGE
        return plain
    plain = operation.request.from_proto(message)
    return narrow_to_mask(operation.request, plain) if operation.name == "UpdateEvent" else plain


def caller_of(context: grpc.ServicerContext) -> Caller:
    return identify(_header_of(context))


def _header_of(context: grpc.ServicerContext) -> Header:
    return {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}.get


def freshen_connections() -> None:
    """Drop connections that died while their thread was idle; between calls in a row none is asked whether it lives."""
    if time.monotonic() - getattr(_thread, "last_call", 0.0) > IDLE_SECONDS:
        close_old_connections()


@contextlib.contextmanager
def answering(context: grpc.ServicerContext, method: str) -> Iterator[None]:
    """Within the block a call is answered: facts say `grpc`, connections are fresh, refusals become status codes."""
    started, code = time.perf_counter(), "OK"
    request = uuid.uuid4().hex
    freshen_connections()
    try:
        with acting_through("grpc", request):
            yield
    except Exception as error:
        status, message = _refusal(error)
        code = status.name
        context.abort(status, message)
    finally:
        close_old_connections()
        _thread.last_call = time.monotonic()
        CALL_SECONDS.labels(method, code).observe(time.perf_counter() - started)


def _refusal(error: Exception) -> tuple[grpc.StatusCode, str]:
    refusal = as_domain_error(error)
    if refusal is None:
        log.error("rpc.fault", exc_info=error)
        return grpc.StatusCode.INTERNAL, "internal error; it was logged"
    message = refusal.message
    if isinstance(refusal, InvalidInput) and len(refusal.errors) > 1:
        message = " ".join(sentence for sentences in refusal.errors.values() for sentence in sentences)
    return _STATUS[code_of(refusal)], message[:4000]
