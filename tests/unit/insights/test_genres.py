"""The three tops of genres, and which genres lead beyond chance."""

import numpy as np
import pytest

from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import Aggregates
from marquee.insights.findings import genres
from marquee.insights.resample import UserResamples
from marquee.insights.words import words_of

MEAN = 33 / 9
RATINGS = words_of("ml-1m", (1.0, 2.0, 3.0, 4.0, 5.0), has_unrated=False)


def value_of(number: float | Interval) -> float:
    return number.mean if isinstance(number, Interval) else number


def test_genres_measures_titles_ratings_and_means(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    finding = genres.genres(aggregates, resamples)
    assert finding.number is not None
    assert finding.number.mean == pytest.approx(100 * 6 / 9)  # Drama: the ratings of Heat and Fargo
    numbers = {name: value_of(number) for name, number in finding.numbers.items()}
    assert numbers["titles_percent/Drama"] == pytest.approx(100 * 2 / 4)
    assert numbers["ratings_percent/Comedy"] == pytest.approx(100 * 2 / 9)
    assert numbers["mean_stars/Drama"] == pytest.approx((9 + 8 + 1 + 5 + 10 * MEAN) / (6 + 10))
    assert numbers["mean_stars/Comedy"] == pytest.approx((3 + 5 + 10 * MEAN) / (2 + 10))


def test_genres_names_close_rivals_in_the_title(
    aggregates: Aggregates, resamples: UserResamples
) -> None:
    # In nearly half of all draws War, on one movie of Drama, is as far as Drama.
    assert genres.genres(aggregates, resamples).title == (
        "Drama has the most titles; Drama and War are rated most; "
        "Drama, Comedy and War are liked best"
    )


@pytest.mark.parametrize(
    ("column_UF", "leaders"),
    [
        pytest.param([[1.0, 2.0, 0.0]] * 30, [1], id="clear"),
        pytest.param([[0.0, 2.0, 0.0]] * 16 + [[2.0, 0.0, 0.0]] * 14, [1, 0], id="32-against-28"),
    ],
)
def test_with_leaders_names_genres_that_chance_could_swap(
    column_UF: list[list[float]], leaders: list[int]
) -> None:
    intervals, rows = genres.with_leaders(
        UserResamples(len(column_UF)), np.array(column_UF), lambda sum_SF: sum_SF
    )
    assert [interval.mean for interval in intervals] == np.sum(column_UF, 0).tolist()
    assert rows == leaders


@pytest.mark.parametrize(
    ("most_rated", "best_liked", "title"),
    [
        (["Drama"], ["Drama"], "Drama leads in titles, ratings and stars"),
        (["Drama"], ["War"], "Drama has the most titles and the most ratings; War is liked best"),
        (["War"], ["War"], "Drama has the most titles; War is rated most; War is liked best"),
        (
            ["Drama", "War"],
            ["War", "Crime", "Noir", "Drama"],
            "Drama has the most titles; Drama and War are rated most; "
            "no genre is clearly liked best",
        ),
    ],
)
def test_verdict_on_genres(most_rated: list[str], best_liked: list[str], title: str) -> None:
    assert genres.verdict("Drama", most_rated, best_liked, RATINGS) == title
