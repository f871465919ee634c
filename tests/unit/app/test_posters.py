"""Posters: the same SVG for a movie always, complete, with readable text."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from app_pages import posters
from marquee_client.types import Movie
from tests.support.contrast import contrast


def movie(movie_id: int, title: str = "Heat", *genres: str) -> Movie:
    return {
        "movie_id": movie_id,
        "title": title,
        "year": 1995,
        "genres": [*genres],
        "num_ratings": 9,
    }


def test_poster_depends_on_the_movie_only() -> None:
    svg = posters.poster(movie(6, "Heat", "Action", "Crime"))
    posters.draw.cache_clear()
    assert posters.poster(movie(6, "Heat", "Action", "Crime")) == svg
    assert posters.poster(movie(7, "Heat", "Action", "Crime")) != svg


@pytest.mark.parametrize("genre", [*posters.LOOKS, "Telenovela"])
def test_poster_of_each_genre_is_well_formed(genre: str) -> None:
    for movie_id in range(12):  # each drawing of the motif
        svg = posters.poster(movie(movie_id, "R & <B>", genre))
        text = "".join(ElementTree.fromstring(svg).itertext())
        for word in ("R & <B>", "1995", genre):
            assert word in text


def looks(movies: list[Movie]) -> set[posters.Look]:
    drawn = [posters.poster(movie) for movie in movies]
    return {look for look in posters.OTHER_LOOKS if any(look.top in svg for svg in drawn)}


def test_poster_of_another_genre_has_the_look_of_its_name() -> None:
    assert len(looks([movie(n, "Heat", "Telenovela") for n in range(12)])) == 1
    assert len(looks([movie(1, "Heat", genre) for genre in ("News", "Kids", "Sport", "Food")])) > 1


def test_posters_without_genres_differ_in_colour() -> None:
    assert len(looks([movie(n) for n in range(12)])) > 4


@pytest.mark.parametrize("look", [*posters.LOOKS.values(), posters.DEFAULT_LOOK])
def test_motif_has_three_drawings(look: posters.Look) -> None:
    assert len(list(posters.ART.glob(f"{look.motif}-*.svg"))) == 3


@pytest.mark.parametrize("path", sorted(posters.ART.glob("*-*.svg")), ids=lambda path: path.stem)
def test_motif_takes_its_colour_from_the_poster(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert root.get("fill") == "currentColor"
    fills = {element.get("fill") for element in root.iter()} - {None}
    assert fills <= {"currentColor", "none", "#000"}


@pytest.mark.parametrize(
    "title",
    [
        "Up",
        "",
        "Supercalifragilisticexpialidocious",
        "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb " * 2,
        "映" * 90,
    ],
)
def test_fit_title_stays_on_the_poster(title: str) -> None:
    lines, font_size = posters.fit_title(title)
    max_chars, max_lines = next(
        (chars, lines) for chars, size, lines in posters.TITLE_SIZES if size == font_size
    )
    assert max(map(len, lines), default=0) <= max_chars
    assert len(lines) <= max_lines


def test_fit_title_prefers_the_largest_size() -> None:
    assert posters.fit_title("Up") == (["Up"], 28)
    assert posters.fit_title("The Big Lebowski") == (["The Big", "Lebowski"], 28)


def test_poster_folder_replaces_the_drawing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "6.png").write_bytes(b"png")
    monkeypatch.setenv("POSTERS", str(tmp_path))
    assert posters.poster(movie(6)) == str(tmp_path / "6.png")
    assert posters.poster(movie(7)).startswith("<svg")


@pytest.mark.parametrize("genre", posters.LOOKS)
def test_poster_accent_contrasts_with_its_ground(genre: str) -> None:
    """The small line lies on the lower colour, which a shade makes darker still."""
    look = posters.LOOKS[genre]
    assert contrast(look.accent, look.bottom) >= 4.5


@pytest.mark.parametrize("movie_id", ["../6", "a/b", "é" * 128, "..", "0114508"])
def test_poster_of_a_text_id_stays_in_its_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, movie_id: str
) -> None:
    (tmp_path / "posters").mkdir()
    (tmp_path / "6.png").write_bytes(b"png")
    (tmp_path / "posters" / "a%2Fb.png").write_bytes(b"png")
    monkeypatch.setenv("POSTERS", str(tmp_path / "posters"))
    poster = posters.poster({**movie(6), "movie_id": movie_id})
    assert poster.startswith("<svg") == (movie_id != "a/b")
