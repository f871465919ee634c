"""Clients of S3: settings checked at start, credentials read anew after S3 has refused them.

boto3 finds credentials: environment, profile, web identity, process, the machine's role. It renews
those that have a time of expiry, and reads keys of a file once.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from marquee.core.errors import InputError
from marquee.core.s3_settings import S3Settings
from marquee.releases.s3_errors import explained_errors
from marquee.releases.store import UnreachableError

RENEW_S = 20.0
"""At least this long from one session to the next: each takes some 100 ms of CPU."""
WRITES = ("PutObject", "CopyObject", "CreateMultipartUpload")
"""Operations that make an object; parts of an upload are encrypted as its start says."""


class S3Client:
    """A boto3 client that is replaced after S3 has refused its credentials."""

    def __init__(self, url: str) -> None:
        """Raise InputError for a setting, a profile or a region that cannot be used."""
        self._url, self._client = url, new_client(url)
        self._made_at_s, self._is_refused = time.monotonic(), False

    @contextmanager
    def requests(self, url: str) -> Iterator[Any]:
        """Yield the client; errors of the requests are InputError that names the object."""
        if self._is_refused and time.monotonic() >= self._made_at_s + RENEW_S:
            self._made_at_s = time.monotonic()
            self._client = new_client(self._url)
            self._is_refused = False
        try:
            with explained_errors(url):
                yield self._client
        except UnreachableError:
            raise
        except InputError:  # S3 words refused credentials in a dozen ways, some as AccessDenied
            self._is_refused = True
            raise


def new_client(url: str = "s3") -> Any:
    """Return boto3's client of S3 with every setting; url: names it in an InputError."""
    import boto3  # half a second and 24 MB, which a service of a plain folder does without
    from botocore.config import Config

    settings = S3Settings.from_environment()
    config = Config(
        retries={"mode": "standard", "max_attempts": 3},
        connect_timeout=3,
        read_timeout=20,
        **settings.client_arguments(),
    )
    with explained_errors(url):
        try:
            client = boto3.Session().client("s3", config=config)
        except ValueError as error:
            raise _no_endpoint(url, str(error)) from error
    _check_endpoint(url, client.meta.endpoint_url)
    _encrypt_writes(client, settings.upload_arguments())
    return client


def _encrypt_writes(client: Any, arguments: dict[str, str | bool]) -> None:
    """Add arguments to every request that makes an object."""

    def add(params: dict[str, Any], **_: Any) -> None:
        params.update(arguments)

    for operation in WRITES if arguments else ():
        client.meta.events.register(f"provide-client-params.s3.{operation}", add)


def _check_endpoint(url: str, endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        is_valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a port
        is_valid = None
    if not is_valid:
        raise _no_endpoint(url, f"endpoint {endpoint}")


def _no_endpoint(url: str, problem: str) -> InputError:
    return InputError(
        f"{url}: {problem}, expected AWS_ENDPOINT_URL=http://HOST:PORT, or unset for AWS"
    )
