"""The event store gives back what was imported, per person and in order, however often."""

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.errors import UserError
from serving.events import EventStore


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'events.sqlite'}"


def test_a_history_comes_back_oldest_first(url: str) -> None:
    store = EventStore(url)
    assert store.import_ratings([1, 2, 1], [10, 10, 20], [3.0, 1.0, 4.5], [200, 5, 100]) == 3
    assert store.history(1) == [(20, 4.5, 100), (10, 3.0, 200)]
    assert store.history(2) == [(10, 1.0, 5)]
    assert store.history(3) == []


def test_equal_times_keep_the_order_of_import(url: str) -> None:
    store = EventStore(url)
    store.import_ratings([1] * 4, [40, 10, 30, 20], [3.0] * 4, [7] * 4)
    assert [movie_id for movie_id, _, _ in store.history(1)] == [40, 10, 30, 20]


def test_importing_twice_changes_nothing(url: str) -> None:
    store = EventStore(url)
    ratings: list[Any] = [[1, 1, 2], [40, 10, 40], [3.0, 2.0, 5.0], [7, 7, 7]]
    store.import_ratings(*ratings)
    before = store.history(1), store.history(2)
    store.import_ratings(*ratings)
    assert (store.history(1), store.history(2)) == before


def test_the_last_rating_of_a_movie_counts(url: str) -> None:
    store = EventStore(url)
    store.import_ratings([1, 1], [10, 10], [3.0, 4.0], [5, 6])
    assert store.history(1) == [(10, 4.0, 6)]


def test_a_number_and_its_text_are_the_same_person(url: str) -> None:
    store = EventStore(url)
    store.import_ratings([42], [10], [3.0], [5])
    store.import_ratings(np.array(["42", "ann"]), [20, 20], [4.0, 4.0], [6, 6])
    assert store.history(42) == store.history("42") == [(10, 3.0, 5), (20, 4.0, 6)]
    assert store.history("ann") == [(20, 4.0, 6)]


def test_more_rows_than_one_portion(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.events.ROWS_AT_ONCE", 10)
    store, n = EventStore(url), 25
    store.import_ratings(np.ones(n, int), np.arange(n), np.full(n, 3.5, "f4"), np.arange(n))
    assert store.history(1) == [(m, 3.5, m) for m in range(n)]


def test_histories_outlive_the_process(url: str) -> None:
    EventStore(url).import_ratings([1], [10], [3.0], [5])
    assert EventStore(url).history(1) == [(10, 3.0, 5)]


@pytest.mark.parametrize(
    ("ratings", "sentence"),
    [
        pytest.param([[1], [10], [float("nan")], [5]], "NaN", id="nan"),
        pytest.param([[1, 2], [10], [3.0], [5]], "differ in length", id="lengths"),
        pytest.param([["x" * 65], [10], [3.0], [5]], "65 characters", id="long-name"),
        pytest.param([[""], [10], [3.0], [5]], "0 characters", id="no-name"),
    ],
)
def test_bad_ratings_are_told_and_none_is_kept(url: str, ratings: list[Any], sentence: str) -> None:
    store = EventStore(url)
    with pytest.raises(UserError, match=sentence):
        store.import_ratings(*ratings)
    assert store.history(1) == []


def test_an_import_that_breaks_off_leaves_nothing(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(url)
    with sqlite3.connect(tmp_path / "events.sqlite") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON ratings WHEN NEW.movie_id = 2 "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    monkeypatch.setattr("serving.events.ROWS_AT_ONCE", 1)
    with pytest.raises(UserError, match="disk is full"):
        store.import_ratings(["a", "b"], [1, 2], [3.0, 3.0], [5, 5])
    assert store.history("a") == []


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param("nonsense", id="no-url"),
        pytest.param("postgresql://ann:secret@localhost/db", id="another-database"),
        pytest.param("sqlite://", id="memory"),
        pytest.param("sqlite:////no/such/folder/events.sqlite", id="no-folder"),
    ],
)
def test_a_bad_address_is_told_without_its_password(bad: str) -> None:
    with pytest.raises(UserError, match="EVENTS_URL") as caught:
        EventStore(bad)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" * 100)
    with pytest.raises(UserError, match=r"ratings.csv.*file is not a database"):
        EventStore(f"sqlite:///{tmp_path / 'ratings.csv'}")


def test_another_products_table_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "other.sqlite") as connection:
        connection.execute("CREATE TABLE ratings (mine TEXT)")
    with pytest.raises(UserError, match=r"other.sqlite.*no such column"):
        EventStore(f"sqlite:///{tmp_path / 'other.sqlite'}")
