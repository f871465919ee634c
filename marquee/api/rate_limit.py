"""The rate limit of each key: one token bucket, common to all workers of the service."""

import hashlib
import time
from collections.abc import Callable
from functools import lru_cache

from marquee.api.process.shared_state import NUM_BUCKETS, SharedState

PROBES = 16  # places that a key may have, one after another


class RateLimiter:
    """Token buckets of one second's requests, in memory that the workers share."""

    def __init__(
        self,
        rate: float | None,
        state: SharedState | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """rate: requests a second for each key, None for no limit. state: default: of its own.

        clock: seconds that all processes of the machine count alike.
        """
        self.rate, self._clock = rate, clock
        self._state = state or SharedState()

    def admits(self, key: str) -> bool:
        """Take one token of the key's bucket; return False where it is empty."""
        if self.rate is None:
            return True
        key_hash, now, capacity = hash_key(key), self._clock(), max(1.0, self.rate)
        with self._state.locked():
            place, tokens, at_s = self._find(key_hash, capacity, now)
            tokens = min(capacity, tokens + (now - at_s) * self.rate)
            fits = tokens >= 1
            self._state.write_bucket(place, key_hash, tokens - fits, now)
        return fits

    def _find(self, key_hash: int, capacity: float, now: float) -> tuple[int, float, float]:
        """Return place and content of a bucket: the key's, an unused one, or the oldest."""
        oldest = (float("inf"), 0)
        for probe in range(PROBES):
            place = (key_hash + probe) % NUM_BUCKETS
            bucket_hash, tokens, at_s = self._state.read_bucket(place)
            if bucket_hash == key_hash:
                return place, tokens, at_s
            if bucket_hash == 0:
                return place, capacity, now
            oldest = min(oldest, (at_s, place))
        return oldest[1], capacity, now


@lru_cache(maxsize=1024)
def hash_key(key: str) -> int:
    """Return 64 bits of a key, never 0: the shared memory holds no key."""
    digest = hashlib.blake2b(key.encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1
