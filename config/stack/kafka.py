"""Plays a Kafka broker: librdkafka's own mock cluster, which speaks the real protocol and keeps everything in memory.

Run by path: `python kafka.py --port PORT`. A relay holds the port, so that the address stays the same after a restart.
"""

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
from pathlib import Path

BROKER = 1


def library() -> ctypes.CDLL:
    """librdkafka as confluent-kafka brings it along; OSError when it is nowhere."""
    import confluent_kafka

    package = Path(confluent_kafka.__file__).parent
    bundled = sorted((package.parent / "confluent_kafka.libs").glob("librdkafka-*.so*"))
    bundled += sorted((package / ".dylibs").glob("librdkafka*.dylib"))
    found = ctypes.CDLL(str(bundled[0]) if bundled else "librdkafka.so.1")
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(found, name).restype = ctypes.c_void_p
    found.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    return found


class MockCluster:
    """One broker on a port of its own that can be told to fail, to be slow, and to be gone for a while."""

    def __init__(self, partitions: int = 4) -> None:
        self._library = library()
        text = ctypes.create_string_buffer(512)
        conf = ctypes.c_void_p(self._library.rd_kafka_conf_new())
        self._handle = ctypes.c_void_p(self._library.rd_kafka_new(0, conf, text, len(text)))
        if not self._handle:
            raise OSError(f"librdkafka does not start: {text.value.decode()}")
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._handle, BROKER))
        self.partitions = partitions

    @property
    def address(self) -> str:
        """Where it listens: host and port."""
        found: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return found.decode()

    def create_topic(self, name: str) -> None:
        """A topic with `partitions` partitions; one that is merely used is made with four."""
        self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), self.partitions, 1)

    def advertise(self, host: str, port: int) -> None:
        """Tell clients another address than the one it listens on."""
        self._library.rd_kafka_mock_broker_set_host_port(self._cluster, BROKER, host.encode(), port)

    def go_down(self) -> None:
        """Close every connection and take none until `come_back`."""
        self._library.rd_kafka_mock_broker_set_down(self._cluster, BROKER)

    def come_back(self) -> None:
        self._library.rd_kafka_mock_broker_set_up(self._cluster, BROKER)

    def slow_down(self, milliseconds: int) -> None:
        """Let every answer take so long from now on."""
        self._library.rd_kafka_mock_broker_set_rtt(self._cluster, BROKER, milliseconds)

    def fail_topic(self, name: str, error: int) -> None:
        """Answer whoever asks for the topic with this error of the protocol; 0 makes it well again."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, name.encode(), error)

    def fail_produce(self, *errors: int) -> None:
        """Answer the next requests to produce with these errors, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, ctypes.c_int16(0), len(errors), codes)

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    """Relay the port to the mock cluster until asked to stop."""
    cluster = MockCluster()
    cluster.advertise("127.0.0.1", port)
    host, _, inner = cluster.address.rpartition(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_reader, broker_writer = await asyncio.open_connection(host, int(inner))
        await asyncio.gather(_pump(reader, broker_writer), _pump(broker_reader, writer))

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = await asyncio.start_server(relay, "127.0.0.1", port)
    print(f"Playing a Kafka broker on 127.0.0.1:{port} (process {os.getpid()})", flush=True)
    await stop.wait()
    server.close()
    cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(serve(parser.parse_args().port))
