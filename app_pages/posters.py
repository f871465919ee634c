"""Draw posters without a network, from title, year and genres: the same one for a movie always.

    posters.poster({"movie_id": 6, "title": "Heat", "year": 1995, "genres": ["Action", "Crime"]})

A poster is SVG of 2 to 4 KB, or the path of a real poster where the folder POSTERS holds `6.jpg`,
`6.png` or `6.webp`; a name is the movie_id, percent-encoded (`a%2Fb.jpg` for a/b). art/ holds the
frame and three drawings of each motif. The movie_id picks one, mirrors, enlarges and shifts it.
Title and genres are text, so colour alone carries no meaning.
"""

import os
import textwrap
from functools import lru_cache
from html import escape
from pathlib import Path
from random import Random
from string import Template
from typing import NamedTuple
from urllib.parse import quote

from marquee_client.types import Movie, MovieId


class Look(NamedTuple):
    """The motif of a genre and its colours."""

    motif: str
    top: str
    bottom: str
    accent: str


LOOKS = {
    "Film-Noir": Look("blinds", top="#3b3b40", bottom="#0e0e10", accent="#e9e4d4"),
    "Western": Look("mesa", top="#a8541f", bottom="#3a1608", accent="#ffc46b"),
    "Musical": Look("waves", top="#8a1c5c", bottom="#2d0724", accent="#ff9fce"),
    "Documentary": Look("lens", top="#285c5a", bottom="#0b2323", accent="#a9e3d3"),
    "Horror": Look("teeth", top="#5b0f14", bottom="#120204", accent="#ff5347"),
    "War": Look("chevrons", top="#515a35", bottom="#191d0e", accent="#d9d6a0"),
    "Animation": Look("bubbles", top="#0d6a8c", bottom="#062b47", accent="#ffd64f"),
    "Sci-Fi": Look("planet", top="#23307d", bottom="#080b2b", accent="#7fe0ff"),
    "Fantasy": Look("stars", top="#4d2a86", bottom="#150a33", accent="#dcbcff"),
    "Children": Look("sunrise", top="#c2571b", bottom="#5b1d12", accent="#ffe08a"),
    "Mystery": Look("keyhole", top="#1e4658", bottom="#08151f", accent="#f1d08a"),
    "Romance": Look("pair", top="#a3304f", bottom="#3d0a20", accent="#ffb9b0"),
    "Crime": Look("blinds", top="#35404d", bottom="#0c1118", accent="#f3b64a"),
    "Thriller": Look("squares", top="#164a4a", bottom="#061616", accent="#66d9b8"),
    "Adventure": Look("mountains", top="#1f6a4a", bottom="#08261d", accent="#ffd98a"),
    "Action": Look("slashes", top="#9a2b1b", bottom="#2f0a08", accent="#ffb14a"),
    "Comedy": Look("confetti", top="#b0442a", bottom="#45130f", accent="#ffe36e"),
    "Drama": Look("spotlight", top="#4a3a6b", bottom="#150f26", accent="#e8c9a0"),
}
"""Genre -> look, the rarest genre first. It decides the colours; the motif may be the second's."""
DEFAULT_LOOK = Look("arcs", top="#4b463f", bottom="#191613", accent="#d9cdbb")
OTHER_LOOKS = [DEFAULT_LOOK, *LOOKS.values()]
"""Another genre picks one of these by its name; a movie without genres, by its id."""
ART = Path(__file__).parent / "art"
FRAME = Template((ART / "poster.svg").read_text())
MAX_ZOOM = 1.25
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
TITLE_SIZES = ((9, 28, 2), (11, 23, 4), (14, 18, 5), (17, 15, 6))
"""(characters per line, font size, lines), largest first; the first that fits is used."""


def poster(movie: Movie) -> str:
    """Return SVG, or the path of an image file, for st.image."""
    if folder := os.environ.get("POSTERS"):
        name = quote(str(movie["movie_id"]), safe="")  # an id is no path: it may hold "../"
        paths = (Path(folder) / f"{name}{suffix}" for suffix in IMAGE_SUFFIXES)
        if path := next(filter(_is_file, paths), None):
            return str(path)
    return draw(movie["movie_id"], movie["title"], movie["year"], tuple(movie["genres"]))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name of more than 255 bytes
        return False


def fit_title(title: str) -> tuple[list[str], int]:
    """Return a title's lines and font size; a title that no size holds ends in dots."""
    for max_chars, size, max_lines in TITLE_SIZES:
        lines = textwrap.wrap(title, max_chars, break_long_words=False, break_on_hyphens=False)
        if len(lines) <= max_lines and max(map(len, lines), default=0) <= max_chars:
            return lines, size
    return textwrap.wrap(title, max_chars, max_lines=max_lines, placeholder="…"), size


@lru_cache(maxsize=4096)
def draw(movie_id: MovieId, title: str, year: int | None, genres: tuple[str, ...]) -> str:
    rng = Random(movie_id)
    looks = [look for genre, look in LOOKS.items() if genre in genres][:2]
    looks = looks or [Random(genres[0] if genres else movie_id).choice(OTHER_LOOKS)]
    motif = ART / f"{rng.choice(looks).motif}-{rng.randint(1, 3)}.svg"
    zoom = rng.uniform(1, MAX_ZOOM)
    center = 100 + rng.uniform(-100, 100) * (zoom - 1)  # a motif covers the poster at any zoom
    lines, size = fit_title(title)
    return FRAME.substitute(
        looks[0]._asdict(),
        motif=motif.read_text(),
        placement=f"translate({center:.0f}) scale({rng.choice((-zoom, zoom)):.2f} {zoom:.2f}) "
        "translate(-100)",
        title="".join(f'<tspan x="14" dy="1.1em">{escape(line)}</tspan>' for line in lines),
        title_top=round(268 - len(lines) * size * 1.1),
        title_size=size,
        facts=escape(" · ".join([str(year)] * (year is not None) + list(genres[:2]))),
    )
