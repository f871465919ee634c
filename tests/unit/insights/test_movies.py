"""Movies by support and by mean, and the concentration of the ratings."""

from pathlib import Path

import pytest

from marquee.data.history_order import build_histories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.findings import movies
from marquee.insights.resample import UserResamples
from marquee.insights.words import Scale
from tests.support.nine_ratings import MOVIES
from tests.support.ratings_files import SECOND, Row, dataset_of

MEAN = 33 / 9
STARS = Scale((0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5))


def aggregates_of(folder: Path, rows: list[Row]) -> Aggregates:
    rated = {row[1] for row in rows}
    dataset = dataset_of(folder, rows, [movie for movie in MOVIES if movie[0] in rated])
    return aggregate(dataset, build_histories(dataset))


def test_few_ratings_counts_movies_by_support(aggregates: Aggregates) -> None:
    finding = movies.few_ratings(aggregates)
    assert finding.number is not None and finding.chart is not None
    assert finding.number.mean == 25
    assert [row[1] for row in finding.chart.rows] == [25, 75, 0, 0, 0]
    rating_percents = [row[-1] for row in finding.chart.rows]
    assert rating_percents == pytest.approx([100 / 9, 800 / 9, 0, 0, 0])


def test_findings_none_found_say_no_more(tmp_path: Path) -> None:
    rows: list[Row] = [(user, 10, 3.0, SECOND) for user in range(1, 6)]
    aggregates = aggregates_of(tmp_path, rows)
    finding = movies.few_ratings(aggregates)
    assert finding.title == "No movie has fewer than 5 ratings"
    assert finding.action.startswith("No movie needs more.")
    finding = movies.movies_by_mean(aggregates, STARS)
    assert finding.sentence == "No movie has a plain mean of 4 stars or more, either."


def test_movies_by_mean_does_not_count_a_single_five(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 10, 5.0, SECOND), *((u, 20, 3.0, SECOND) for u in range(1, 5))]
    aggregates = aggregates_of(tmp_path, rows)
    assert aggregates.shrunk_mean_I[0] == pytest.approx((5 + 10 * 17 / 5) / 11)  # 3.5, not 5
    finding = movies.movies_by_mean(aggregates, STARS)
    assert finding.numbers["movies_liked"] == 0
    assert finding.title.startswith("No movie averages 4 stars or more")
    assert "1 movie has a plain mean of 4 stars or more." in finding.sentence
    assert "1 of them has fewer than 5 ratings." in finding.sentence
    assert movies.few_among_best(aggregates, 1) == (1, 1)


def test_few_among_best_drops_rare_movies_by_shrunk_mean(tmp_path: Path) -> None:
    rows: list[Row] = [(1, 10, 5.0, SECOND), (1, 30, 1.0, SECOND)]
    rows += [(u, 20, 4.5, SECOND) for u in range(1, 21)]
    rows += [(u, 30, 1.0, SECOND) for u in range(2, 21)]
    assert movies.few_among_best(aggregates_of(tmp_path, rows), 1) == (1, 0)


def test_concentration_needs_ten_movies(aggregates: Aggregates, resamples: UserResamples) -> None:
    finding = movies.concentration(aggregates, resamples)
    assert not finding.available and "4 movies" in finding.sentence


def test_concentration_measures_the_most_rated_tenth(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = movies.concentration(aggregates, resamples, min_movies=4)
    assert finding.number is not None
    assert finding.number.mean == pytest.approx(100 * 4 / 9)
    assert "The Heat (1994), with 4 ratings" in finding.sentence


def test_mean_and_popularity_claims_no_cause(aggregates: Aggregates) -> None:
    finding = movies.mean_and_popularity(aggregates, STARS)
    assert not finding.available and finding.chart is not None
    single = next(row for row in finding.chart.rows if row[0] == "1")
    assert single[1] == pytest.approx((2 + 10 * MEAN) / 11)  # no mean over one rating
