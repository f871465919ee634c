"""Where the service is and how it is spoken to: what both clients hand to httpx."""

from typing import Any

URL = "http://127.0.0.1:3000"
TIMEOUT_S = 10.0


def settings(url: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Arguments of httpx.Client; ValueError where the address or the key cannot be one."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is no address of a service; give one like {URL}")
    headers = {"Accept": "application/json"}
    if key:
        # A key that no header can carry would come back in the text of h11's error, and in a log.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("the key holds a space, a line break or a letter that is not ASCII")
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "timeout": timeout_s}
