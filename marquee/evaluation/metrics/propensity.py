"""The error over all (user, item) pairs, estimated from ratings that users chose to give.

    snips_rmse(error_N, propensity_N)          # errors weighed by 1 / P(rated)

Self-normalized inverse propensity scoring (Schnabel et al. 2016, "Recommendations as Treatments:
Debiasing Learning and Evaluation"; Swaminathan and Joachims 2015): a rating that was unlikely to be
given stands for the many like it that were not. It is as right as its propensities:

    item_propensity      users who rated the item over all users: corrects popularity alone
    rating_propensity    naive Bayes, P(rated | rating) = P(rating | rated) P(rated) / P(rating):
                         corrects that users rate what they like, and needs P(rating) from items
                         picked at random

MovieLens holds no ratings of items picked at random, so `rating_propensity` is out of reach there,
and no estimate on it says what its users would give the items they avoided. On simulated users,
whose true ratings are known, `marquee simulate` shows how near each comes.

Local letters: N ratings, R ratings of items picked at random, V values of the scale.
"""

import numpy as np

from marquee.core.arrays import Float64, Int64


def snips_rmse(error_N: Float64, propensity_N: Float64) -> float:
    """Return the root of the mean squared error, each weighed by 1 / propensity.

    >>> snips_rmse(np.array([1.0, 3.0]), np.array([0.9, 0.1]))
    2.863564212655271
    """
    if not (propensity_N > 0).all():
        raise ValueError("a propensity of 0, expected more: such a rating cannot exist")
    weight_N = 1 / propensity_N
    return float(np.sqrt((weight_N * error_N**2).sum() / weight_N.sum()))


def item_propensity(num_ratings_N: Int64, num_users: int) -> Float64:
    """Return the share of users who rated the item of each rating.

    The rating itself is counted, too.
    """
    return np.asarray((num_ratings_N + 1) / (num_users + 1), dtype=np.float64)


def rating_propensity(
    value_N: Int64, random_value_R: Int64, share_rated: float, num_values: int
) -> Float64:
    """Return P(rated | rating) of each rating.

    value_N: rows of the scale of the given ratings; random_value_R: of ratings of items picked at
    random; share_rated: P(rated) over all pairs. A value that no random rating has counts as half
    a rating there.
    """
    share_V = np.bincount(value_N, minlength=num_values) / len(value_N)
    random_V = np.maximum(np.bincount(random_value_R, minlength=num_values), 0.5)
    propensity_V = share_V * share_rated / (random_V / random_V.sum())
    return np.asarray(propensity_V[value_N], dtype=np.float64)
