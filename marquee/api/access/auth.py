"""Authentication by API key (`Authorization: Bearer KEY`), its scopes and its rate limit.

With keys, every request needs one, from everywhere. Without keys, only this machine is served, and
its requests share one rate limit.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar

from starlette.responses import Response
from starlette.types import Scope

from marquee.api.access.keys import KeyRing, digest
from marquee.api.access.local_callers import LocalCallers
from marquee.api.access.scopes import needed_scope
from marquee.api.errors import error_response
from marquee.api.process.shared_state import SharedState
from marquee.api.rate_limit import RateLimiter

ACTOR_DIGITS = 8
current_actor: ContextVar[str] = ContextVar("actor", default="local")
"""The sender of the request, for audits: digits of the hash of the key."""


class ApiKeyAuth:
    """The keys of a service, and what each may do."""

    def __init__(
        self,
        keys: KeyRing,
        rate_limit: float | None,
        local_callers: LocalCallers,
        clock: Callable[[], float] = time.monotonic,
        shared: SharedState | None = None,
    ) -> None:
        """shared: what the workers share, the rate limit of each key among it."""
        self._keys = keys
        self._limiter = RateLimiter(rate_limit, shared, clock)
        self._local_callers = local_callers

    def refusal(self, scope: Scope) -> Response | None:
        """Return the response for a caller without access or above the limit, else None."""
        if not self._keys:
            return self._foreign_refusal(scope) or self._limit_refusal("")
        key = sent_key(scope)
        scopes = None if key is None else self._keys.scopes_of(key)
        if key is None or scopes is None:
            message = "no valid key, expected the header Authorization: Bearer KEY, once"
            return error_response("unauthorized", message)
        current_actor.set(digest(key).hex()[:ACTOR_DIGITS])
        return self._limit_refusal(key) or scope_refusal(scope, scopes)

    def _foreign_refusal(self, scope: Scope) -> Response | None:
        sign = self._local_callers.foreign_sign(scope)
        if not sign:
            return None
        message = f"the request {sign}, expected one from this machine"
        return error_response("unauthorized", f"{message}; set API_KEYS to serve others")

    def _limit_refusal(self, key: str) -> Response | None:
        if self._limiter.admits(key):
            return None
        message = f"more than {self._limiter.rate:g} requests a second; try again"
        return error_response("busy", message)


def scope_refusal(scope: Scope, scopes: frozenset[str]) -> Response | None:
    needed = needed_scope(scope["method"], scope["path"])
    if needed in scopes:
        return None
    message = f"a key with the scopes {', '.join(sorted(scopes))}, expected one with {needed}"
    return error_response("forbidden", message)


def sent_key(scope: Scope) -> str | None:
    """Return the key of a request; None for none, or several."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, key = str(values[0] if len(values) == 1 else b"", "latin-1").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else None
