"""Test what the app computes by itself: merged lists, genre mixes, tastes, yardsticks, charts."""

import tomllib

import pytest

from app_pages import charts, genre_mix, merge_lists, rating_scale, widgets
from marquee_client.types import HistoryItem, Movie
from tests.support.contrast import contrast
from tests.support.paths import ROOT


def movie(movie_id: int, *genres: str, year: int | None = 1995) -> Movie:
    return {
        "movie_id": movie_id,
        "title": f"M{movie_id}",
        "year": year,
        "genres": [*genres],
        "num_ratings": 9,
    }


def rating(movie_id: int, title: str, stars: float) -> HistoryItem:
    return {"movie_id": movie_id, "title": title, "year": 1995, "stars": stars, "at": "2026-01-02"}


def test_short_title_fits_a_card() -> None:
    title = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb"
    assert widgets.short(title) == "Dr. Strangelove or: How I Learned to Stop Worrying an…"
    assert widgets.short("Heat") == "Heat"
    assert len(widgets.short("映" * 90)) == widgets.MAX_TITLE_CHARS


def test_plain_escapes_markdown() -> None:
    assert widgets.plain("S*M*A*S*H [1970] $5") == r"S\*M\*A\*S\*H \[1970\] \$5"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "no ratings yet"), (1, "1 rating"), (1277, "1,277 ratings")]
)
def test_count_ratings_in_words(count: int, text: str) -> None:
    assert widgets.count_ratings(count) == text


def test_facts_without_stars_are_year_and_genres() -> None:
    assert widgets.facts(movie(1, "Drama", "War", "Action")) == "1995 · Drama · War"
    assert widgets.facts(movie(1, "Drama", year=None)) == "Drama"


def test_merge_orders_least_misery_takes_the_worst_place() -> None:
    """Movie 1 is loved by two and last for one; movie 2 is second for all."""
    orders = {"a": [1, 2, 3, 4], "b": [1, 2, 4, 3], "c": [3, 2, 4, 1]}
    assert merge_lists.merge_orders(orders, "least_misery")[0] == 2


def test_merge_orders_average_breaks_ties_by_the_worst_place() -> None:
    orders = {"a": [1, 2, 3], "b": [1, 2, 3], "c": [2, 3, 1]}
    assert merge_lists.merge_orders(orders, "average") == [
        2,  # (2 + 2 + 1) / 3, and nobody has it far down
        1,  # (1 + 1 + 3) / 3, the same
        3,
    ]


def test_merge_orders_leaves_out_what_an_order_lacks() -> None:
    assert merge_lists.merge_orders({"a": [1, 2], "b": [2, 3]}, "average") == [2]
    assert merge_lists.merge_orders({}, "average") == []


def test_mix_shares_a_movie_among_its_genres() -> None:
    assert genre_mix.mix([movie(1, "Drama", "War"), movie(2, "Drama")]) == {
        "Drama": 0.75,
        "War": 0.25,
    }


def test_mix_without_genres_is_empty() -> None:
    assert genre_mix.mix([movie(3)]) == {}
    assert genre_mix.normalize({"Drama": 0.0}) == {}


def test_overlap_is_the_shared_part() -> None:
    mix = {"Drama": 0.75, "War": 0.25}
    assert genre_mix.overlap(mix, {"Drama": 0.5, "Comedy": 0.5}) == 0.5
    assert genre_mix.overlap(mix, mix) == 1.0


def test_decades_include_empty_ones() -> None:
    movies = [movie(1, year=1999), movie(2, year=1975), movie(3, year=None)]
    assert genre_mix.decades(movies) == {"1970s": 1, "1980s": 0, "1990s": 1}
    assert genre_mix.decades([]) == {}


def test_make_groups_shows_no_movie_twice() -> None:
    movies = [movie(n, "Horror", "Drama") for n in range(4)]
    movies += [movie(10 + n, "Drama") for n in range(4)]
    groups = genre_mix.make_groups(["Horror", "Drama"], movies)
    assert [group.genres for group in groups] == [["Horror"], ["Drama"]]
    ids = [movie["movie_id"] for group in groups for movie in group.movies]
    assert len(ids) == len(set(ids)) == 6
    assert {10, 11, 12} <= set(ids)  # all drama before half drama


def test_yardstick_names_the_nearest_stars() -> None:
    history = [rating(1, "A", 2.0), rating(2, "B", 4.0), rating(3, "C", 4.0)]
    assert rating_scale.yardstick(4.0, history) == "You gave 4 to C and B."
    assert rating_scale.yardstick(3.0, history) == "You gave 2 to A and 4 to C."
    assert rating_scale.yardstick(3.0, []) == ""


def test_chart_of_one_column_has_its_interval() -> None:
    columns = {"genre": ["Drama", "War"], "share": [0.5, 0.2]}
    assert len(charts.spec(columns)["layer"]) == 1
    spec = charts.spec(columns, interval=([0.4, 0.1], [0.6, 0.3]))
    assert spec["layer"][1]["data"]["values"] == [
        {"of": "Drama", "low": 0.4, "high": 0.6},
        {"of": "War", "low": 0.1, "high": 0.3},
    ]
    assert "color" not in spec["layer"][0]["encoding"]


def test_chart_of_two_columns_has_a_legend() -> None:
    columns = {"genre": ["Drama"], "rated": [0.5], "listed": [0.2]}
    spec = charts.spec(columns, interval=([0.4], [0.6]))
    (layer,) = spec["layer"]
    assert layer["encoding"]["color"]["field"] == "name"
    assert [value["name"] for value in spec["data"]["values"]] == ["rated", "listed"]
    assert spec["height"] == 30 * 2 + 40


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
@pytest.mark.parametrize("text", ["textColor", "primaryColor", "linkColor"])
def test_theme_text_contrasts_with_its_ground(mode: str, ground: str, text: str) -> None:
    """WCAG AA: 4.5 to 1."""
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][mode]
    assert contrast(theme[text], theme[ground]) >= 4.5
    assert contrast(theme["blueTextColor"], theme["blueBackgroundColor"]) >= 4.5
