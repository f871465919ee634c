"""The forms of rating files that sites write, known by their columns; each has its own scale.

    form_of(["const", "yourrating", "title", "year"])    # IMDb: yourrating, of 10
    form_of(["title", "year", "rating"])                 # None: it may be of 5, 10 or 100

A file without a known form, or with a value above the form's scale, has an unknown scale: the page
asks for it, and shows what becomes of the ratings.
"""

from collections.abc import Sequence
from typing import NamedTuple

HIGHEST = (5.0, 10.0, 100.0)
"""The highest ratings of the scales to choose from."""


class Form(NamedTuple):
    """A site's file: its own columns, the column of ratings, the highest rating."""

    site: str
    columns: frozenset[str]
    rating: str
    highest: float


FORMS = (
    Form("IMDb", frozenset({"const", "yourrating"}), "yourrating", 10.0),
    Form("Letterboxd", frozenset({"letterboxduri", "rating"}), "rating", 5.0),
    Form("Letterboxd", frozenset({"title", "rating10"}), "rating10", 10.0),
    Form("Trakt", frozenset({"ratedat", "traktrating", "rating"}), "rating", 10.0),
    Form("Trakt", frozenset({"ratedat", "traktid", "rating"}), "rating", 10.0),
    Form("Simkl", frozenset({"simklid", "rating"}), "rating", 10.0),
    Form("MovieLens", frozenset({"userid", "movieid", "rating", "timestamp"}), "rating", 5.0),
)
"""The first that fits counts."""


def form_of(columns: Sequence[str]) -> Form | None:
    """Return the form with these columns, named in small letters and digits alone."""
    return next((form for form in FORMS if form.columns <= set(columns)), None)
