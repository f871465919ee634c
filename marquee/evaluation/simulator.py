"""SYNTHETIC persons whose liking of every movie is known, and who choose what to watch and rate.

    world = World.drawn(seed=0)
    world.watch_UI, world.rated_UI      # who watched, and who gave stars
    world.star_UI                       # what everybody would give everything: the truth

Why: in real ratings nobody knows what is missing. Here a person is likelier to watch what many
watch and what they will like, likelier to rate what they liked, and likelier to leave early what
they do not:

    liking        3.3 + .5 own + .5 movie's + taste . movie's taste            (stars, unrounded)
    stars         liking + noise of .5, rounded to 1..5
    P(watch)      popularity * exp(.5 (liking - 3.3)), at most .9, independent of each other
    P(rate)       .1, .2, .4, .7, .9 of what was watched, by its stars
    portion       to the end with chance 1 / (1 + exp(-2.5 (liking - 3))), else somewhere before,
                  sooner where liked less

No figure made on it tells of real people: it shows whether an estimate finds a truth that is there.

Shapes: U persons, I movies.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GENRES = ("Action", "Comedy", "Drama", "Horror", "Romance", "Western")
RATES = np.array([0.1, 0.2, 0.4, 0.7, 0.9])
"""P(rate | watched), by stars 1 to 5."""
MOST = 0.9
"""P(watch) at most."""


@dataclass(frozen=True, eq=False)
class World:
    """One draw of everything; (U, I) each unless said."""

    genre_IG: Floats
    liking_UI: Floats
    star_UI: Floats
    """1..5, what the person would give."""
    watch_chance_UI: Floats
    watch_UI: NDArray[np.bool_]
    rated_UI: NDArray[np.bool_]
    portion_UI: Floats
    """Share watched, nan where not watched."""

    @property
    def rated_chance_UI(self) -> Floats:
        """P(rated): the true propensity."""
        return self.watch_chance_UI * RATES[self.star_UI.astype(np.int64) - 1]

    @classmethod
    def drawn(cls, seed: int, num_users: int = 1500, num_movies: int = 400) -> "World":
        rng = np.random.default_rng(seed)
        shape, num_genres = (num_users, num_movies), len(GENRES)
        genre_IG = np.eye(num_genres)[rng.integers(num_genres, size=num_movies)]
        genre_IG = np.maximum(genre_IG, rng.random(genre_IG.shape) < 0.1)
        taste_IG = genre_IG + 0.3 * rng.normal(size=genre_IG.shape)
        person_UG = 0.6 * rng.normal(size=(num_users, num_genres))
        own_U1, movie_I = 0.5 * rng.normal(size=(num_users, 1)), 0.5 * rng.normal(size=num_movies)
        liking_UI = 3.3 + own_U1 + movie_I + person_UG @ taste_IG.T
        star_UI = np.clip(np.rint(liking_UI + 0.5 * rng.normal(size=shape)), 1, 5)
        popular_I = 1.2 * (1 + rng.permutation(num_movies)) ** -0.5
        chance_UI = np.minimum(popular_I * np.exp(0.5 * (liking_UI - 3.3)), MOST)
        watch_UI = rng.random(shape) < chance_UI
        rated_UI = watch_UI & (rng.random(shape) < RATES[star_UI.astype(np.int64) - 1])
        finished_UI = rng.random(shape) < 1 / (1 + np.exp(-2.5 * (liking_UI - 3)))
        before_UI = rng.random(shape) ** np.exp(1.2 * (2.5 - liking_UI))
        portion_UI = np.where(finished_UI, 0.9 + 0.1 * rng.random(shape), 0.9 * before_UI)
        portion_UI[~watch_UI] = np.nan
        return cls(genre_IG, liking_UI, star_UI, chance_UI, watch_UI, rated_UI, portion_UI)

    def csv(self, persons: NDArray[np.int64], seed: int = 0) -> tuple[str, str]:
        """ratings.csv and movies.csv of these persons, as MovieLens has them; the order in which
        somebody rated is random."""
        rng = np.random.default_rng(seed)
        lines = ["userId,movieId,rating,timestamp"]
        for person in persons.tolist():
            rated = rng.permutation(np.flatnonzero(self.rated_UI[person]))
            lines += [
                f"{person + 1},{movie + 1},{self.star_UI[person, movie]},{1_500_000_000 + at}"
                for at, movie in enumerate(rated.tolist())
            ]
        movies = ["movieId,title,genres"]
        for movie, has_G in enumerate(self.genre_IG):
            names = "|".join(name for name, has in zip(GENRES, has_G, strict=True) if has)
            movies.append(f"{movie + 1},Film {movie + 1} ({1990 + movie % 20}),{names}")
        return "\n".join([*lines, ""]), "\n".join([*movies, ""])
