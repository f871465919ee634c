"""Test the demo data: same seed, same bytes; the form of MovieLens; an order that predicts."""

from pathlib import Path

import numpy as np
import pytest

from marquee.data.dataset import Dataset, load_dataset
from marquee.data.demo_data import FIRST_SECOND, write_demo
from marquee.data.history_order import build_histories
from marquee.data.user_histories import UserHistories


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def demo(root: Path) -> Dataset:
    return load_dataset("demo", root)


@pytest.fixture(scope="module")
def histories(demo: Dataset) -> UserHistories:
    return build_histories(demo)


def test_demo_data_same_seed_gives_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo(tmp_path / name, seed, num_users=30, num_movies=60)
    a, b, c = (
        [(tmp_path / name / file).read_bytes() for file in ("ratings.csv", "movies.csv")]
        for name in "abc"
    )
    assert a == b
    assert a[0] != c[0]


def test_demo_data_readme_says_synthetic(root: Path, demo: Dataset) -> None:
    assert (root / "demo" / "README.txt").read_text().startswith("SYNTHETIC DATA")


def test_demo_data_sizes(demo: Dataset, histories: UserHistories) -> None:
    assert demo.report == ()
    assert len(histories) == 800
    assert 55_000 < len(demo.histories.item) < 65_000
    assert (len(demo.movies), demo.num_items) == (600, 590)
    assert demo.histories.timestamp.min() >= FIRST_SECOND


def test_demo_data_titles_differ_and_some_fields_are_empty(demo: Dataset) -> None:
    movies = demo.movies
    assert len({movies.label(row) for row in range(len(movies))}) == len(movies)
    assert None in movies.year
    assert () in movies.genres
    assert len(movies.genre_names) == 18
    assert max(year for year in movies.year if year) < 2015  # nothing rated before it came out


def test_demo_data_popularity_is_skewed(demo: Dataset) -> None:
    count = np.sort(demo.histories.item_counts(demo.num_items))
    assert np.count_nonzero(count == 1) == 40
    assert count[-59:].sum() > 2 * count.sum() / 10  # the upper tenth takes over two tenths


def test_demo_data_users_use_the_scale_differently(histories: UserHistories) -> None:
    parts = np.split(histories.rating, histories.indptr[1:-1])
    means = np.array([part.mean() for part in parts])
    assert means.std() > 0.25
    assert np.count_nonzero(means == 5) >= 6  # nothing but fives
    is_whole = np.array([(part % 1 == 0).all() for part in parts])
    assert 0.2 < is_whole.mean() < 0.4  # never a half star


def test_demo_data_few_users_rate_most_of_the_catalog(histories: UserHistories) -> None:
    length = np.sort(histories.length)
    assert length[-4] > 450
    assert length[-5] < 300
    assert length[0] >= 12


def test_demo_data_order_predicts_the_next_movie(demo: Dataset, histories: UserHistories) -> None:
    """The next movie shares a genre far more often than any two movies of the same user do."""
    genre_IG = demo.movies.genre_matrix()
    user = np.repeat(np.arange(len(histories)), histories.length)
    shuffled = np.lexsort((np.random.default_rng(0).random(len(user)), user))

    def shared(item: np.ndarray) -> float:
        pairs = (genre_IG[item[1:]] * genre_IG[item[:-1]]).any(axis=1)
        return float(pairs[user[1:] == user[:-1]].mean())

    assert shared(histories.item) > 1.5 * shared(histories.item[shuffled])


def test_demo_data_sessions_hold_equal_timestamps(histories: UserHistories) -> None:
    inner = np.diff(histories.timestamp)[np.setdiff1d(
        np.arange(len(histories.item) - 1), histories.indptr[1:-1] - 1
    )]  # fmt: skip
    assert 0.1 < (inner == 0).mean() < 0.2
