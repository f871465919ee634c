"""The HTTP server of a worker: uvicorn's, which loses no request when it ends.

A proxy keeps connections open, and sends its next request on one of them at any time. If the server
closes it in this moment, the caller gets an error. So on SIGTERM the server goes on for some
seconds, and says `Connection: close` in each response: the proxy itself drops the connection. An
idle connection is kept for longer than proxies keep theirs.
"""

import asyncio
import os
import socket

import uvicorn
from bentoml import server_context

from marquee.api.process.fair_listener import FairListener
from marquee.api.process.shared_state import SharedState
from marquee.api.settings import Settings

DRAIN_S = 3.0
ACCEPTED_S = 0.5  # for the first request of a connection that was accepted last
CLOSE = (b"connection", b"close")


class DrainingServer(uvicorn.Server):
    """A server that drains before it shuts down, and reports when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        settings = Settings.from_environment()
        config.timeout_keep_alive = settings.keep_alive_s  # type: ignore[assignment]
        self._num_workers = settings.workers
        # uvicorn would take the client of a loopback peer from X-Forwarded-For, and with
        # FORWARDED_ALLOW_IPS=* of any: the true peer counts, see access/local_callers.py.
        config.proxy_headers = False
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        worker_id = server_context.worker_index
        is_shared = worker_id is not None and self._num_workers > 1 and not self.config.ssl
        await super().startup([] if is_shared else sockets)
        if worker_id is None:
            return
        shared = SharedState.inherited()
        if is_shared:
            for listener in sockets or ():
                server = FairListener(
                    listener, self._make_protocol, self._count, shared=shared, worker_id=worker_id
                )
                self.servers.append(server)  # type: ignore[arg-type]
        shared.mark_ready(worker_id, os.getpid())

    async def on_tick(self, counter: int) -> bool:
        for server in self.servers:
            if isinstance(server, FairListener):
                server.publish()
        return await super().on_tick(counter)

    def _make_protocol(self) -> asyncio.Protocol:
        """Return the protocol of a connection, as uvicorn's own startup does."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _count(self) -> int:
        return len(self.server_state.connections)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.server_state.default_headers.append(CLOSE)  # of requests in progress, too
        await self._wait_for_connections(DRAIN_S)
        for server in self.servers:
            server.close()
        await self._wait_for_connections(ACCEPTED_S)
        await super().shutdown(sockets)

    async def _wait_for_connections(self, timeout_s: float) -> None:
        """Wait until the clients have closed all connections; not for longer than this."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self.server_state.connections and not self.force_exit:
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(0.02)


def use_draining_server() -> None:
    """Make BentoML's worker, which has imported uvicorn, serve with a DrainingServer."""
    if server_context.worker_index is not None:
        uvicorn.Server = DrainingServer  # type: ignore[misc]
