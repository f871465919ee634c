"""A proxy to a server whose connections can be cut: what a network does to a transfer.

    with flaky_proxy(endpoint) as proxy:         # proxy.address leads there
        proxy.limit(lambda: (UNLIMITED, 700))    # connections end after 700 bytes of answers
        proxy.limit(lambda: (0, UNLIMITED), end="hang")    # … or stay open, and nothing goes out
        proxy.limit()

The function is called for each new connection: bytes that go out, and that come back, before its
end. That end is a reset, as of a machine that loses its power ("reset"), an orderly close in the
middle ("close"), or silence ("hang").
"""

import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

UNLIMITED = sys.maxsize
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close by a reset."""


def unlimited() -> tuple[int, int]:
    return UNLIMITED, UNLIMITED


class FlakyProxy(socketserver.ThreadingTCPServer):
    """Forwards every connection to one port of this machine."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = port
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.budgets, self.end = unlimited, "reset"
        self.num_cuts = 0
        self.was_cut = threading.Event()
        """Set at each end that was not either side's own."""
        self.connections: set[socket.socket] = set()

    def limit(self, budgets: Callable[[], tuple[int, int]] = unlimited, end: str = "reset") -> None:
        """Change the budgets, also for those who are connected: they have to come again."""
        self.budgets, self.end = budgets, end
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        if budgets is unlimited:
            self.was_cut.clear()


class _Connection(socketserver.BaseRequestHandler):
    server: FlakyProxy

    def handle(self) -> None:
        self.server.connections.add(self.request)
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.server.port)) as upstream,
        ):
            # A server that reads to the end would take half a head for a full one, as moto's does.
            upstream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._forward(upstream)
        self.server.connections.discard(self.request)

    def _forward(self, upstream: socket.socket) -> None:
        other = {self.request: upstream, upstream: self.request}
        budget = dict(zip(other, self.server.budgets(), strict=True))
        while True:
            for source in select.select(list(other), [], [])[0]:
                block = source.recv(1 << 16)
                if not block:
                    return
                other[source].sendall(block[: budget[source]])
                budget[source] -= len(block)
                if budget[source] <= 0:
                    return self._end()

    def _end(self) -> None:
        self.server.num_cuts += 1
        self.server.was_cut.set()
        if self.server.end == "hang":
            while self.request.recv(1 << 16):  # until the other side is gone
                pass
        elif self.server.end == "close":
            self.request.shutdown(socket.SHUT_RDWR)
        else:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.request.close()


@contextmanager
def flaky_proxy(endpoint: str) -> Iterator[FlakyProxy]:
    port = urlsplit(endpoint).port
    assert port is not None
    with FlakyProxy(port) as proxy:
        threading.Thread(target=proxy.serve_forever, args=[0.05], daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
