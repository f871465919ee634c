"""Choose the words of a report for interactions and ratings of a data set.

words = words_of("ml-1m", scale=(1, 2, 3, 4, 5), has_unrated=False)
words.ratings, words.rated         # "ratings", "rated"; without ratings "plays", "played"
words.scale.at_least(4)            # "4 stars or more"; of 0 to 10: "4 of 10 or more"
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.item_stats import liked_rating, low_rating

STAR_TOP = 5
"""Ratings are called stars where the scale ends at 5."""
MAX_GROUPS = 20
"""Charts show so many values; those of a longer scale are grouped."""
STEPS = (1.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """The ratings that a user can give, ascending, and how texts write them."""

    values: tuple[float, ...]

    @property
    def is_stars(self) -> bool:
        return self.values[-1] == STAR_TOP and self.values[0] >= 0

    @property
    def liked(self) -> float:
        return liked_rating(self.values)

    @property
    def low(self) -> float:
        return low_rating(self.values)

    @property
    def noun(self) -> str:
        return "stars" if self.is_stars else "rating"

    def text(self, value: float) -> str:
        """Write a rating: "4 stars", "8 of 10", "1" of thumbs."""
        if self.is_stars:
            return f"{value:g} stars"
        if len(self.values) == 2 or self.values[0] < 0:
            return f"{value:g}"
        return f"{value:g} of {self.values[-1]:g}"

    def mean_text(self, value: float) -> str:
        return f"{value:.2f} stars" if self.is_stars else f"{value:.2f}"

    def at_least(self, value: float) -> str:
        return self.text(value) + (" or more" if value < self.values[-1] else "")

    def at_most(self, value: float) -> str:
        return self.text(value) + (" or less" if value > self.values[0] else "")

    def step(self, num_parts: int) -> float:
        """Return a round number; the scale has at most so many parts of that length."""
        least = (self.values[-1] - self.values[0]) / num_parts
        power = 10.0 ** np.floor(np.log10(least))
        return float(power * next(step for step in STEPS if step * power >= least - 1e-9))

    def edges(self, step: float) -> list[float]:
        """Return the first value of each part of the scale, and its end."""
        first = np.floor(self.values[0] / step + 1e-9) * step
        num_parts = int(np.ceil((self.values[-1] - first) / step - 1e-6))
        return [float(f"{first + step * part:.10g}") for part in range(num_parts + 1)]

    @property
    def groups(self) -> tuple[list[str], Int64]:
        """Return names of groups of values, and the group of each value, (V,)."""
        if len(self.values) <= MAX_GROUPS:
            return [f"{value:g}" for value in self.values], np.arange(len(self.values))
        starts = self.edges(self.step(MAX_GROUPS // 2))[:-1]
        group_V = np.searchsorted(starts, np.asarray(self.values) + 1e-9, side="right") - 1
        return [f"{start:g}" for start in starts], group_V


@dataclass(frozen=True, kw_only=True)
class Words:
    """The words of one report; `fields` fill the texts of texts.yaml."""

    rating: str
    rated: str
    rate: str
    give: str
    gave: str
    counted: str
    scale: Scale | None
    """None where no rating tells what users like."""
    is_movielens: bool
    has_genres: bool

    @property
    def ratings(self) -> str:
        return f"{self.rating}s"

    @property
    def a_rating(self) -> str:
        return f"{'an' if self.rating[0] in 'aeiou' else 'a'} {self.rating}"

    @property
    def are_ratings(self) -> bool:
        """Return True if every interaction is a rating."""
        return self.rating == "rating"

    @property
    def fields(self) -> dict[str, Any]:
        first_session = MOVIELENS_SESSION if self.is_movielens else OTHER_SESSION
        fields = vars(self) | {"ratings": self.ratings, "first_session": first_session}
        if self.scale is not None:
            fields["liked"] = self.scale.at_least(self.scale.liked)
        return fields


NAMES = ("rating", "rated", "rate", "give", "gave", "counted")
RATING = dict(zip(NAMES, ("rating", "rated", "rate", "give", "gave", "given"), strict=True))
PLAY = dict(zip(NAMES, ("play", "played", "play", "make", "made", "made"), strict=True))
MIXED = PLAY | {"rating": "interaction", "rated": "rated or played", "rate": "rate or play"}
MOVIELENS_SESSION = (
    "MovieLens asks for ratings before it recommends anything, which makes the first session long."
)
OTHER_SESSION = (
    "Sessions come from the times alone. The data does not show when users came or left."
)


def words_of(
    name: str, scale: tuple[float, ...], *, has_unrated: bool, has_genres: bool = True
) -> Words:
    """Choose the words for a data set.

    has_unrated: some interactions have no rating. A scale of one value does not tell liking.
    """
    nouns = PLAY if not scale else MIXED if has_unrated else RATING
    return Words(
        **nouns,
        scale=Scale(scale) if len(scale) > 1 else None,
        is_movielens=name.startswith("ml-"),
        has_genres=has_genres,
    )
