"""A batch of any size, in parts that the service takes: at most 256 requests, and its budget.

What a list costs depends on stored histories, which the client does not see. A part that is too
large in any respect is refused before any work, and so halved here; later parts have the new size.
"""

import re
from collections.abc import Iterable

from marquee_client.endpoints import Call
from marquee_client.ids import with_ids
from marquee_client.outcomes import MarqueeError
from marquee_client.requests import RecommendRequest
from marquee_client.types import BatchResponse

MAX_REQUESTS = 256
TIMEOUT = "timeout"  # the same part again would be given up again
TOO_LARGE = frozenset({"too_costly", "too_large", TIMEOUT})
PLACE = re.compile(r"\brequests\.(\d+)")


class Batch:
    """The requests of one batch and the results so far."""

    def __init__(self, requests: Iterable[RecommendRequest]) -> None:
        # Once, before a part is sent: an id that is none has its place in the whole batch, and a
        # history that can be read once is still there for a part that is sent again.
        self._requests = with_ids({"requests": requests})["requests"]
        self._start, self._size = 0, MAX_REQUESTS
        self.response: BatchResponse = {"results": []}

    def next_call(self) -> Call[BatchResponse] | None:
        """Return the call for the next part, or None at the end."""
        part = self._requests[self._start : self._start + self._size]
        if self._start and not part:  # an empty batch is sent: the service says what it expects
            return None
        final_code = TIMEOUT if len(part) > 1 else None
        return Call("POST", "/recommend_batch", {"requests": part}, final_code=final_code)

    def add(self, response: BatchResponse) -> None:
        """Add the results of the part that was sent last."""
        self._start += min(self._size, max(1, len(self._requests) - self._start))
        self.response["results"] += response.get("results", [])

    def halve(self, error: MarqueeError) -> None:
        """Halve the parts; raise another error, and that of a single request."""
        size = min(self._size, len(self._requests) - self._start)
        if error.code not in TOO_LARGE or size <= 1:
            raise self._in_batch(error)
        self._size = size // 2

    def _in_batch(self, error: MarqueeError) -> MarqueeError:
        """Return the error with places that count from the first request of the batch."""

        def moved(text: str) -> str:
            return PLACE.sub(lambda match: f"requests.{int(match[1]) + self._start}", text)

        return type(error)(
            moved(error.message),
            code=error.code,
            status=error.status,
            fields=[{name: moved(text) for name, text in field.items()} for field in error.fields],
            request_id=error.request_id,
        )
