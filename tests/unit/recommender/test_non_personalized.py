"""Charts: non-personalized lists, counted when the bundle was made."""

import pytest

from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES, RECENT

AMELIE = 260


def titles(recommender: Recommender, kind: str, **query: object) -> list[str]:
    return [item["title"] for item in recommender.charts(kind, **query)["items"]]  # type: ignore[arg-type]


def test_charts_popular_is_by_number_of_ratings(recommender: Recommender) -> None:
    by_count = sorted(MOVIES, key=lambda movie: -movie[-1])
    assert titles(recommender, "popular") == [movie[1] for movie in by_count]
    assert titles(recommender, "popular", k=2) == ["Pulp Fiction", "Toy Story"]


def test_charts_trending_is_by_excess_of_recent_ratings(
    recommender: Recommender,
) -> None:
    """By hand: 16 of 306 ratings are new; Amélie has 6 where 1.31 were to be expected."""
    items = recommender.charts("trending")["items"]
    assert items[0]["title"] == "Amélie"
    expected = 25 * sum(RECENT) / sum(movie[-1] for movie in MOVIES)
    assert items[0]["score"] == pytest.approx((6 - expected) / expected**0.5, rel=1e-5)
    assert items[-1]["title"] == "Toy Story", "1, where 2.61 were to be expected"


def test_charts_new_is_by_year_without_undated_items(recommender: Recommender) -> None:
    new = titles(recommender, "new")
    assert new[:3] == ["Blade Runner 2049", "Amélie", "Toy Story"], "of 1995 the best known first"
    assert new[-1] == "Blade Runner" and "Heat of the Day" not in new


def test_charts_hidden_gems_are_little_known_and_well_rated(recommender: Recommender) -> None:
    """Six movies have 80% of all ratings; of the others two have five ratings, and stars grow
    along the rows."""
    assert titles(recommender, "hidden_gems") == ["Amélie", "Twelve Monkeys"]


def test_charts_filters_hold(recommender: Recommender) -> None:
    assert titles(recommender, "popular", filters={"genres": ["Drama"], "year_min": 1995}) == [
        "Amélie",
        "Twelve Monkeys",
    ]


def test_charts_items_are_those_of_predict(recommender: Recommender) -> None:
    (item,) = recommender.charts("popular", filters={"year_min": 2001, "year_max": 2001})["items"]
    (predicted,) = recommender.predict(movie_ids=[AMELIE])["items"]
    assert item == predicted, "stars without a history, the score of the popular list"


def test_charts_unknown_kind_raises(recommender: Recommender) -> None:
    with pytest.raises(RequestError, match="kind: 'best', expected one of popular, trending, new"):
        recommender.charts("best")
