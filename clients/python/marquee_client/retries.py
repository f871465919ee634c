"""When a call is sent again, and after how long.

Again: where no answer came (connection refused, cut or too slow), and after 429, 502, 503 and 504.
The pause doubles from try to try, a random half of it left out so that clients who failed together
do not come back together; it begins when the time that Retry-After names is over.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

Outcome = httpx.Response | httpx.RequestError
"""What came of one try."""

PASSING = frozenset({429, 502, 503, 504})
"""Status codes of faults that pass by themselves."""


@dataclass(frozen=True)
class Retries:
    """Retries(times=0) asks once: for a page that has a fallback to show."""

    times: int = 4
    """Tries after the first; with 4 a service that is away is waited for up to 3 s."""
    total_s: float = 15.0
    """No try begins later than this after the first one."""
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0


RETRIES = Retries()


class Attempts:
    """The tries of one call."""

    def __init__(self, retries: Retries, clock: Callable[[], float] = time.monotonic) -> None:
        self._retries = retries
        self._clock = clock
        self._end_s = clock() + retries.total_s
        self.made = 0

    def pause_s(self, outcome: Outcome) -> float | None:
        """Seconds until the next try; None where this outcome stands."""
        self.made += 1
        if not passes(outcome) or self.made > self._retries.times:
            return None
        backoff_s = self._retries.first_pause_s * 2 ** (self.made - 1)
        backoff_s = min(backoff_s, self._retries.longest_pause_s)
        pause_s = _told_s(outcome) + random.uniform(0.5, 1) * backoff_s
        return pause_s if self._clock() + pause_s <= self._end_s else None


def passes(outcome: Outcome) -> bool:
    """Whether the same call may be answered a little later."""
    return isinstance(outcome, httpx.RequestError) or outcome.status_code in PASSING


def _told_s(outcome: Outcome) -> float:
    """Seconds of Retry-After, given as such or as a date; 0 where there is none."""
    if isinstance(outcome, httpx.RequestError):
        return 0.0
    told = outcome.headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return 0.0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
