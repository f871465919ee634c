"""Test that a new bundle is taken while the old one serves, or refused."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marquee.api.handlers import Handlers
from marquee.api.process import model_reloader
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.model_reloader import BundleFolder, ModelReloader, load_first_model
from marquee.api.requests import RecommendRequest
from marquee.core.errors import InputError
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import write_bundle
from tests.support.tiny_bundle import tiny_parts, write_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "bundle")


@pytest.fixture
def handlers(folder: Path, tmp_path: Path) -> Handlers:
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    return Handlers(LoadedModel.load(str(folder)), store)


@pytest.fixture
def reloader(folder: Path, handlers: Handlers) -> ModelReloader:
    return ModelReloader(BundleFolder(str(folder)), handlers.swap_model, poll_s=0.01)


def replace_bundle(folder: Path, **manifest: Any) -> str:
    """Another bundle in its place; its model version."""
    parts = tiny_parts()
    return write_bundle(folder, **parts | {"manifest": parts["manifest"] | manifest})


def version_of(handlers: Handlers, **fields: Any) -> str:
    response = asyncio.run(handlers.recommend(RecommendRequest(**fields)))
    return str(response["model_version"])


def test_model_reloader_new_bundle_answers(
    folder: Path, handlers: Handlers, reloader: ModelReloader
) -> None:
    before = version_of(handlers, user_id="ann")
    asyncio.run(reloader.poll())
    assert version_of(handlers, user_id="ann") == before
    version = replace_bundle(folder, name="second")
    assert version_of(handlers, user_id="ann") == before, "not polled yet"
    asyncio.run(reloader.poll())
    assert version_of(handlers, user_id="ann") == version != before, (
        "the cached list is another model's"
    )


@pytest.mark.parametrize("name", ["arrays.safetensors", "bundle.json", "golden.json"])
def test_model_reloader_bad_bundle_is_refused_once(
    folder: Path,
    handlers: Handlers,
    reloader: ModelReloader,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = version_of(handlers)
    version = replace_bundle(folder, name="second")
    good = (folder / name).read_bytes()
    (folder / name).write_bytes(good[:-1])
    for _ in range(3):
        asyncio.run(reloader.poll())
    assert version_of(handlers) == before
    (message,) = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert name in message
    (folder / name).write_bytes(good)
    asyncio.run(reloader.poll())
    assert version_of(handlers) == version


def test_model_reloader_missing_bundle_is_waited_for(
    folder: Path, handlers: Handlers, reloader: ModelReloader, caplog: pytest.LogCaptureFixture
) -> None:
    before = version_of(handlers)
    shutil.move(folder, folder.with_name("aside"))
    asyncio.run(reloader.poll())
    assert version_of(handlers) == before and not caplog.records
    shutil.move(folder.with_name("aside"), folder)
    asyncio.run(reloader.poll())
    assert version_of(handlers) == before


def test_model_reloader_requests_are_answered_meanwhile(
    folder: Path, handlers: Handlers, reloader: ModelReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def request_meanwhile() -> str:
        has_begun, may_continue = asyncio.Event(), asyncio.Event()
        loop, load = asyncio.get_running_loop(), LoadedModel.load

        def slow(bundle: str, copies: Path | None) -> LoadedModel:
            loop.call_soon_threadsafe(has_begun.set)
            asyncio.run_coroutine_threadsafe(may_continue.wait(), loop).result(timeout=60)
            return load(bundle, copies)

        monkeypatch.setattr(LoadedModel, "load", slow)
        polling = asyncio.create_task(reloader.poll())
        await asyncio.wait_for(has_begun.wait(), timeout=60)
        meanwhile: str = (await handlers.recommend(RecommendRequest()))["model_version"]
        may_continue.set()
        await polling
        return meanwhile

    before = version_of(handlers)
    version = replace_bundle(folder, name="second")
    assert asyncio.run(request_meanwhile()) == before
    assert version_of(handlers) == version


def test_model_reloader_polls_until_cancelled(
    folder: Path, handlers: Handlers, reloader: ModelReloader
) -> None:
    async def run() -> str:
        task = asyncio.create_task(reloader.run())
        versions = [replace_bundle(folder, name=name) for name in ("second", "third")]
        async with asyncio.timeout(60):
            while handlers.model.recommender.model_version != versions[-1]:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return versions[-1]

    assert asyncio.run(run()) == version_of(handlers)


def test_model_reloader_touched_files_same_model(
    folder: Path, handlers: Handlers, reloader: ModelReloader
) -> None:
    before = version_of(handlers)
    os.utime(folder / "bundle.json", (1, 1))
    asyncio.run(reloader.poll())
    assert (
        version_of(handlers)
        == before
        == json.loads((folder / "bundle.json").read_text())["model_version"]
    )


def test_model_reloader_trims_memory_after_a_swap(
    folder: Path, reloader: ModelReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(model_reloader, "trim_malloc", lambda: calls.append("trim"))
    asyncio.run(reloader.poll())
    assert calls == []
    replace_bundle(folder, name="second")
    asyncio.run(reloader.poll())
    assert calls == ["trim"]


class ScriptedSource:
    """A source whose `fetch_newer` returns or raises one step after another."""

    unavailable: bool | None = False

    def __init__(self, first: list[Path], *newer: Path | InputError | None) -> None:
        self._first, self._newer, self.active = first, list(newer), list[Path]()

    def candidates(self) -> Iterator[Path]:
        yield from self._first

    def fetch_newer(self) -> Path | None:
        step = self._newer.pop(0)
        self.unavailable = isinstance(step, InputError)
        if isinstance(step, InputError):
            raise step
        return step

    def mark_active(self, folder: Path) -> None:
        self.active.append(folder)


def test_load_first_model_skips_damaged_bundles(tmp_path: Path) -> None:
    good = write_tiny(tmp_path / "good")
    source = ScriptedSource([tmp_path / "none", good])
    assert load_first_model(source).recommender.manifest["name"] == "tiny"
    assert source.active == [good]
    with pytest.raises(InputError, match="none: no such bundle folder"):
        load_first_model(ScriptedSource([tmp_path / "none", tmp_path / "neither"]))


def test_model_reloader_unavailable_store_keeps_model(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    error = InputError("s3://b/p: no answer")
    other = write_tiny(tmp_path / "other")
    version = replace_bundle(other, name="second")
    source = ScriptedSource([], error, error, None, other, error)
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    handlers = Handlers(LoadedModel.load(str(folder)), store, lambda: source.unavailable)
    reloader = ModelReloader(source, handlers.swap_model, poll_s=0.01)
    before = version_of(handlers)
    states = []
    for _ in range(5):
        asyncio.run(reloader.poll())
        states.append((asyncio.run(handlers.ready())["releases"], version_of(handlers)))
    assert states == [("away", before)] * 2 + [("up", before), ("up", version), ("away", version)]
    counts = [r.getMessage().count("store of releases is unavailable") for r in caplog.records]
    assert counts == [1, 0, 1]
    assert source.active == [other]
