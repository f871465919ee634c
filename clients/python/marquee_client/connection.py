"""The options of httpx that both clients share: address, key, timeout."""

from typing import Any

URL = "http://127.0.0.1:3000"
TIMEOUT_S = 10.0


def http_options(url: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Return arguments of httpx.Client.

    Raises ValueError for an address or a key that cannot be one.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r}: no address of a service, expected one like {URL}")
    headers = {"Accept": "application/json"}
    if key:
        # A key that no header can carry would come back in the text of h11's error, and in a log.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError(
                "the key holds a space, a line break or a letter that is not ASCII, "
                "expected printable ASCII"
            )
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "timeout": timeout_s}
