"""Who may ask, and how often.

    access = Access(api_keys=("…",), rate_limit=100)
    access.refusal(scope)        # None, or the error response

With keys: `Authorization: Bearer KEY`; from this machine reads go without one, writes never do.
With none: only this machine. A rate limit holds for each key, and for this machine's requests
without one.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Scope

from marquee.api.request_log import header
from marquee.api.routes import error

READS = frozenset(
    {"/recommend", "/recommend_batch", "/predict", "/similar", "/rerank", "/charts", "/rate_next"}
)
"""POST that changes nothing; every other POST, PUT, PATCH and DELETE is a write."""
BURST_S = 1.0
"""Requests of so many seconds may come at once."""
NO_KEY = ""


class Access:
    """Checks keys in constant time, and counts. One of these stands in each worker: a limit is that
    of a worker."""

    def __init__(
        self,
        api_keys: Sequence[str],
        rate_limit: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = [key.encode() for key in api_keys]
        self._rate, self._clock = rate_limit, clock
        self._left: dict[str, tuple[float, float]] = {}

    def refusal(self, scope: Scope) -> Response | None:
        """The response for who may not ask, or asks too often."""
        key = self._key(scope)
        if key is None and not self._may_without(scope):
            if self._keys:
                return error("unauthorized", "send the header Authorization: Bearer KEY")
            return error("unauthorized", "API_KEYS is not set: only this machine is served")
        if self._rate is not None and not self._counted(key or NO_KEY, self._rate):
            return error("busy", f"more than {self._rate:g} requests a second; ask again")
        return None

    def _key(self, scope: Scope) -> str | None:
        if not self._keys:
            return None
        scheme, _, key = header(scope, b"authorization").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        same = [hmac.compare_digest(given, known) for known in self._keys]  # all, whatever is found
        return key.strip() if scheme.lower() == "bearer" and any(same) else None

    def _may_without(self, scope: Scope) -> bool:
        return is_loopback(scope) and not (self._keys and is_write(scope))

    def _counted(self, key: str, rate: float) -> bool:
        """Whether one more fits (a token bucket)."""
        now, most = self._clock(), max(1.0, rate * BURST_S)
        left, since = self._left.get(key, (most, now))
        left = min(most, left + (now - since) * rate)
        fits = left >= 1
        self._left[key] = (left - fits, now)
        return fits


def is_write(scope: Scope) -> bool:
    if scope["method"] == "POST":
        return scope["path"] not in READS
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def is_loopback(scope: Scope) -> bool:
    """Whether the peer is this machine; one that is not known is not."""
    return _is_loopback((scope.get("client") or ("",))[0])


@lru_cache(maxsize=1024)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
