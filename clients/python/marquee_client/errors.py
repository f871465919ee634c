"""The errors of both clients, and how a response is read.

try:
    marquee.rate("ana", 7, 5.0)
except Unavailable:                       # it may work later: show a fallback
    ...
except MarqueeError as error:
    print(error.code, error, error.fields, error.request_id)
"""

from collections.abc import Sequence
from typing import Any

import httpx

from marquee_client.retries import Outcome, is_transient
from marquee_client.types import EventsReceipt


class MarqueeError(Exception):
    """The service refused, or did not answer; `str()` is a sentence for readers."""

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
        """HTTP status; None where no answer came."""
        self.fields = list(fields)
        """Places of the error: {"field": "history.0.stars", "message": "…"}; often empty."""
        self.request_id = request_id
        """The id of the request in the service's log."""


class Unavailable(MarqueeError):  # noqa: N818
    """The service did not answer, or was busy or away, and stayed so over the retries."""


class UnknownMovie(MarqueeError):  # noqa: N818
    """A movie that the catalog does not hold."""


ERROR_OF_CODE = {"unknown_movie": UnknownMovie}


def read_response(request: httpx.Request, outcome: Outcome, tries: int) -> Any:
    """Return the JSON of a response with status 200.

    Raises MarqueeError for everything else.
    """
    request_id = request.headers["X-Request-ID"]
    if isinstance(outcome, httpx.RequestError):
        message = f"no answer from {request.url} ({_text(outcome)}; tries: {tries})"
        raise Unavailable(message, code="no_answer", request_id=request_id)
    try:
        content = outcome.json()
    except ValueError:
        content = None
    error = content.get("error") if isinstance(content, dict) else None
    if outcome.status_code == 200 and isinstance(content, dict) and error is None:
        return content
    if not isinstance(error, dict):
        error = {"code": "bad_answer", "message": _foreign_response(request, outcome)}
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
    """Raise an error for an event that was not stored.

    The service answers 200 and lists it as rejected.
    """
    for event in receipt["rejected"]:
        code = event["code"]
        raise ERROR_OF_CODE.get(code, MarqueeError)(event["message"], code=code, status=200)


def _text(error: httpx.RequestError) -> str:
    return str(error) or type(error).__name__


def _foreign_response(request: httpx.Request, response: httpx.Response) -> str:
    """Return one sentence in place of a proxy's page."""
    media_type = response.headers.get("Content-Type", "no content type")
    return (
        f"{request.url} answered {response.status_code} with {media_type}, expected the service's "
        "JSON; check the address, and any proxy before it"
    )
