"""Accept connections in turns: a worker that holds more of them lets the others accept first.

Workers share one listening socket, and the first that wakes would accept all that wait there. So
the eight connections that a proxy keeps open could be those of one worker, while a core idles.
"""

import asyncio
import socket
from collections.abc import Callable

from marquee.api.process.shared_state import SharedState

PAUSE_S = 0.005
MAX_PAUSES = 10
"""A connection waits no longer: a worker that is missed may have ended."""
FULL_S = 0.1
"""Until the next try where no file descriptor is left."""


class FairListener:
    """The accepting side of one worker, as an asyncio server for uvicorn."""

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], asyncio.Protocol],
        count_connections: Callable[[], int],
        *,
        shared: SharedState,
        worker_id: int,
    ) -> None:
        """Start to accept. count_connections: of this worker, those that are open."""
        self._listener, self._make_protocol = listener, make_protocol
        self._count, self._shared, self._worker_id = count_connections, shared, worker_id
        self._loop, self._pauses, self._is_closed = asyncio.get_running_loop(), 0, False
        self._opening: set[asyncio.Task[object]] = set()
        listener.setblocking(False)
        self.publish()
        self._listen()

    def publish(self) -> None:
        """Tell the other workers how many connections this one has."""
        if not self._is_closed:
            self._shared.set_connections(self._worker_id, self._count() + len(self._opening))

    def close(self) -> None:
        """Accept no more connections; those that are open stay."""
        self._is_closed = True
        self._loop.remove_reader(self._listener)
        self._shared.set_connections(self._worker_id, None)

    async def wait_closed(self) -> None:
        """Return at once, as nothing is left to close."""

    def _listen(self) -> None:
        if not self._is_closed:
            self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._listen)

    def _accept(self) -> None:
        """Accept one connection, unless it is another worker's turn."""
        self.publish()
        if self._pauses < MAX_PAUSES and self._shared.has_fewer_connections(self._worker_id):
            self._pauses += 1
            self._pause(PAUSE_S)
            return
        self._pauses = 0
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker was first, or the caller has gone
        except OSError:
            self._pause(FULL_S)
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task: asyncio.Task[object] = self._loop.create_task(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        self.publish()

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:
            connection.close()
