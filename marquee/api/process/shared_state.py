"""Memory that the workers of one service share: versions, rate limits, who is ready.

    os.environ |= share_with_workers()       # in the supervisor, before it starts a worker
    state = SharedState.inherited()          # in a worker; memory of its own where none is shared

It is a file without a name, whose descriptor the workers inherit: it disappears with the last of
them, however they end. A slot is one aligned word, which is written at once, so only the rate
limits take a lock (decision 0079).
"""

import fcntl
import mmap
import os
import random
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from zlib import crc32

VARIABLE = "MARQUEE_SHARED_STATE"  # the descriptor's number
NUM_VERSIONS = 1 << 16
NUM_BUCKETS = 1 << 12  # keys with a rate limit
MAX_WORKERS = 64
NUM_READY = 2 * MAX_WORKERS + 1  # circus numbers workers from 1; a reload doubles them
BUCKET = struct.Struct("=Qdd")  # hash of the key, tokens, when they were counted
VERSIONS_BYTES, READY_BYTES = 8 * NUM_VERSIONS, 8 * NUM_READY
CATALOG_BYTES = 8
BUCKETS_START = VERSIONS_BYTES + 2 * READY_BYTES + CATALOG_BYTES
SIZE = BUCKETS_START + BUCKET.size * NUM_BUCKETS


class SharedState:
    """One mapping of the shared memory."""

    def __init__(self, descriptor: int | None = None) -> None:
        """descriptor: of a file of SIZE bytes; None: memory of this process alone."""
        self._descriptor = descriptor
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, SIZE)
        words = memoryview(self._memory)[:BUCKETS_START].cast("Q")
        self._version = words[:NUM_VERSIONS]
        self._ready_pid = words[NUM_VERSIONS : NUM_VERSIONS + NUM_READY]
        # And 1; 0: accepts none.
        self._connections = words[NUM_VERSIONS + NUM_READY : NUM_VERSIONS + 2 * NUM_READY]
        self._catalog = words[NUM_VERSIONS + 2 * NUM_READY :]

    @classmethod
    def inherited(cls, environment: Mapping[str, str] = os.environ) -> "SharedState":
        """Map what the supervisor shares; without one, memory of this process alone."""
        descriptor = environment.get(VARIABLE)
        return cls(int(descriptor) if descriptor else None)

    def version(self, user_id: str) -> int:
        """Return a word that changes with every acknowledged write for the user.

        Read it before the state that it belongs to: that is valid while the word is the same.
        """
        return self._version[_slot(user_id)]

    def renew_versions(self, user_ids: Iterable[str]) -> None:
        """Change the users' words; call it after a write, and before its acknowledgement."""
        for user_id in user_ids:
            self._version[_slot(user_id)] = random.getrandbits(64)

    def catalog_word(self) -> int:
        """Return a word that changes with every acknowledged write to the catalog."""
        return self._catalog[0]

    def renew_catalog_word(self) -> None:
        """Change the catalog's word, as `renew_versions` does those of users."""
        self._catalog[0] = random.getrandbits(64)

    def mark_ready(self, worker_id: int, pid: int) -> None:
        self._ready_pid[worker_id] = pid

    def is_ready(self, worker_id: int, pid: int) -> bool:
        """Return whether this process, with this number of circus, has begun to serve."""
        return self._ready_pid[worker_id] == pid

    def set_connections(self, worker_id: int, count: int | None) -> None:
        """Store how many connections a worker has; None: it accepts none."""
        self._connections[worker_id] = 0 if count is None else count + 1

    def has_fewer_connections(self, worker_id: int) -> bool:
        """Return whether another worker that accepts has fewer than this one."""
        mine = self._connections[worker_id]
        return any(0 < count < mine for count in self._connections)

    def read_bucket(self, place: int) -> tuple[int, float, float]:
        """Return a token bucket: hash of its key (0: unused), tokens, and when."""
        return BUCKET.unpack_from(self._memory, BUCKETS_START + BUCKET.size * place)

    def write_bucket(self, place: int, key_hash: int, tokens: float, at_s: float) -> None:
        offset = BUCKETS_START + BUCKET.size * place
        BUCKET.pack_into(self._memory, offset, key_hash, tokens, at_s)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other workers away from the token buckets; held for microseconds."""
        if self._descriptor is None:
            yield
            return
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN)


def share_with_workers() -> dict[str, str]:
    """Make the shared memory; return the variable by which workers find it."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("marquee")
    else:  # macOS
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, SIZE)
    os.set_inheritable(descriptor, True)
    return {VARIABLE: str(descriptor)}


def _slot(user_id: str) -> int:
    return crc32(user_id.encode(errors="replace")) % NUM_VERSIONS
