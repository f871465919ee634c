"""Authentication by API key (`Authorization: Bearer KEY`), and the rate limit of each key.

With keys, requests from this machine may read without a key, never write. Without keys, only this
machine is served. Its requests without a key share one rate limit.
"""

import hmac
import ipaddress
import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from starlette.responses import Response
from starlette.types import Scope

from marquee.api.errors import error_response
from marquee.api.openapi import POST_ENDPOINTS
from marquee.api.telemetry import header

# POST routes that change nothing; every other POST, PUT, PATCH and DELETE is a write.
READ_ONLY_POSTS = frozenset(POST_ENDPOINTS) - {"/events"}


class ApiKeyAuth:
    """The keys of a service, compared in constant time; each worker counts for itself."""

    def __init__(
        self,
        api_keys: Sequence[str],
        rate_limit: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = [key.encode() for key in api_keys]
        self._rate, self._clock = rate_limit, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def refusal(self, scope: Scope) -> Response | None:
        """Return the response for a caller without access or above the limit, else None."""
        key = self._key(scope)
        host, _ = scope.get("client") or ("", 0)
        is_open = is_loopback(host) and not (self._keys and is_write(scope))
        if key is None and not is_open:
            message = "API_KEYS is not set, expected a request from this machine"
            if self._keys:
                message = "no valid key, expected the header Authorization: Bearer KEY"
            return error_response("unauthorized", message)
        if self._rate is not None and not self._take_token(key or "", self._rate):
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

    def _take_token(self, key: str, rate: float) -> bool:
        """Take one token of the key's token bucket; return False where it is empty."""
        now, capacity = self._clock(), max(1.0, rate)  # of one second, at once
        tokens, updated_s = self._buckets.get(key, (capacity, now))
        tokens = min(capacity, tokens + (now - updated_s) * rate)
        fits = tokens >= 1
        self._buckets[key] = (tokens - fits, now)
        return fits


def is_write(scope: Scope) -> bool:
    if scope["method"] == "POST":
        return scope["path"] not in READ_ONLY_POSTS
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Return whether a peer's address is this machine; a name is not."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
