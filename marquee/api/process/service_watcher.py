"""The keeper of the workers, in the supervisor: circus' own, with a reload that loses no request.

* A dead worker is replaced within a second, by a process that the callers wait for.
* Workers that die again and again before they serve end the service, instead of being started for
  ever while callers hang. While another worker serves, the next try is a minute later.
* A reload (SIGHUP) starts new workers, and ends the old ones when those serve. New workers that
  cannot serve end, and the old ones answer on.
* A worker that has not ended GRACE_S after SIGTERM is killed.
"""

import asyncio
import logging
import os
import sys
from typing import Any, NoReturn

import psutil
from circus.process import Process
from circus.watcher import Watcher
from prometheus_client.multiprocess import mark_process_dead

from marquee.api.process.shared_state import SharedState
from marquee.api.settings import COMMAND_NAME
from marquee.core.command import INPUT_ERROR, fail

MAX_FAILED_STARTS = 5
CHECK_S = 0.5
PAUSE_S = 60.0
RELOAD_S = 60.0  # until new workers must serve
GRACE_S = 20.0  # the drain, and the slowest request, take 8

log = logging.getLogger("bentoml.marquee")


class ServiceWatcher(Watcher):  # type: ignore[misc]
    """The watcher that BentoML creates for the workers of the service."""

    numprocesses: int

    def initialize(self, evpub_socket: Any, sockets: Any, arbiter: Any) -> None:
        super().initialize(evpub_socket, sockets, arbiter)
        self.graceful_timeout = GRACE_S
        self._shared = SharedState.inherited()
        self._failed_starts, self._paused_until_s = 0, 0.0
        self._leaving: set[int] = set()  # processes that a reload ends
        self._reload_is_due = self._is_reloading = False
        self.loop.call_later(CHECK_S, self._check)

    def _check(self) -> None:
        self.loop.call_later(CHECK_S, self._check)
        self.replace_dead()

    def replace_dead(self) -> None:
        """Start a process for each that has died."""
        for process in list(self.processes.values()):
            if process.pid not in self._leaving and not process.is_alive():
                self.reap_process(process.pid)
        if self.is_active():
            self._spawn_missing()

    def reap_process(self, pid: int, status: int | None = None) -> None:
        """Forget a process that has ended; count it where it never served."""
        process = self.processes.get(pid)
        if process is not None and pid not in self._leaving and self.is_active():
            log.warning("worker %d has ended, another one takes its place", pid)
            self._failed_starts = 0 if self._is_ready(process) else self._failed_starts + 1
        super().reap_process(pid, status)
        if process is not None:
            self._forget(process)

    def _spawn_missing(self) -> None:
        while len(self.processes.keys() - self._leaving) < self.numprocesses:
            if self._failed_starts >= MAX_FAILED_STARTS and not self._is_reloading:
                if not any(map(self._is_ready, self.processes.values())):
                    end_service(
                        f"{self._failed_starts} workers have ended before they served, expected "
                        "them to start; the log has the reason, or there was not enough memory"
                    )
                if self.loop.time() < self._paused_until_s:
                    return
                self._paused_until_s = self.loop.time() + PAUSE_S
            if not self.spawn_process():
                self._failed_starts += 1

    async def spawn_processes(self) -> None:
        self._spawn_missing()

    async def manage_processes(self) -> None:
        if not self.is_stopped():
            self.replace_dead()

    async def _reload(self, graceful: bool = True, sequential: bool = False) -> None:
        """Reload in the background: circus hears no other signal while it awaits this."""
        self._reload_is_due = True
        if not self._is_reloading:
            self.loop.add_callback(self._run_reloads)

    async def _run_reloads(self) -> None:
        self._is_reloading = True
        while self._reload_is_due and self.is_active():
            self._reload_is_due = False
            await self._replace_all()
        self._is_reloading = False

    async def _replace_all(self) -> None:
        old, size = self.get_active_processes(), self.numprocesses
        self._failed_starts, self.numprocesses = 0, 2 * size
        self._spawn_missing()
        are_serving = await self._wait_for_new(old, size)
        self._failed_starts, self.numprocesses = 0, size
        if not self.is_active():
            return
        leaving = old
        if not are_serving:
            leaving = [process for process in self.get_active_processes() if process not in old]
            log.error("reload: the new workers did not start to serve, the old ones answer on")
        self._leaving = {process.pid for process in leaving}
        await asyncio.gather(*(self._end(process) for process in leaving))
        self._leaving = set()

    async def _wait_for_new(self, old: list[Process], size: int) -> bool:
        """Return whether as many new workers serve, within RELOAD_S, and none has died before."""
        deadline = self.loop.time() + RELOAD_S
        while self.loop.time() < deadline and not self._failed_starts:
            new = [process for process in self.processes.values() if process not in old]
            if not self.is_active() or sum(map(self._is_ready, new)) >= size:
                return True
            await asyncio.sleep(0.1)
        return False

    async def _end(self, process: Process) -> None:
        await self.kill_process(process)
        self.processes.pop(process.pid, None)
        self._forget(process)

    async def _stop(self, close_output_streams: bool = False) -> None:
        """Stop the workers; the port refuses connections as soon as they accept none."""
        if self.arbiter._stopping:
            for socket in self.sockets.values():
                socket.close()
        await super()._stop(close_output_streams)

    def _forget(self, process: Process) -> None:
        """Drop what only a living process has: connections and gauges; counters stay."""
        self._shared.set_connections(process.wid, None)
        mark_process_dead(process.pid, self.env["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]

    def _is_ready(self, process: Process) -> bool:
        return self._shared.is_ready(process.wid, process.pid)


def end_service(message: str) -> NoReturn:
    """End the supervisor and all its processes, with one sentence and status 2."""
    sys.stdout.flush()
    fail(COMMAND_NAME, message, INPUT_ERROR)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(INPUT_ERROR)
