"""What the app computes by itself: posters, merged lists, genre mixes, files, yardsticks."""

import tomllib
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app_pages import genre_mix, merge_lists, posters, rating_scale, ratings_csv, state, widgets
from app_pages.movie_groups import make_groups
from app_pages.poster_motifs import MOTIFS
from marquee_client.types import HistoryItem, Movie
from tests.support.paths import ROOT

AT = "2026-01-02T03:04:05+00:00"


def film(movie_id: int, title: str = "Heat", *genres: str) -> Movie:
    return {
        "movie_id": movie_id,
        "title": title,
        "year": 1995,
        "genres": [*genres],
        "num_ratings": 9,
    }


def given(movie_id: int, title: str, stars: float) -> HistoryItem:
    return {"movie_id": movie_id, "title": title, "year": 1995, "stars": stars, "at": AT}


def test_a_poster_is_the_same_always_and_differs_between_films() -> None:
    posters._drawing.cache_clear()
    first = posters.poster(film(6, "Heat", "Action", "Crime"))
    posters._drawing.cache_clear()
    assert posters.poster(film(6, "Heat", "Action", "Crime")) == first
    assert posters.poster(film(7, "Heat", "Action", "Crime")) != first


@pytest.mark.parametrize("genre", [*MOTIFS, "Telenovela"])
def test_every_genre_has_a_drawing_that_is_whole(genre: str) -> None:
    svg = posters.poster(film(3, "R & <B>", genre))
    text = "".join(ElementTree.fromstring(svg).itertext())
    for word in ("R & <B>", "1995", genre):
        assert word in text


def test_a_title_of_any_length_stays_on_its_tile() -> None:
    long = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb " * 2
    for title in ("Up", "Supercalifragilisticexpialidocious", long):
        lines, size = posters._fit(title)
        letters = next(letters for letters, one, _ in posters.TITLE_SIZES if one == size)
        assert max(map(len, lines)) <= letters
        assert len(lines) <= 6


def test_a_long_title_leaves_room_for_the_stars_of_its_card() -> None:
    long = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb"
    assert widgets.short(long) == "Dr. Strangelove or: How I Learned to Stop Worrying an…"
    assert widgets.short("Heat") == "Heat"
    assert len(widgets.short("映" * 90)) == widgets.MAX_TITLE_CHARS


def test_a_real_poster_stands_in_where_the_folder_holds_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "6.png").write_bytes(b"png")
    monkeypatch.setenv("POSTERS", str(tmp_path))
    assert posters.poster(film(6)) == str(tmp_path / "6.png")
    assert posters.poster(film(7)).startswith("<svg")


def test_what_is_fair_decides_the_night() -> None:
    """Film 1 is loved by two and last for one; film 2 is second for all."""
    orders = {"a": [1, 2, 3, 4], "b": [1, 2, 4, 3], "c": [3, 2, 4, 1]}
    assert merge_lists.merge_orders(orders, merge_lists.least_misery)[0] == 2
    assert merge_lists.merge_orders(
        {"a": [1, 2, 3], "b": [1, 2, 3], "c": [2, 3, 1]}, merge_lists.average
    ) == [
        2,  # (2 + 2 + 1) / 3, and nobody has it far down
        1,  # (1 + 1 + 3) / 3, the same
        3,
    ]
    assert merge_lists.merge_orders({"a": [1, 2], "b": [2, 3]}, merge_lists.average) == [2]


def test_a_mix_shares_each_film_among_its_genres() -> None:
    mix = genre_mix.mix([film(1, "A", "Drama", "War"), film(2, "B", "Drama")])
    assert mix == {"Drama": 0.75, "War": 0.25}
    assert genre_mix.mix([film(3)]) == {}
    assert genre_mix.overlap(mix, {"Drama": 0.5, "Comedy": 0.5}) == 0.5
    assert genre_mix.overlap(mix, mix) == 1.0


def test_decades_without_films_are_not_left_out() -> None:
    old, new = film(1), film(2)
    old["year"], new["year"] = 1975, 1999
    assert genre_mix.decades([new, old]) == {"1970s": 1, "1980s": 0, "1990s": 1}


def test_no_film_stands_for_two_tastes() -> None:
    films = [film(n, f"F{n}", "Horror", "Drama") for n in range(4)]
    films += [film(10 + n, f"D{n}", "Drama") for n in range(4)]
    found = make_groups(["Horror", "Drama"], films)
    assert [group.genres for group in found] == [("Horror",), ("Drama",)]
    shown = [one["movie_id"] for group in found for one in group.movies]
    assert len(shown) == len(set(shown)) == 6
    assert {10, 11, 12} <= set(shown)  # all drama before half drama


def test_ratings_come_back_as_they_went_out() -> None:
    rated = [given(6, "Heat", 4.5), given(7, "You, Me & “Dupree”", 3.0)]
    lens = ratings_csv.read(ratings_csv.as_movielens("ana", rated).encode())
    assert [(row.movie_id, row.stars) for row in lens] == [(6, 4.5), (7, 3.0)]
    assert lens[0].at == datetime.fromisoformat(AT)
    boxd = ratings_csv.read(ratings_csv.as_letterboxd(rated).encode())
    assert [(r.title, r.year, r.stars) for r in boxd] == [
        ("Heat", 1995, 4.5),
        ("You, Me & “Dupree”", 1995, 3.0),
    ]
    assert boxd[0].at == datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("title", "year", "found"),
    [
        pytest.param("Heat", 1995, 6, id="same"),
        pytest.param("HEAT!", 1996, 6, id="marks, and a year apart"),
        pytest.param("The Heat", None, 6, id="article, no year"),
        pytest.param("Heat", 2013, None, id="another film of that name"),
        pytest.param("Heath", 1995, None, id="only near"),
    ],
)
def test_a_row_is_matched_by_title_and_year(title: str, year: int | None, found: int) -> None:
    row = ratings_csv.Row(line=2, movie_id=None, title=title, year=year, stars=4.0, at=None)
    films = {"items": [film(6)], "model_version": ""}
    if found is None:
        with pytest.raises(ratings_csv.Unmatched):
            ratings_csv.make_event("ana", row, lambda *_: films)  # type: ignore[arg-type, return-value]
    else:
        event = ratings_csv.make_event("ana", row, lambda *_: films)  # type: ignore[arg-type, return-value]
        assert event["movie_id"] == found


def test_the_same_row_is_the_same_event() -> None:
    row = ratings_csv.read(b"movieId,rating\n6,4\n")[0]
    assert row.event_id("ana") == row.event_id("ana") != row.event_id("ben")


def test_the_yardstick_lies_next_to_what_is_given() -> None:
    history = [given(1, "A", 2.0), given(2, "B", 4.0), given(3, "C", 4.0)]
    assert rating_scale.yardstick(4.0, history) == "You gave 4 to C and B."
    assert rating_scale.yardstick(3.0, history) == "You gave 2 to A and 4 to C."
    assert rating_scale.yardstick(3.0, []) == ""


def test_a_profile_is_read_from_an_id_or_an_address() -> None:
    assert state.profile_of(" ana-1 ") == ("ana-1", "")
    assert state.profile_of("http://x/rate?me=ana-1&name=Ana%20B") == ("ana-1", "Ana B")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_its_ground(mode: str) -> None:
    """WCAG AA: 4.5 to 1."""
    config = ROOT / ".streamlit" / "config.toml"
    theme = tomllib.loads(config.read_text())["theme"][mode]
    for ground in ("backgroundColor", "secondaryBackgroundColor"):
        for text in ("textColor", "primaryColor", "linkColor"):
            assert contrast(theme[text], theme[ground]) >= 4.5, (text, ground)
    assert contrast(theme["blueTextColor"], theme["blueBackgroundColor"]) >= 4.5


def test_genres_stand_out_from_their_tile() -> None:
    """The small line lies on the lower colour, which a shade makes darker still."""
    for genre, (_, lower, colour) in posters.PALETTE.items():
        assert contrast(colour, lower) >= 4.5, genre


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
