"""A line to a server that can be cut: what a network does to a transfer.

    with line(endpoint) as wire:               # wire.address leads there
        wire.trouble(lambda: (WHOLE, 700))     # connections end after 700 bytes of answers
        wire.trouble(lambda: (0, WHOLE), silent=True)   # … or stay open, and nothing goes out
        wire.mend()

What is asked at each new connection: how many bytes go out, and how many come back, before its end.
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

WHOLE = sys.maxsize
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close by a reset, as a machine that loses its power does."""


class Line(socketserver.ThreadingTCPServer):
    """Forwards every connection to one port of this machine."""

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = port
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.lasts: Callable[[], tuple[int, int]] = lambda: (WHOLE, WHOLE)
        self.silent = False
        self.cuts = self.sent = 0
        self.ended = threading.Event()
        """Set at each end that was not either side's own."""
        self.open: set[socket.socket] = set()

    def trouble(self, lasts: Callable[[], tuple[int, int]], silent: bool = False) -> None:
        """From now on, also for those who are connected: they have to come again."""
        self.lasts, self.silent = lasts, silent
        for each in list(self.open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self.trouble(lambda: (WHOLE, WHOLE))
        self.ended.clear()


class _Connection(socketserver.BaseRequestHandler):
    server: Line

    def handle(self) -> None:
        self.server.open.add(self.request)
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", self.server.port)) as there,
        ):
            # A server that reads to the end would take half a head for a whole one, as moto's does.
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self._pass_on(there)
        self.server.open.discard(self.request)

    def _pass_on(self, there: socket.socket) -> None:
        other = {self.request: there, there: self.request}
        left = dict(zip(other, self.server.lasts(), strict=True))
        while True:
            for source in select.select(list(other), [], [])[0]:
                block = source.recv(1 << 16)
                if not block:
                    return
                passed = block[: left[source]]
                other[source].sendall(passed)
                self.server.sent += len(passed) * (source is self.request)
                left[source] -= len(block)
                if left[source] <= 0:
                    return self._end()

    def _end(self) -> None:
        self.server.cuts += 1
        self.server.ended.set()
        if self.server.silent:
            while self.request.recv(1 << 16):  # until the other side is gone
                pass
        else:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.request.close()


@contextmanager
def line(endpoint: str) -> Iterator[Line]:
    port = urlsplit(endpoint).port
    assert port is not None
    with Line(port) as wire:
        threading.Thread(target=wire.serve_forever, args=[0.05], daemon=True).start()
        try:
            yield wire
        finally:
            wire.shutdown()
