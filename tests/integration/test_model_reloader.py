"""A new bundle is taken while the old one serves, or refused."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from marquee.api.handlers import Handlers, LoadedModel
from marquee.api.lifecycle.bundle_source import BundleFolder
from marquee.api.lifecycle.model_reloader import ModelReloader, load_first_model
from marquee.api.requests import RecommendRequest
from marquee.core.errors import InputError
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import write_bundle
from tests.support.tiny_bundle import tiny_parts, write_tiny


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "bundle")


@pytest.fixture
def answers(folder: Path, tmp_path: Path) -> Handlers:
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    return Handlers(LoadedModel.load(str(folder)), store)


@pytest.fixture
def watch(folder: Path, answers: Handlers) -> ModelReloader:
    return ModelReloader(BundleFolder(str(folder)), answers.swap_model, poll_s=0.01)


def renew(folder: Path, **manifest: Any) -> str:
    """Another bundle in its place; its model version."""
    parts = tiny_parts()
    return write_bundle(folder, **parts | {"manifest": parts["manifest"] | manifest})


def served(answers: Handlers, **asked: Any) -> str:
    answer = asyncio.run(answers.recommend(RecommendRequest(**asked)))
    return str(answer["model_version"])


def test_a_new_bundle_answers(folder: Path, answers: Handlers, watch: ModelReloader) -> None:
    before = served(answers, user_id="ann")
    asyncio.run(watch.poll())
    assert served(answers, user_id="ann") == before
    version = renew(folder, name="second")
    assert served(answers, user_id="ann") == before, "nobody has looked yet"
    asyncio.run(watch.poll())
    assert served(answers, user_id="ann") == version != before, "what was remembered is not given"


@pytest.mark.parametrize("name", ["arrays.safetensors", "bundle.json", "golden.json"])
def test_a_bad_bundle_is_refused_said_once_and_looked_at_again(
    folder: Path,
    answers: Handlers,
    watch: ModelReloader,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = served(answers)
    version = renew(folder, name="second")
    good = (folder / name).read_bytes()
    (folder / name).write_bytes(good[:-1])
    for _ in range(3):
        asyncio.run(watch.poll())
    assert served(answers) == before
    (said,) = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert name in said
    (folder / name).write_bytes(good)
    asyncio.run(watch.poll())
    assert served(answers) == version


def test_a_bundle_that_is_gone_for_a_moment_is_waited_for(
    folder: Path, answers: Handlers, watch: ModelReloader, caplog: pytest.LogCaptureFixture
) -> None:
    before = served(answers)
    shutil.move(folder, folder.with_name("aside"))
    asyncio.run(watch.poll())
    assert served(answers) == before and not caplog.records
    shutil.move(folder.with_name("aside"), folder)
    asyncio.run(watch.poll())
    assert served(answers) == before


def test_requests_are_answered_while_a_bundle_is_read(
    folder: Path, answers: Handlers, watch: ModelReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask_meanwhile() -> str:
        begun, go_on = asyncio.Event(), asyncio.Event()
        loop, load = asyncio.get_running_loop(), LoadedModel.load

        def slow(bundle: str) -> LoadedModel:
            loop.call_soon_threadsafe(begun.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result(timeout=10)
            return load(bundle)

        monkeypatch.setattr(LoadedModel, "load", slow)
        looking = asyncio.create_task(watch.poll())
        await begun.wait()
        meanwhile: str = (await answers.recommend(RecommendRequest()))["model_version"]
        go_on.set()
        await looking
        return meanwhile

    before = served(answers)
    version = renew(folder, name="second")
    assert asyncio.run(ask_meanwhile()) == before
    assert served(answers) == version


def test_it_looks_again_and_again_until_it_is_stopped(
    folder: Path, answers: Handlers, watch: ModelReloader
) -> None:
    async def run() -> str:
        task = asyncio.create_task(watch.run())
        versions = [renew(folder, name=name) for name in ("second", "third")]
        for _ in range(500):
            await asyncio.sleep(0.01)
            if answers.model.recommender.model_version == versions[-1]:
                break
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return versions[-1]

    assert asyncio.run(run()) == served(answers)


def test_the_same_files_touched_are_the_same_model(
    folder: Path, answers: Handlers, watch: ModelReloader
) -> None:
    before = served(answers)
    os.utime(folder / "bundle.json", (1, 1))
    asyncio.run(watch.poll())
    assert (
        served(answers)
        == before
        == json.loads((folder / "bundle.json").read_text())["model_version"]
    )


def test_the_memory_of_reading_is_given_back_after_a_swap(
    folder: Path, watch: ModelReloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    trim = "marquee.api.lifecycle.model_reloader.trim_malloc"
    monkeypatch.setattr(trim, lambda: given.append("back"))
    asyncio.run(watch.poll())
    assert given == []
    renew(folder, name="second")
    asyncio.run(watch.poll())
    assert given == ["back"]


class Places:
    """A source in steps: what `newer` gives or raises, one after the other."""

    unavailable: bool | None = False

    def __init__(self, first: list[Path], *newer: Path | InputError | None) -> None:
        self._first, self._newer, self.taken = first, list(newer), list[Path]()

    def candidates(self) -> Iterator[Path]:
        yield from self._first

    def fetch_newer(self) -> Path | None:
        found = self._newer.pop(0)
        self.unavailable = isinstance(found, InputError)
        if isinstance(found, InputError):
            raise found
        return found

    def mark_active(self, folder: Path) -> None:
        self.taken.append(folder)


def test_it_starts_with_the_first_that_is_whole(tmp_path: Path) -> None:
    good = write_tiny(tmp_path / "good")
    source = Places([tmp_path / "none", good])
    assert load_first_model(source).recommender.manifest["name"] == "tiny"
    assert source.taken == [good]
    with pytest.raises(InputError, match="none: no such bundle folder"):
        load_first_model(Places([tmp_path / "none", tmp_path / "neither"]))


def test_a_store_that_is_away_is_said_once_and_the_model_stays(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = InputError("s3://b/p: no answer")
    other = write_tiny(tmp_path / "other")
    version = renew(other, name="second")
    source = Places([], gone, gone, None, other, gone)
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    answers = Handlers(LoadedModel.load(str(folder)), store, lambda: source.unavailable)
    watch = ModelReloader(source, answers.swap_model, poll_s=0.01)
    before = served(answers)
    said = []
    for _ in range(5):
        asyncio.run(watch.poll())
        said.append((asyncio.run(answers.ready())["releases"], served(answers)))
    assert said == [("away", before)] * 2 + [("up", before), ("up", version), ("away", version)]
    counts = [r.getMessage().count("store of releases is unavailable") for r in caplog.records]
    assert counts == [1, 0, 1]
    assert source.taken == [other]
