"""The outcome of a try: it is tried again, returned as JSON, or raised as an error.

The pause doubles from try to try, and starts after the time that Retry-After names. A random half
of it is left out, so that clients that failed together do not come back together.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from marquee_client.types import EventsReceipt

Outcome = httpx.Response | httpx.RequestError  # refused, cut or too slow
TRANSIENT_STATUS = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Retries:
    """Limits of the retries; Retries(times=0) suits a page that has a fallback."""

    times: int = 4
    """Tries after the first; with 4 an unavailable service is waited for up to 3 s."""
    total_s: float = 15.0
    """No try starts later than this after the first one."""
    first_pause_s: float = 0.2
    longest_pause_s: float = 5.0


class MarqueeError(Exception):
    """The service refused, or did not answer; `str()` is a sentence for readers.

    code: the service's own, or "no_answer" (nothing came) or "bad_answer" (not its JSON).
    status: of HTTP; None where no answer came. fields: places of the error in the request, each
    {"field": "history.0.stars", "message": "…"}. request_id: of the request in the service's log.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None = None,
        fields: Sequence[dict[str, str]] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status
        self.fields, self.request_id = list(fields), request_id


class Unavailable(MarqueeError):  # noqa: N818
    """The service did not answer, or was busy or away, and stayed so over the retries."""


class UnknownMovie(MarqueeError):  # noqa: N818
    """A movie that the catalog does not hold."""


ERROR_OF_CODE = {"unknown_movie": UnknownMovie}


class Attempts:
    """The tries of one call."""

    def __init__(
        self,
        retries: Retries,
        clock: Callable[[], float] = time.monotonic,
        final_code: str | None = None,
    ) -> None:
        """final_code: of an error that is not tried again."""
        self._retries, self._clock, self._final_code = retries, clock, final_code
        self._end_s = clock() + retries.total_s
        self.count = 0

    def pause_s(self, outcome: Outcome) -> float | None:
        """Count a try; return seconds until the next one, or None for a final outcome."""
        self.count += 1
        if not is_transient(outcome) or self.count > self._retries.times:
            return None
        if self._final_code is not None and _error_code(outcome) == self._final_code:
            return None
        doubled_s = self._retries.first_pause_s * 2 ** (self.count - 1)
        backoff_s = min(doubled_s, self._retries.longest_pause_s)
        pause_s = _retry_after_s(outcome) + random.uniform(0.5, 1) * backoff_s
        return pause_s if self._clock() + pause_s <= self._end_s else None


def is_transient(outcome: Outcome) -> bool:
    """Return whether the same call may succeed a little later."""
    return isinstance(outcome, httpx.RequestError) or outcome.status_code in TRANSIENT_STATUS


def _error_code(outcome: Outcome) -> str | None:
    """Return the code of the service's error, or None where there is none."""
    if isinstance(outcome, httpx.RequestError):
        return None
    error = _error(_content(outcome))
    return str(error.get("code")) if isinstance(error, dict) else None


def _content(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _error(content: Any) -> Any:
    return content.get("error") if isinstance(content, dict) else None


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


def read_response(request: httpx.Request, outcome: Outcome, tries: int) -> Any:
    """Return the JSON of a response with status 200; else raise MarqueeError."""
    request_id = request.headers["X-Request-ID"]
    if isinstance(outcome, httpx.RequestError):
        cause = str(outcome) or type(outcome).__name__
        message = f"no answer from {request.url} ({cause}; tries: {tries})"
        raise Unavailable(message, code="no_answer", request_id=request_id)
    content = _content(outcome)
    error = _error(content)
    if outcome.status_code == 200 and isinstance(content, dict) and error is None:
        return content
    if not isinstance(error, dict):  # a proxy's page
        media_type = outcome.headers.get("Content-Type", "no content type")
        message = (
            f"{request.url} answered {outcome.status_code} with {media_type}, expected the "
            "service's JSON; check the address, and any proxy before it"
        )
        error = {"code": "bad_answer", "message": message}
    code = str(error.get("code"))
    error_type = Unavailable if is_transient(outcome) else ERROR_OF_CODE.get(code, MarqueeError)
    raise error_type(
        str(error.get("message")),
        code=code,
        status=outcome.status_code,
        fields=error.get("fields") or (),
        request_id=outcome.headers.get("X-Request-ID", request_id),
    )


def raise_if_rejected(receipt: EventsReceipt) -> None:
    """Raise an error for an event that the service lists as rejected, with status 200."""
    for event in receipt["rejected"]:
        code = event["code"]
        raise ERROR_OF_CODE.get(code, MarqueeError)(event["message"], code=code, status=200)
