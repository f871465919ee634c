"""Authentication by API key (`Authorization: Bearer KEY`), and the rate limit of each key.

With keys, every request needs one, from everywhere. Without keys, only this machine is served, and
its requests share one rate limit.
"""

import hmac
import time
from collections.abc import Callable, Sequence

from starlette.responses import Response
from starlette.types import Scope

from marquee.api.access.local_callers import LocalCallers
from marquee.api.errors import error_response
from marquee.api.process.shared_state import SharedState
from marquee.api.rate_limit import RateLimiter


class ApiKeyAuth:
    """The keys of a service, compared in constant time."""

    def __init__(
        self,
        api_keys: Sequence[str],
        rate_limit: float | None,
        local_callers: LocalCallers,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedState | None = None,
    ) -> None:
        """shared: what the workers share, the rate limit of each key among it."""
        self._keys = [key.encode() for key in api_keys]
        self._limiter = RateLimiter(rate_limit, shared, clock)
        self._local_callers = local_callers

    def refusal(self, scope: Scope) -> Response | None:
        """Return the response for a caller without access or above the limit, else None."""
        key = self._key(scope) if self._keys else ""
        if key is None:
            message = "no valid key, expected the header Authorization: Bearer KEY, once"
            return error_response("unauthorized", message)
        if not self._keys and (sign := self._local_callers.foreign_sign(scope)):
            message = f"the request {sign}, expected one from this machine"
            return error_response("unauthorized", f"{message}; set API_KEYS to serve others")
        if not self._limiter.admits(key):
            message = f"more than {self._limiter.rate:g} requests a second; try again"
            return error_response("busy", message)
        return None

    def _key(self, scope: Scope) -> str | None:
        """Return the valid key of a request; None for no key, a wrong one, or several."""
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, key = str(values[0] if len(values) == 1 else b"", "latin-1").partition(" ")
        sent_key = key.strip().encode("latin-1", "replace")
        # Every key is compared, so that the time tells nothing.
        matches = [hmac.compare_digest(sent_key, valid_key) for valid_key in self._keys]
        return key.strip() if scheme.lower() == "bearer" and any(matches) else None
