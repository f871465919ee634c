"""Authentication by API key, and the rate limit of each key.

    auth = ApiKeyAuth(api_keys=("…",), rate_limit=100)
    auth.refusal(scope)        # None, or the error response

With keys: `Authorization: Bearer KEY`; requests from this machine may read without a key, never
write. Without keys: only this machine. The rate limit holds for each key, and for the requests of
this machine that come without one.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Scope

from marquee.api.errors import error_response
from marquee.api.request_log import header

READ_ONLY_POSTS = frozenset(
    {"/recommend", "/recommend_batch", "/predict", "/similar", "/rerank", "/charts", "/rate_next"}
)
"""POST routes that change nothing; every other POST, PUT, PATCH and DELETE is a write."""
BURST_S = 1.0
"""The requests of this many seconds may come at once."""
NO_KEY = ""


class ApiKeyAuth:
    """Checks keys in constant time and counts requests.

    Each worker has one, so the rate limit is that of a worker.
    """

    def __init__(
        self,
        api_keys: Sequence[str],
        rate_limit: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the keys, and a limit in requests a second (None: no limit)."""
        self._keys = [key.encode() for key in api_keys]
        self._rate, self._clock = rate_limit, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def refusal(self, scope: Scope) -> Response | None:
        """Return the response for a caller without access or above the limit, else None."""
        key = self._key(scope)
        if key is None and not self._allowed_without_key(scope):
            if self._keys:
                message = "no valid key, expected the header Authorization: Bearer KEY"
                return error_response("unauthorized", message)
            message = "API_KEYS is not set, expected a request from this machine"
            return error_response("unauthorized", message)
        if self._rate is not None and not self._take_token(key or NO_KEY, self._rate):
            return error_response("busy", f"more than {self._rate:g} requests a second; try again")
        return None

    def _key(self, scope: Scope) -> str | None:
        if not self._keys:
            return None
        scheme, _, key = header(scope, b"authorization").partition(" ")
        sent_key = key.strip().encode("latin-1", "replace")
        # Every key is compared, so that the time tells nothing.
        matches = [hmac.compare_digest(sent_key, valid_key) for valid_key in self._keys]
        return key.strip() if scheme.lower() == "bearer" and any(matches) else None

    def _allowed_without_key(self, scope: Scope) -> bool:
        return is_loopback(scope) and not (self._keys and is_write(scope))

    def _take_token(self, key: str, rate: float) -> bool:
        """Take one token of the key's token bucket; return False where it is empty."""
        now, capacity = self._clock(), max(1.0, rate * BURST_S)
        tokens, updated_s = self._buckets.get(key, (capacity, now))
        tokens = min(capacity, tokens + (now - updated_s) * rate)
        fits = tokens >= 1
        self._buckets[key] = (tokens - fits, now)
        return fits


def is_write(scope: Scope) -> bool:
    """Return whether a request may change something."""
    if scope["method"] == "POST":
        return scope["path"] not in READ_ONLY_POSTS
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def is_loopback(scope: Scope) -> bool:
    """Return whether the peer is this machine; an unknown peer is not."""
    return _is_loopback_address((scope.get("client") or ("",))[0])


@lru_cache(maxsize=1024)
def _is_loopback_address(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
