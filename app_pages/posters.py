"""Draw posters without a network, from title, year and genres: the same one for a movie always.

    posters.poster({"movie_id": 6, "title": "Heat", "year": 1995, "genres": ["Action", "Crime"]})

A poster is SVG of 2 to 5 KB, or the path of a real poster where the folder POSTERS holds `6.jpg`,
`6.png` or `6.webp`. Title and genres are text on the poster, light on dark, so that colour alone
carries no meaning.
"""

import os
from functools import lru_cache
from html import escape
from pathlib import Path
from random import Random

from app_pages.poster_motifs import draw
from marquee_client.types import Movie

PALETTE: dict[str, tuple[str, str, str]] = {
    "Film-Noir": ("#3b3b40", "#0e0e10", "#e9e4d4"),
    "Western": ("#a8541f", "#3a1608", "#ffc46b"),
    "Musical": ("#8a1c5c", "#2d0724", "#ff9fce"),
    "Documentary": ("#285c5a", "#0b2323", "#a9e3d3"),
    "Horror": ("#5b0f14", "#120204", "#ff5347"),
    "War": ("#515a35", "#191d0e", "#d9d6a0"),
    "Animation": ("#0d6a8c", "#062b47", "#ffd64f"),
    "Sci-Fi": ("#23307d", "#080b2b", "#7fe0ff"),
    "Fantasy": ("#4d2a86", "#150a33", "#dcbcff"),
    "Children": ("#c2571b", "#5b1d12", "#ffe08a"),
    "Mystery": ("#1e4658", "#08151f", "#f1d08a"),
    "Romance": ("#a3304f", "#3d0a20", "#ffb9b0"),
    "Crime": ("#35404d", "#0c1118", "#f3b64a"),
    "Thriller": ("#164a4a", "#061616", "#66d9b8"),
    "Adventure": ("#1f6a4a", "#08261d", "#ffd98a"),
    "Action": ("#9a2b1b", "#2f0a08", "#ffb14a"),
    "Comedy": ("#b0442a", "#45130f", "#ffe36e"),
    "Drama": ("#4a3a6b", "#150f26", "#e8c9a0"),
}
"""Genre -> colours of the background (top, bottom) and of the motif, the rarest genre first.

The first genre that a movie has decides the colours; the motif is that of its first or second.
"""
DEFAULT_COLOURS = ("#4b463f", "#191613", "#d9cdbb")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
TITLE_SIZES = ((9, 28, 2), (11, 23, 4), (14, 18, 5), (17, 15, 6))
"""(characters per line, font size, lines), largest first; the first that fits is used."""


def poster(movie: Movie) -> str:
    """Return SVG, or the path of an image file, for st.image."""
    return _image_path(movie["movie_id"]) or _drawing(
        movie["movie_id"], movie["title"], movie["year"], tuple(movie["genres"])
    )


def alt_text(movie: Movie) -> str:
    """Return the text that a screen reader reads in place of the poster."""
    return f"Poster of {movie['title']}: {', '.join(movie['genres']) or 'no genres listed'}"


def _image_path(movie_id: int) -> str | None:
    folder = os.environ.get("POSTERS")
    if not folder:
        return None
    paths = (Path(folder) / f"{movie_id}{suffix}" for suffix in IMAGE_SUFFIXES)
    return next((str(path) for path in paths if path.is_file()), None)


@lru_cache(maxsize=4096)
def _drawing(movie_id: int, title: str, year: int | None, genres: tuple[str, ...]) -> str:
    rng = Random(movie_id)
    known = [genre for genre in PALETTE if genre in genres][:2]
    main = known[0] if known else ""
    top, bottom, colour = PALETTE.get(main, DEFAULT_COLOURS)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 300" width="400" height="600">'
        '<defs><linearGradient id="g" x1="0" y1="0" x2=".3" y2="1">'
        f'<stop stop-color="{top}"/><stop offset=".72" stop-color="{bottom}"/></linearGradient>'
        '<linearGradient id="s" x1="0" y1="0" x2="0" y2="1"><stop stop-opacity="0"/>'
        '<stop offset=".45" stop-opacity=".72"/><stop offset="1" stop-opacity=".88"/>'
        '</linearGradient></defs><rect width="200" height="300" fill="url(#g)"/>'
        f"{draw(rng.choice(known) if known else main, rng, colour)}"
        '<rect y="120" width="200" height="180" fill="url(#s)"/>'
        f"{_text(title, year, genres, colour)}</svg>"
    )


def _text(title: str, year: int | None, genres: tuple[str, ...], colour: str) -> str:
    lines, size = _fit(title)
    top = 268 - len(lines) * size * 1.1
    serif = "Georgia,'Noto Serif','DejaVu Serif',serif"
    parts = [f'<g font-family="{serif}" font-weight="700" font-size="{size}" fill="#fff">']
    parts += [
        f'<text x="14" y="{top + n * size * 1.1:.0f}">{escape(line)}</text>'
        for n, line in enumerate(lines, 1)
    ]
    facts = " · ".join([str(year)] * (year is not None) + list(genres[:2]))
    sans = "system-ui,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif"
    parts.append(
        f'</g><text x="14" y="288" font-family="{sans}" font-size="11.5" fill="{colour}">'
        f"{escape(facts)}</text>"
    )
    return "".join(parts)


def _fit(title: str) -> tuple[list[str], int]:
    """Break a title into lines, as large as possible; one that no size holds ends in dots."""
    for max_chars, size, max_lines in TITLE_SIZES:
        lines = _wrap(title, max_chars)
        if len(lines) <= max_lines and max(map(len, lines)) <= max_chars:
            return lines, size
    max_chars, size, max_lines = TITLE_SIZES[-1]
    lines = [line[:max_chars] for line in _wrap(title, max_chars)]
    if len(lines) > max_lines:
        lines = [*lines[: max_lines - 1], lines[max_lines - 1][: max_chars - 1] + "…"]
    return lines, size


def _wrap(text: str, max_chars: int) -> list[str]:
    lines = [""]
    for word in text.split() or [""]:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > max_chars:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
