"""Movies per year: a trend over comparable years against the fall at the end of the data."""

from pathlib import Path

import numpy as np
import pytest

from marquee.data.history_order import build_histories
from marquee.insights.aggregates import Aggregates, aggregate
from marquee.insights.findings.release_years import movies_per_year
from tests.support.ratings_files import Row, dataset_of


@pytest.mark.parametrize(
    ("early", "late", "num_ratings", "title"),
    [
        pytest.param(3, 3, 30, "No clear decline in movies per year", id="same"),
        pytest.param(
            2, 6, 30, "Movies per year do not decline: the fall is the end of the data", id="more"
        ),
        pytest.param(
            8,
            2,
            80,
            "Fewer movies per year are rated, even with equal time for each",
            id="fewer",
        ),
        pytest.param(
            8, 2, 5, "Fewer movies per year are rated, but fewer ratings are given too", id="raters"
        ),
    ],
)
def test_movies_per_year_compares_equal_windows(
    tmp_path: Path, early: int, late: int, num_ratings: int, title: str
) -> None:
    finding = movies_per_year(aggregates_of(tmp_path, early, late, num_ratings), None)
    assert finding.title == title
    assert finding.number is not None and finding.number.mean == pytest.approx(late / early)
    assert "ends at 1 movie in 2012" in finding.sentence  # the plain count falls whatever happens


def test_movies_per_year_without_early_movies_shows_no_trend(tmp_path: Path) -> None:
    finding = movies_per_year(aggregates_of(tmp_path, 0, 2, 30), None)
    assert not finding.available and "No movie of the earlier years" in finding.sentence
    assert finding.chart is not None and finding.action.startswith("Do not report a decline")


def test_movies_per_year_without_times_draws_the_plain_count(tmp_path: Path) -> None:
    finding = movies_per_year(aggregates_of(tmp_path, 3, 3, 30), "No times.")
    assert not finding.available and finding.sentence.endswith("No times.")
    assert finding.chart is not None and finding.chart.columns == ["release year", "movies"]


def test_early_ratings_are_drawn_for_comparable_years_only(tmp_path: Path) -> None:
    chart = movies_per_year(aggregates_of(tmp_path, 3, 4, 30), None).chart
    assert chart is not None
    early = {row[0]: row[2] for row in chart.rows}
    assert (early[1999], early[2000], early[2009], early[2012]) == (None, 3, 4, None)


def aggregates_of(folder: Path, early: int, late: int, num_ratings: int) -> Aggregates:
    """Aggregate movies of 2000 to 2009, each rated by four users in the year after.

    One movie is of 2012. Ratings of old movies make every year from 2006 as busy as requested.
    """
    rows: list[Row] = [(1, 1, 3.0, stamp(1999)), (1, 2, 3.0, stamp(2012))]
    movies = [(1, "Old (1950)", "Drama"), (2, "New (2012)", "Drama")]
    for year in range(2000, 2010):
        for _ in range(early if year < 2005 else late):
            movies.append((len(movies) + 1, f"F{len(movies)} ({year})", "Drama"))
            raters = [1 + (7 * len(movies) + place) % 40 for place in range(4)]
            rows += [(user, len(movies), 3.0, stamp(year + 1)) for user in raters]
    for year in range(2000, 2012):
        for place in range(30 if year < 2006 else num_ratings):
            movies.append((len(movies) + 1, f"Old {len(movies)} (1960)", "Drama"))
            rows.append((1 + place, len(movies), 3.0, stamp(year)))
    dataset = dataset_of(folder, sorted(rows), movies)
    return aggregate(dataset, build_histories(dataset))


def stamp(year: int) -> int:
    return int(np.datetime64(f"{year}-06-01").astype("datetime64[s]").astype(int))
