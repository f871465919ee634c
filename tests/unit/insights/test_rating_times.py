"""Ratings by year, sessions, and data whose times mean nothing."""

from pathlib import Path

import pytest

from marquee.core.bootstrap import Interval
from marquee.data.history_order import build_histories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.findings import rating_times
from marquee.insights.resample import UserResamples
from tests.support.nine_ratings import MOVIES, ROWS
from tests.support.ratings_files import SECOND, YEAR_S, Row, dataset_of


def test_sessions_measures_the_first_session(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = rating_times.sessions(aggregates, resamples, None)
    assert finding.number is not None
    assert finding.number.mean == pytest.approx(100 * (2 / 4 + 1 + 1 + 1) / 4)
    single_share = finding.numbers["one_session_percent"]
    assert isinstance(single_share, Interval) and single_share.mean == 75


def test_ratings_by_year_compares_with_an_even_spread(
    tmp_path: Path, resamples: UserResamples
) -> None:
    rows: list[Row] = [*ROWS, (4, 20, 3.0, SECOND + 3 * YEAR_S + 86_400)]
    dataset = dataset_of(tmp_path, rows, MOVIES)
    aggregates = aggregate(dataset, build_histories(dataset))
    finding = rating_times.ratings_by_year(aggregates, resamples, None)
    assert finding.number is not None and finding.number.mean == pytest.approx(100 * 8 / 10)
    assert finding.sentence == "An even spread over 4 years would give each year 25%."
    assert finding.chart is not None
    assert [row[-1] for row in finding.chart.rows] == [3, 1, 0, 1]  # users who rated


def test_ratings_by_year_needs_three_years(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = rating_times.ratings_by_year(aggregates, resamples, None)
    assert not finding.available and "one or two calendar years" in finding.sentence


def test_unusable_times_are_reconstructed() -> None:
    (reconstructed,) = rating_times.RECONSTRUCTED
    assert rating_times.unusable_times_reason("other") is None
    assert "reconstructed" in (rating_times.unusable_times_reason(reconstructed) or "")
