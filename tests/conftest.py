"""Fixtures of all tests: the hand-made bundle, a service in this process, a database."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HOME = tempfile.mkdtemp(prefix="marquee-tests-")
os.environ["BENTOML_HOME"] = _HOME  # before bentoml is imported anywhere
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _HOME
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
for _name in ("BUNDLE", "EVENTS_URL", "API_KEYS"):
    os.environ.pop(_name, None)

import pytest  # noqa: E402

from marquee.feedback.store import EventStore  # noqa: E402
from marquee.recommender.recommender import Recommender  # noqa: E402
from tests.support import postgres  # noqa: E402
from tests.support.tiny_bundle import write_tiny  # noqa: E402


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made bundle; tests that change a file copy it first."""
    return write_tiny(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def recommender(bundle_folder: Path) -> Recommender:
    return Recommender.load(bundle_folder)


@pytest.fixture(scope="session")
def events_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one person, "42": Heat (4 stars), then The Usual Suspects (5), 70 s later."""
    url = f"sqlite:///{tmp_path_factory.mktemp('events') / 'events.sqlite'}"
    EventStore(url).import_ratings([42, 42, 42], [6, 50, 999], [4.0, 5.0, 3.0], [100, 170, 180])
    return url


@pytest.fixture(scope="session")
def client(bundle_folder: Path, events_url: str) -> Iterator[Any]:
    """The whole service in this process, asked from the loopback address."""
    os.environ["BUNDLE"], os.environ["EVENTS_URL"] = str(bundle_folder), events_url
    from starlette.testclient import TestClient

    from service import Marquee

    with TestClient(
        Marquee.to_asgi(), client=("127.0.0.1", 50000), raise_server_exceptions=False
    ) as client:
        yield client
    del os.environ["BUNDLE"], os.environ["EVENTS_URL"]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL to make schemas in: that of TEST_POSTGRES_URL, else one of our own."""
    if given := os.environ.get("TEST_POSTGRES_URL"):
        yield given
        return
    with postgres.server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where nothing is stored yet, on either database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'events.sqlite'}"
        return
    with postgres.schema(request.getfixturevalue("postgres_url")) as url:
        yield url
