"""Download one file, with a progress bar on a terminal and three attempts.

An attempt that breaks off, or has other content than expected, raises `BrokenDownloadError`: the
file is removed and fetched again. An error that another attempt cannot fix (no such file on the
server) is an InputError.
"""

import hashlib
import http.client
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from marquee.core.errors import InputError

MAX_ATTEMPTS = 3
WAIT_S = 2.0
"""Pause before the second attempt; twice as long before the third."""
TIMEOUT_S = 30.0
"""Longest silence of the server."""
_BLOCK_BYTES = 1 << 18


class BrokenDownloadError(Exception):
    """A failed download that another attempt may fix; its text is the reason."""


def with_retries(attempt: Callable[[], None], url: str, folder: Path) -> None:
    """Run `attempt` up to three times.

    InputError with the last reason if all failed.
    """
    for number in range(1, MAX_ATTEMPTS + 1):
        try:
            return attempt()
        except BrokenDownloadError as error:
            reason = str(error)
        if number < MAX_ATTEMPTS:
            print(f"{url}: {reason}; trying again", file=sys.stderr)
            time.sleep(WAIT_S * number)
    raise InputError(
        f"{url}: not downloaded in {MAX_ATTEMPTS} attempts, {reason}, expected a complete "
        f"file; try later, set MOVIELENS_URL to a mirror, or unzip the data set by hand to {folder}"
    )


def download(url: str, path: Path) -> str:
    """Fetch `url` into `path` and return the md5, hex.

    BrokenDownloadError if it breaks off.
    """
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with _open(url) as response, path.open("wb") as file, _bar() as bar:
        total = int(response.headers.get("Content-Length") or 0) or None
        if bar.console.is_terminal:
            task = bar.add_task(url.rsplit("/", 1)[-1], total=total)
        else:
            megabytes = "" if total is None else f" ({total / 1e6:.1f} MB)"
            print(f"Downloading {url}{megabytes}", file=sys.stderr)
        while block := _read(response):
            file.write(block)
            digest.update(block)
            size += len(block)
            if bar.console.is_terminal:
                bar.update(task, completed=size)
    if total is not None and size != total:
        raise BrokenDownloadError(f"it broke off after {size} bytes, expected {total}")
    return digest.hexdigest()


def fetch_text(url: str) -> str:
    """Fetch a small text file; BrokenDownloadError if the server fails."""
    with _open(url) as response:
        return _read(response).decode("latin-1")


def _open(url: str) -> http.client.HTTPResponse:
    if not url.startswith(("http://", "https://")):
        raise InputError(f"MOVIELENS_URL: {url!r}, expected an http:// or https:// address")
    try:
        return cast(http.client.HTTPResponse, urllib.request.urlopen(url, timeout=TIMEOUT_S))
    except urllib.error.HTTPError as error:
        if 400 <= error.code < 500:
            raise InputError(
                f"{url}: the server answers {error.code} {error.reason}, expected 200; check "
                "MOVIELENS_URL"
            ) from None
        raise BrokenDownloadError(f"the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise BrokenDownloadError(
            f"the server cannot be reached ({getattr(error, 'reason', error)})"
        ) from error


def _read(response: IO[bytes]) -> bytes:
    try:
        return response.read(_BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise BrokenDownloadError(f"it broke off ({error})") from error


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
