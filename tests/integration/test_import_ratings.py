"""A data set's ratings in an event store: `marquee import-ratings`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.core.command import INPUT_ERROR
from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.feedback.store import EventStore
from marquee.online import import_ratings


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data set of ml-latest's layout with one tie: user 1 rates 20 and 10 in one second."""
    folder = tmp_path / "data" / "ml-latest-small"
    folder.mkdir(parents=True)
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n10,Heat (1995),Crime\n20,Speed (1994),Action\n30,Up (2009),Comedy\n"
    )
    (folder / "ratings.csv").write_text(
        "userId,movieId,rating,timestamp\n"
        "1,20,4.0,900000000\n1,10,3.0,900000000\n1,30,5.0,900000007\n2,10,1.0,900000005\n"
    )
    return tmp_path / "data"


def test_import_ratings_twice_stores_each_rating_once(
    data_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    args = ["--data=ml-latest-small", f"--data.root={data_root}", f"--events={url}"]
    assert [import_ratings.main(args) for _ in range(2)] == [0, 0]
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == f"4 ratings of ml-latest-small are in {url}"
    store = EventStore(url)
    assert [entry[:2] for entry in store.user_state(1).history] == [(20, 4.0), (10, 3.0), (30, 5.0)]


def test_import_ratings_without_arguments_is_an_input_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert import_ratings.main([]) == INPUT_ERROR
    error = capsys.readouterr().err
    assert error.startswith("marquee import-ratings: error: ") and error.count("\n") == 1
    assert "required: --data, --events" in error


NAN = float("nan")
TEXT_IDS = ["0114508", "114508", "tt/é"]


def dataset_of(histories: list[list[tuple[Any, ...]]]) -> Dataset:
    """A data set of text ids: for each user (item, rating, seconds, watched share) rows."""
    rows = [row for history in histories for row in history]
    item, rating, timestamp, watched = (np.array(column) for column in zip(*rows, strict=True))
    ids, unknown = as_ids(TEXT_IDS), [None] * len(TEXT_IDS)
    return Dataset(
        name="mine",
        histories=UserHistories(
            user_id=as_ids([f"user {n}" for n in range(len(histories))]),
            indptr=np.cumsum([0, *map(len, histories)]),
            item=item.astype(np.int32),
            rating=rating.astype(np.float32),
            timestamp=timestamp.astype(np.int64),
            watched=watched.astype(np.float32),
        ),
        movies=Movies(ids, list(TEXT_IDS), unknown, [()] * len(TEXT_IDS)),
        num_items=len(TEXT_IDS),
        scale=(1.0, 2.0) if np.isfinite(rating).any() else (),
        sha256="0" * 64,
        report=(),
    )


def run_import(monkeypatch: pytest.MonkeyPatch, dataset: Dataset, url: str) -> None:
    monkeypatch.setattr(import_ratings, "load_dataset", lambda *_: dataset)
    assert import_ratings.main(["--data=mine", f"--events={url}"]) == 0


def test_import_ratings_without_ratings_stores_watches(
    store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = dataset_of([[(2, NAN, 0, NAN), (0, NAN, 0, 0.5)], [(1, NAN, 0, 0.25)]])
    store = EventStore(store_url)
    versions = []
    for _ in range(2):  # without times: all of 1970, in the order of the file
        run_import(monkeypatch, dataset, store_url)
        versions.append(store.state_version("user 0"))
        assert store.user_state("user 0").history == (
            ("tt/é", None, None, 0),
            ("0114508", None, 0.5, 0),
        )
        assert store.user_state("user 1").history == (("114508", None, 0.25, 0),)
    assert versions[0] == versions[1]
    assert "3 watches of mine are in" in capsys.readouterr().out
    store.close()


def test_import_ratings_mixed_keeps_the_last_of_a_pair(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = [(0, 2.0, 5, NAN), (1, NAN, 6, 0.3), (0, 3.3, 7, NAN)]
    dataset, store = dataset_of([history, history[:1]]), EventStore(store_url)
    for _ in range(2):
        run_import(monkeypatch, dataset, store_url)
        assert store.user_state("user 0").history == (
            ("114508", None, 0.3, 6_000_000),
            ("0114508", 3.3, None, 7_000_000),
        )
    store.close()


def test_import_ratings_in_small_chunks_stores_the_same(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    histories = [
        [(rng.integers(3), 2.0, 100 + n, NAN) for n in range(rng.integers(1, 9))] for _ in range(30)
    ]
    dataset, store = dataset_of(histories), EventStore(store_url)
    run_import(monkeypatch, dataset, store_url)
    states = dict(store.user_states("user 0", "user 99"))
    monkeypatch.setattr(import_ratings, "ROWS_PER_CHUNK", 5)
    versions = [store.state_version(user) for user in states]
    run_import(monkeypatch, dataset, store_url)
    assert dict(store.user_states("user 0", "user 99")) == states and len(states) == 30
    assert [store.state_version(user) for user in states] == versions
    store.close()
