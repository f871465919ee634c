"""What the error would be over all pairs, estimated from ratings that people chose to give.

    snips_rmse(error_T, propensity_T)          # errors weighed by 1 / P(rated)

Self-normalised inverse propensity scoring (Schnabel et al. 2016, "Recommendations as Treatments:
Debiasing Learning and Evaluation"; Swaminathan and Joachims 2015): a rating that was unlikely to be
given stands for the many like it that were not. It is as right as its propensities:

    by_movie    persons who rated the movie over all persons: mends popularity alone
    by_stars    naive Bayes, P(rated | stars) = P(stars | rated) P(rated) / P(stars): mends that
                people rate what they like, and needs P(stars) from movies picked at random

MovieLens holds no ratings of movies picked at random, so `by_stars` is out of reach there, and no
estimate on it says what its people would give the movies they avoided. On simulated persons, whose
truth is known, `marquee simulate` shows how near each comes.

Shapes: T ratings asked for, K star values.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def snips_rmse(error_T: Floats, propensity_T: Floats) -> float:
    """Root of the mean squared error, each weighed by 1 / propensity.

    >>> snips_rmse(np.array([1.0, 3.0]), np.array([0.9, 0.1]))
    2.863564212655271
    """
    if not (propensity_T > 0).all():
        raise ValueError("a propensity of 0: such a rating cannot have been given")
    weight_T = 1 / propensity_T
    return float(np.sqrt((weight_T * error_T**2).sum() / weight_T.sum()))


def by_movie(num_ratings_T: Ints, num_users: int) -> Floats:
    """Share of persons who rated the movie of each rating; who rated it now counts as one more."""
    return np.asarray((num_ratings_T + 1) / (num_users + 1), dtype=np.float64)


def by_stars(given_T: Ints, random_R: Ints, share_rated: float, num_values: int) -> Floats:
    """P(rated | stars) of each rating.

    given_T: places on the scale of the ratings that were given; random_R: of ratings of movies
    picked at random; share_rated: P(rated) over all pairs. A star value that no random rating has
    counts as half a rating there.
    """
    given_K = np.bincount(given_T, minlength=num_values) / len(given_T)
    random_K = np.maximum(np.bincount(random_R, minlength=num_values), 0.5)
    chance_K = given_K * share_rated / (random_K / random_K.sum())
    return np.asarray(chance_K[given_T], dtype=np.float64)
