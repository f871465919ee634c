"""SYNTHETIC users whose liking of every item is known, and who choose what to watch and rate.

Why: in real ratings nothing tells what is missing. Here a user is likelier to watch what many watch
and what they will like, to rate what they liked, and to leave early what they do not:

    liking           3.3 + .5 own + .5 item's + taste . item's taste            (unrounded)
    rating           liking + noise of .5, rounded to 1..5
    P(watch)         popularity * exp(.5 (liking - 3.3)), at most .9, independent of each other
    P(rate)          .1, .2, .4, .7, .9 of what was watched, by its rating
    watched share    to the end with probability 1 / (1 + exp(-2.5 (liking - 3))), else somewhere
                     before, sooner if liked less

No metric made on it tells of real users: it shows whether an estimate meets a truth that is there.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from marquee.core.arrays import Bools, Float64, Int64

GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Western")
RATE_PROBABILITY = np.array([0.1, 0.2, 0.4, 0.7, 0.9])  # P(rate | watched), by ratings 1 to 5
MAX_WATCH_PROBABILITY = 0.9
FIRST_TIMESTAMP = 1_500_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class World:
    """One draw of everything; (U, I) each but the genres."""

    genre_IG: Float64
    liking_UI: Float64
    rating_UI: Float64  # 1..5, what the user would give: the truth
    watch_probability_UI: Float64
    watched_UI: Bools
    rated_UI: Bools
    watched_share_UI: Float64  # nan if the item was not watched

    @property
    def propensity_UI(self) -> Float64:  # P(rated)
        return self.watch_probability_UI * RATE_PROBABILITY[self.rating_UI.astype(np.int64) - 1]

    @classmethod
    def generate(cls, seed: int, num_users: int = 1500, num_items: int = 400) -> Self:
        """Draw a world; the same seed and sizes give the same world."""
        rng = np.random.default_rng(seed)
        shape, num_genres = (num_users, num_items), len(GENRES)
        genre_IG = np.eye(num_genres)[rng.integers(num_genres, size=num_items)]
        genre_IG = np.maximum(genre_IG, rng.random(genre_IG.shape) < 0.1)
        taste_IG = genre_IG + 0.3 * rng.normal(size=genre_IG.shape)
        taste_UG = 0.6 * rng.normal(size=(num_users, num_genres))
        user_bias_U1 = 0.5 * rng.normal(size=(num_users, 1))
        item_bias_I = 0.5 * rng.normal(size=num_items)
        liking_UI = 3.3 + user_bias_U1 + item_bias_I + taste_UG @ taste_IG.T
        rating_UI = np.clip(np.rint(liking_UI + 0.5 * rng.normal(size=shape)), 1, 5)
        popularity_I = 1.2 * (1 + rng.permutation(num_items)) ** -0.5
        watch_UI = popularity_I * np.exp(0.5 * (liking_UI - 3.3))
        probability_UI = np.minimum(watch_UI, MAX_WATCH_PROBABILITY)
        watched_UI = rng.random(shape) < probability_UI
        rate_UI = RATE_PROBABILITY[rating_UI.astype(np.int64) - 1]
        rated_UI = watched_UI & (rng.random(shape) < rate_UI)
        finished_UI = rng.random(shape) < 1 / (1 + np.exp(-2.5 * (liking_UI - 3)))
        before_end_UI = rng.random(shape) ** np.exp(1.2 * (2.5 - liking_UI))
        share_UI = np.where(finished_UI, 0.9 + 0.1 * rng.random(shape), 0.9 * before_end_UI)
        share_UI[~watched_UI] = np.nan
        return cls(
            genre_IG=genre_IG,
            liking_UI=liking_UI,
            rating_UI=rating_UI,
            watch_probability_UI=probability_UI,
            watched_UI=watched_UI,
            rated_UI=rated_UI,
            watched_share_UI=share_UI,
        )

    def to_csv(self, users: Int64, seed: int = 0) -> tuple[str, str]:
        """Return ratings.csv, in random order, and movies.csv in MovieLens' format."""
        rng = np.random.default_rng(seed)
        lines = ["userId,movieId,rating,timestamp"]
        for user in users.tolist():
            items = rng.permutation(np.flatnonzero(self.rated_UI[user]))
            lines += [
                f"{user + 1},{item + 1},{self.rating_UI[user, item]},{FIRST_TIMESTAMP + position}"
                for position, item in enumerate(items.tolist())
            ]
        movies = ["movieId,title,genres"]
        for item, has_G in enumerate(self.genre_IG):
            names = "|".join(name for name, has in zip(GENRES, has_G, strict=True) if has)
            movies.append(f"{item + 1},Film {item + 1} ({1990 + item % 20}),{names}")
        return "\n".join([*lines, ""]), "\n".join([*movies, ""])
