"""A connection to the service: one request after another, again while it is away or busy.

    service = Service("http://127.0.0.1:3000", key)
    service.call("PUT", "/movies", body)      # Answer(status=200, content={"accepted": 1, …})

The pause doubles from try to try. A random half of it is left out, so that clients that failed
together do not come back together.
"""

import random
import socket
import ssl
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from http.client import (
    BadStatusLine,
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    RemoteDisconnected,
)
from typing import Any
from urllib.parse import urlsplit

import orjson

from marquee.core.command import say
from marquee.core.errors import InputError

PATIENCE_S = 180.0
TIMEOUT_S = 30.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
MAX_ANSWER_BYTES = 1 << 28
TRANSIENT = frozenset({429, 502, 503, 504})
NO_ANSWER = 0
BAD_ANSWER, TOO_LARGE = "bad_answer", "too_large"
HINTS = {
    401: "; set MARQUEE_KEY, or name a file with --key-file",
    403: "; take a key with the scopes catalog and read",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer of the service, or the reason that there is none."""

    status: int
    content: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    """Of the service's error."""
    message: str = ""
    is_transient: bool = False
    pause_s: float = 0.0
    """Of Retry-After."""


class Service:
    """One connection, which stays open from request to request."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        patience_s: float = PATIENCE_S,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """patience_s: how long a service that is away or busy is waited for.

        Raises InputError for an address or a key that cannot be one.
        """
        self.url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {checked_key(key)}"
        self._connection, self._path = opened(self.url)
        self._patience_s, self._sleep, self._clock = patience_s, sleep, clock

    def call(
        self, method: str, path: str, body: bytes | None = None, *, refusals: Collection[str] = ()
    ) -> Answer:
        """Return an answer with status 200, or with the code of an error in `refusals`.

        Raises InputError for every other error, and for a service that stays away.
        """
        start_s, pause_s = self._clock(), FIRST_PAUSE_S
        is_said = False
        while True:
            answer = self._try(method, path, body)
            if answer.status == 200 or answer.code in refusals:
                return answer
            if not answer.is_transient:
                raise InputError(
                    f"{self.url}{path}: {answer.message}{HINTS.get(answer.status, '')}"
                )
            waited_s = self._clock() - start_s
            if waited_s + answer.pause_s > self._patience_s:
                raise InputError(
                    f"{self.url}: {answer.message} for {waited_s:.0f} s, expected an answer; "
                    "check the address, and the service"
                )
            if not is_said and waited_s >= 1:
                say(f"waiting for {self.url}: {answer.message}")
                is_said = True
            self._sleep(answer.pause_s + random.uniform(0.5, 1) * pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _try(self, method: str, path: str, body: bytes | None) -> Answer:
        try:
            self._connection.request(method, self._path + path, body, self._headers)
            response = self._connection.getresponse()
            return read_answer(response, response.read(MAX_ANSWER_BYTES))
        except (OSError, HTTPException) as error:
            self._connection.close()
            return no_answer(error)


def read_answer(response: HTTPResponse, text: bytes) -> Answer:
    """Return the service's answer; of a page that is not its JSON, what it is."""
    status, is_transient = response.status, response.status in TRANSIENT
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        content = None
    error = content.get("error") if isinstance(content, dict) else None
    after = response.headers.get("Retry-After", "")
    pause_s = min(float(after), LONGEST_PAUSE_S) if after.isdecimal() else 0.0
    if isinstance(error, dict):
        code, message = str(error.get("code")), f"{status} {error.get('message')}"
    elif status == 200 and isinstance(content, dict):
        return Answer(status=status, content=content)
    else:
        kind = response.headers.get("Content-Type", "no content type")
        code = TOO_LARGE if status == 413 else BAD_ANSWER
        message = f"{status} with {kind}, expected the service's JSON"
        status = NO_ANSWER if status == 200 else status
    return Answer(
        status=status, code=code, message=message, is_transient=is_transient, pause_s=pause_s
    )


def no_answer(error: Exception) -> Answer:
    """Return what an error says of a service: it is away, or no service at all."""
    is_no_http = isinstance(error, BadStatusLine) and not isinstance(error, RemoteDisconnected)
    if is_no_http:
        message = "an answer that is not HTTP, expected the service; check the address"
        return Answer(status=NO_ANSWER, code=BAD_ANSWER, message=message)
    is_wrong = isinstance(error, ssl.SSLCertVerificationError | socket.gaierror)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    message = f"no answer ({reason})" + (", expected one; check the address" if is_wrong else "")
    return Answer(status=NO_ANSWER, message=message, is_transient=not is_wrong)


def opened(url: str) -> tuple[HTTPConnection, str]:
    """Return a connection that opens at its first request, and the path of an address."""
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme
        is_complete = url.isascii() and url.isprintable() and " " not in url
        is_complete = is_complete and not parts.query + parts.fragment
    except ValueError:  # port 99999
        is_complete = False
    if not is_complete or not host or port == 0 or scheme not in ("http", "https"):
        raise InputError(
            f"--url: {url!r}, expected an address such as http://127.0.0.1:3000; correct it"
        )
    connection = HTTPSConnection if scheme == "https" else HTTPConnection
    return connection(host, port, timeout=TIMEOUT_S), parts.path.rstrip("/")


def checked_key(key: str) -> str:
    """Return a key; InputError without it for one that no header can carry."""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError("the key: a space or non-ASCII text in it, expected printable ASCII")
    return key
