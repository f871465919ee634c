"""Fixtures of all tests: the hand-made bundle, a service in this process, a database."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HOME = tempfile.mkdtemp(prefix="marquee-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ["BENTOML_HOME"] = _HOME  # before bentoml is imported anywhere
os.environ["PROMETHEUS_MULTIPROC_DIR"] = _HOME
os.environ["DATA_CACHE"] = str(Path(_HOME) / "data")
os.environ["BENTOML_DO_NOT_TRACK"] = "True"
for _name in ("BUNDLE", "EVENTS_URL", "API_KEYS"):
    os.environ.pop(_name, None)

import hypothesis  # noqa: E402
import pytest  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from marquee.api.handlers import Handlers  # noqa: E402
from marquee.api.process.loaded_model import LoadedModel  # noqa: E402
from marquee.feedback.store import EventStore  # noqa: E402
from marquee.recommender.recommender import Recommender  # noqa: E402
from tests.support import postgres  # noqa: E402
from tests.support.tiny_bundle import write_tiny  # noqa: E402

LOOPBACK = ("127.0.0.1", 50000)


# On a busy machine an example that takes more than 200 ms says nothing.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made bundle; tests that change a file copy it first."""
    return write_tiny(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def loaded_model(bundle_folder: Path) -> LoadedModel:
    return LoadedModel.load(str(bundle_folder))


@pytest.fixture(scope="session")
def recommender(loaded_model: LoadedModel) -> Recommender:
    return loaded_model.recommender


@pytest.fixture(scope="session")
def events_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """User "42": Heat (4 stars), then The Usual Suspects (5), 70 s later; only copied from."""
    file = tmp_path_factory.mktemp("events") / "events.sqlite"
    store = EventStore(f"sqlite:///{file}")
    store.import_ratings([42, 42, 42], [6, 50, 999], [4.0, 5.0, 3.0], [100, 170, 180])
    store.close()
    return file


@pytest.fixture
def events_url(events_file: Path, tmp_path: Path) -> str:
    """An event store of this test alone, with the user of `events_file`."""
    return f"sqlite:///{shutil.copy(events_file, tmp_path / 'events.sqlite')}"


@pytest.fixture(scope="session")
def service_client(
    bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """The service in this process, started once: it registers metrics. Its store stays empty."""
    import service

    events = tmp_path_factory.mktemp("service") / "events.sqlite"
    app = service.Marquee.to_asgi()
    client = TestClient(app, client=LOOPBACK, raise_server_exceptions=False)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("BUNDLE", str(bundle_folder))
        environment.setenv("EVENTS_URL", f"sqlite:///{events}")
        client.__enter__()
    yield client
    client.__exit__(None, None, None)


@pytest.fixture
def client(service_client: TestClient, loaded_model: LoadedModel, events_url: str) -> Iterator[Any]:
    """The service in this process, called from the loopback address, with a store of its own."""
    import service

    store = EventStore(events_url)
    service.routes.state.handlers = Handlers(loaded_model, store)
    yield service_client
    del service.routes.state.handlers
    store.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL to make schemas in: that of TEST_POSTGRES_URL, else one of our own."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield url
        return
    with postgres.server() as server:
        yield server.url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty event store of this test alone, on either database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    with postgres.schema(request.getfixturevalue("postgres_url")) as url:
        yield url
