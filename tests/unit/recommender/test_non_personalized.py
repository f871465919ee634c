"""Charts: the same for everybody, counted when the bundle was made."""

from typing import get_args

import pytest

from marquee.api.requests import ChartKind
from marquee.recommender.errors import RequestError
from marquee.recommender.non_personalized import CHART_KINDS
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import FILMS, RECENT

AMELIE = 260


def titles(recommender: Recommender, kind: str, **more: object) -> list[str]:
    return [item["title"] for item in recommender.charts(kind, **more)["items"]]  # type: ignore[arg-type]


def test_popular_is_by_number_of_ratings(recommender: Recommender) -> None:
    by_count = sorted(FILMS, key=lambda film: -film[-1])
    assert titles(recommender, "popular") == [film[1] for film in by_count]
    assert titles(recommender, "popular", k=2) == ["Pulp Fiction", "Toy Story"]


def test_trending_is_what_gets_more_of_the_newest_ratings_than_its_share(
    recommender: Recommender,
) -> None:
    """By hand: 16 of 306 ratings are new; Amélie has 6 where 1.31 were to be expected."""
    items = recommender.charts("trending")["items"]
    assert items[0]["title"] == "Amélie"
    expected = 25 * sum(RECENT) / sum(film[-1] for film in FILMS)
    assert items[0]["score"] == pytest.approx((6 - expected) / expected**0.5, rel=1e-5)
    assert items[-1]["title"] == "Toy Story", "1, where 2.61 were to be expected"


def test_new_is_by_year_and_leaves_out_what_has_none(recommender: Recommender) -> None:
    found = titles(recommender, "new")
    assert found[:3] == ["Blade Runner 2049", "Amélie", "Toy Story"], "of 1995 the best known first"
    assert found[-1] == "Blade Runner" and "Heat of the Day" not in found


def test_hidden_gems_are_little_known_and_surely_good(recommender: Recommender) -> None:
    """Six films have 80% of all ratings; of the others two have five ratings, and stars grow along
    the films."""
    assert titles(recommender, "hidden_gems") == ["Amélie", "Twelve Monkeys"]


def test_filters_hold(recommender: Recommender) -> None:
    assert titles(recommender, "popular", filters={"genres": ["Drama"], "year_min": 1995}) == [
        "Amélie",
        "Twelve Monkeys",
    ]


def test_items_are_as_in_other_lists(recommender: Recommender) -> None:
    (item,) = recommender.charts("popular", filters={"year_min": 2001, "year_max": 2001})["items"]
    stranger = recommender.predict(movie_ids=[AMELIE])["items"][0]
    assert item == stranger, "stars are a stranger's, the score that of the popular list"


def test_a_kind_that_is_none_is_refused(recommender: Recommender) -> None:
    with pytest.raises(RequestError, match="kind: 'best', expected one of popular, trending, new"):
        recommender.charts("best")


def test_the_kinds_over_http_are_those_of_the_library() -> None:
    assert get_args(ChartKind) == CHART_KINDS
