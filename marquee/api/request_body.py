"""The body of a request: read within the limit, inflated, and UTF-8."""

import re
import zlib

from starlette.types import Message, Receive, Scope

from marquee.recommender.errors import RequestError

MAX_BODY_BYTES = 1 << 20
JSON = "application/json"
CHARSET = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
UTF_8 = ("utf-8", "utf8", "us-ascii", "ascii")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # of zlib, which they select the format by
UNSUPPORTED = "unsupported_encoding"


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """Return the body as UTF-8 text that is not empty; else raise RequestError."""
    body = await _receive_all(receive)
    media_type, encoding = _notation(scope)
    if media_type != JSON:
        _check_media_type(media_type)
    if encoding:
        body = _inflate(body, encoding)
        # The endpoint reads the inflated body.
        names = (b"content-encoding", b"content-length")
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names]
    return _utf_8(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body once, then what the server sends."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _receive_all(receive: Receive) -> bytes:
    """Return the complete body; stop as soon as it is longer than MAX_BODY_BYTES."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        _check_size(size)
    return b"".join(parts)


def _check_size(size: int, when: str = "") -> None:
    if size > MAX_BODY_BYTES:
        message = f"the body is too long{when}, expected at most {MAX_BODY_BYTES:,} bytes"
        raise RequestError(message, code="too_large")


def _notation(scope: Scope) -> tuple[str, str]:
    """Return Content-Type, JSON where it is absent, and Content-Encoding, empty for none."""
    media_type, encodings = "", []
    for name, value in scope["headers"]:
        if name == b"content-type":
            media_type = media_type or str(value, "latin-1")
        elif name == b"content-encoding":
            encodings.append(str(value, "latin-1").strip().lower())
    encoding = ", ".join(encodings)
    return media_type or JSON, "" if encoding == "identity" else encoding


def _check_media_type(value: str) -> None:
    media_type = value.partition(";")[0].strip()
    if media_type.lower() != JSON:
        raise RequestError(f"Content-Type is {media_type[:80]}, expected {JSON}", code="not_json")
    charset = CHARSET.search(value)
    if charset and charset[1].lower() not in UTF_8:
        raise RequestError(f"the charset is {charset[1][:80]}, expected utf-8", code=UNSUPPORTED)


def _inflate(body: bytes, encoding: str) -> bytes:
    """Return the content of a body, without inflating more of it than the limit."""
    bits = WINDOW_BITS.get(encoding)
    if bits is None:
        message = f"Content-Encoding is {encoding[:80]}, expected gzip, deflate or none"
        raise RequestError(message, code=UNSUPPORTED)
    inflater = zlib.decompressobj(bits)
    try:
        content = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise RequestError(
            f"the body is not {encoding}, as Content-Encoding says it is", code="not_json"
        ) from None
    _check_size(len(content), " when inflated")
    if body and (not inflater.eof or inflater.unused_data):
        state = "longer than its end" if inflater.eof else "cut off"
        raise RequestError(f"the {encoding} body is {state}, expected it whole", code="not_json")
    return content


def _utf_8(body: bytes) -> bytes:
    """Return the body without a byte order mark; refuse UTF-16, UTF-32 and no text."""
    if body.startswith(b"{") and body[1:2] != b"\0":
        return body
    if body.startswith(UTF_16_MARKS) or b"\0" in body[:2]:
        raise RequestError("the body is UTF-16 or UTF-32, expected UTF-8", code=UNSUPPORTED)
    body = body.removeprefix(BYTE_ORDER_MARK)
    if not body.strip():
        message = "the body is empty, expected a JSON object, at least {}"
        raise RequestError(message, code="not_json")
    return body
