"""Sums by user and by movie, and the sums that are left without one user."""

from pathlib import Path

import numpy as np
import pytest

from marquee.core import memmap
from marquee.data.history_order import build_histories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.item_sums import shrunk_mean, year_of
from tests.support.ratings_files import Row, dataset_of, random_rows

MOVIES = [(movie, f"F ({1995 + movie % 14})", "Drama") for movie in range(1, 41)]


def aggregates_of(folder: Path, rows: list[Row]) -> Aggregates:
    dataset = dataset_of(folder, rows, MOVIES)
    return aggregate(dataset, build_histories(dataset))


def test_aggregates_count_ratings_by_user_and_movie(aggregates: Aggregates) -> None:
    assert aggregates.length_U.tolist() == [4, 2, 2, 1]
    assert aggregates.count_I.tolist() == [4, 2, 2, 1]
    assert aggregates.rating_sum_I.tolist() == [15, 8, 8, 2]
    assert aggregates.value_count_UV[0].tolist() == [0, 0, 0, 1, 0, 1, 0, 1, 0, 1]


def test_aggregates_sum_ratings_by_genre(aggregates: Aggregates) -> None:
    assert aggregates.movies.genre_names == ("Comedy", "Drama", "War")
    assert aggregates.genre_count_UG.tolist() == [[1, 2, 1], [0, 2, 1], [1, 1, 1], [0, 1, 1]]
    assert aggregates.genre_rating_sum_UG.tolist() == [[3, 9, 5], [0, 8, 4], [5, 1, 1], [0, 5, 5]]


def test_aggregates_count_ratings_by_year(aggregates: Aggregates) -> None:
    assert aggregates.years.tolist() == [2000, 2001] and aggregates.has_times
    assert aggregates.year_count_UY.tolist() == [[4, 0], [2, 0], [2, 0], [0, 1]]
    assert aggregates.early_count_I.tolist() == [0, 0, 0, 1]  # Late is of 1999, rated in 2000


def test_session_ends_with_more_than_an_hour(aggregates: Aggregates) -> None:
    assert aggregates.num_sessions_U.tolist() == [2, 1, 1, 1]
    assert aggregates.in_first_session_U.tolist() == [2, 2, 2, 1]


def test_aggregates_of_all_users_but_one_match_its_counts(tmp_path: Path) -> None:
    rows = random_rows(25, 40)
    aggregates = aggregates_of(tmp_path / "all", rows)
    mean, num_liked = aggregates.mean_rating, int((aggregates.shrunk_mean_I >= 4).sum())
    for place, user in enumerate(sorted({row[0] for row in rows})):
        others = [row for row in rows if row[0] != user]
        left = aggregates_of(tmp_path / str(user), others)
        assert aggregates.edge_count_UX[place, 0] == len(aggregates.movies) - len(left.movies)
        sizes = np.bincount(left.support_I, minlength=5)
        edges = aggregates.edge_count_UX[place]
        moved = np.append(edges[1:], 0) - edges
        assert (np.bincount(aggregates.support_I, minlength=5) + moved).tolist() == sizes.tolist()
        # The overall mean is held: one user hardly moves it, and it is no movie of theirs.
        num_left = int((shrunk_mean(left.rating_sum_I, left.count_I, mean) >= 4).sum())
        assert num_liked + aggregates.liked_change_U[place] == num_left
        assert aggregates.early_only_UY[place].sum() == num_early(aggregates) - num_early(left)


def num_early(aggregates: Aggregates) -> int:
    is_within = (aggregates.release_year_I >= 2000) & (aggregates.early_count_I > 0)
    return int(is_within.sum())


def test_aggregates_do_not_depend_on_the_chunk_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = random_rows(25, 40)
    expected = aggregates_of(tmp_path / "one", rows)
    monkeypatch.setattr(memmap, "CHUNK_ROWS", 7)
    chunked = aggregates_of(tmp_path / "many", rows)
    columns = [name for name, value in vars(expected).items() if isinstance(value, np.ndarray)]
    assert len(columns) > 10
    for name in columns:
        assert np.array_equal(getattr(chunked, name), getattr(expected, name)), name


def test_year_of_is_the_calendar_year() -> None:
    last_second = int(np.datetime64("2003-12-31T23:59:59").astype(int))
    assert year_of(np.array([0, last_second, last_second + 1])).tolist() == [1970, 2003, 2004]
