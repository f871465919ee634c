"""Fixtures that several integration tests share."""

from collections.abc import Iterator

import pytest

from marquee.catalog.catalog_store import CatalogStore
from marquee.feedback.store import EventStore
from tests.support import s3_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Run an S3 server, to which this process's environment points; yield its address."""
    with s3_server.server() as url:
        yield url


@pytest.fixture
def event_store(store_url: str) -> Iterator[EventStore]:
    """An empty event store, on either database."""
    store = EventStore(store_url)
    yield store
    store.close()


@pytest.fixture
def catalog(event_store: EventStore) -> CatalogStore:
    """The catalog in that store."""
    return CatalogStore(event_store.database)
