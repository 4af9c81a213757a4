"""What servers that play the outside world have in common: a free port, a thread, and an end that lets go of who hangs."""

from __future__ import annotations

import http.server
import threading
from typing import Self


class Listening:
    """Listens while it is entered. Handlers that hang wait for `release`, so that the end waits for nobody."""

    def listen(self, handler: type[http.server.BaseHTTPRequestHandler], port: int = 0) -> str:
        """Take the port (0: any that is free); the address without a slash at its end."""
        self.release = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
