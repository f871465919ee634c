"""What a caller catches, and how an answer is read.

try:
    marquee.rate("ana", 7, 5.0)
except Unavailable:                       # later, perhaps: show what is at hand
    ...
except MarqueeError as error:
    print(error.code, error, error.fields, error.request_id)
"""

from collections.abc import Sequence
from typing import Any

import httpx

from marquee_client.retries import Outcome, passes
from marquee_client.types import Accepted


class MarqueeError(Exception):
    """The service refused, or did not answer; `str()` is a sentence for people."""

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
        self.message = message
        self.code = code
        """The service's own, or "no_answer" (nothing came) or "bad_answer" (not its JSON)."""
        self.status = status
        """Of HTTP; None where no answer came."""
        self.fields = list(fields)
        """Where the fault is: {"field": "history.0.stars", "message": "…"}; often empty."""
        self.request_id = request_id
        """Under which the service's log has it."""


class Unavailable(MarqueeError):  # noqa: N818
    """Nobody answered, or the service was busy or away, and stayed so over the retries."""


class UnknownMovie(MarqueeError):  # noqa: N818
    """A movie that the catalogue does not hold."""


KINDS = {"unknown_movie": UnknownMovie}


def read(request: httpx.Request, outcome: Outcome, tries: int) -> Any:
    """The JSON of an answer with status 200; raises MarqueeError for everything else."""
    request_id = request.headers["X-Request-ID"]
    if isinstance(outcome, httpx.RequestError):
        message = f"no answer from {request.url} ({_said(outcome)}; tries: {tries})"
        raise Unavailable(message, code="no_answer", request_id=request_id)
    try:
        found = outcome.json()
    except ValueError:
        found = None
    fault = found.get("error") if isinstance(found, dict) else None
    if outcome.status_code == 200 and isinstance(found, dict) and fault is None:
        return found
    if not isinstance(fault, dict):
        fault = {"code": "bad_answer", "message": _not_ours(request, outcome)}
    code = str(fault.get("code"))
    raise (Unavailable if passes(outcome) else KINDS.get(code, MarqueeError))(
        str(fault.get("message")),
        code=code,
        status=outcome.status_code,
        fields=fault.get("fields") or (),
        request_id=outcome.headers.get("X-Request-ID", request_id),
    )


def must_accept(answer: Accepted) -> None:
    """Raise for an event that was not stored: the service answers 200 and lists it as rejected."""
    for event in answer["rejected"]:
        code = event["code"]
        raise KINDS.get(code, MarqueeError)(event["message"], code=code, status=200)


def _said(error: httpx.RequestError) -> str:
    return str(error) or type(error).__name__


def _not_ours(request: httpx.Request, response: httpx.Response) -> str:
    """One sentence in place of a proxy's page."""
    kind = response.headers.get("Content-Type", "no content type")
    return (
        f"{request.url} answered {response.status_code} with {kind}, expected the service's JSON; "
        "is this its address, and does a proxy stand before it?"
    )
