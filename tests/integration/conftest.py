"""Fixtures that several integration tests share."""

from collections.abc import Iterator

import pytest

from tests.support import s3_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Run an S3 server, to which this process's environment points; yield its address."""
    with s3_server.server() as url:
        yield url
