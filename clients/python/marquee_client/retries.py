"""Retries: when a call is sent again, and after how long.

A call is sent again where no answer came (connection refused, cut or too slow), and after 429, 502,
503 and 504. The pause doubles from try to try. A random half of it is left out, so that clients
that failed together do not come back together. It starts after the time that Retry-After names.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

Outcome = httpx.Response | httpx.RequestError
"""The outcome of one try."""

TRANSIENT_STATUS = frozenset({429, 502, 503, 504})
"""Status codes of errors that pass by themselves."""


@dataclass(frozen=True)
class Retries:
    """Limits of the retries.

    Retries(times=0) tries once: for a page that has a fallback.
    """

    times: int = 4
    """Tries after the first; with 4 an unavailable service is waited for up to 3 s."""
    total_s: float = 15.0
    """No try starts later than this after the first one."""
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0


RETRIES = Retries()


class Attempts:
    """The tries of one call."""

    def __init__(self, retries: Retries, clock: Callable[[], float] = time.monotonic) -> None:
        self._retries = retries
        self._clock = clock
        self._end_s = clock() + retries.total_s
        self.count = 0

    def pause_s(self, outcome: Outcome) -> float | None:
        """Count a try; return seconds until the next one.

        None: this outcome is final.
        """
        self.count += 1
        if not is_transient(outcome) or self.count > self._retries.times:
            return None
        backoff_s = self._retries.first_pause_s * 2 ** (self.count - 1)
        backoff_s = min(backoff_s, self._retries.longest_pause_s)
        pause_s = _retry_after_s(outcome) + random.uniform(0.5, 1) * backoff_s
        return pause_s if self._clock() + pause_s <= self._end_s else None


def is_transient(outcome: Outcome) -> bool:
    """Return whether the same call may succeed a little later."""
    return isinstance(outcome, httpx.RequestError) or outcome.status_code in TRANSIENT_STATUS


def _retry_after_s(outcome: Outcome) -> float:
    """Return the seconds of Retry-After, which may be a date; 0 without one."""
    if isinstance(outcome, httpx.RequestError):
        return 0.0
    value = outcome.headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
