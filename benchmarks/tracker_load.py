"""Sends one raw HTTP request (standard input) over kept connections and prints answers a second: PORT CLIENTS SECONDS."""

from __future__ import annotations

import selectors
import socket
import sys
import time


def main() -> None:
    port, clients, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    raw = sys.stdin.buffer.read()
    ready = selectors.DefaultSelector()
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(raw)
        ready.register(connection, selectors.EVENT_READ, bytearray())
    begun = last = time.perf_counter()
    done = 0
    while last - begun < seconds:
        for key, _ in ready.select(timeout=5):
            connection, buffer = key.fileobj, key.data
            buffer += connection.recv(1 << 20)
            if is_whole(buffer):
                assert buffer.startswith(b"HTTP/1.1 200"), bytes(buffer[:2000])
                buffer.clear()
                done += 1
                connection.sendall(raw)
        last = time.perf_counter()
    print(done / (last - begun))


def is_whole(buffer: bytearray) -> bool:
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return False
    lower = bytes(buffer[:head]).lower()
    at = lower.find(b"content-length:")
    if at < 0:  # chunked
        return buffer.endswith(b"0\r\n\r\n")
    length = int(lower[at + 15 :].split(b"\r\n", 1)[0])
    return len(buffer) >= head + 4 + length


main()
