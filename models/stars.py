"""Damped biases: how many stars a person is likely to give, from averages that know their support.

    star(u, i) = mean + b_i + b_u,   b_i = sum of (r - mean) / (n_i + item_damping), b_u likewise

Koren 2010, "Factor in the neighbors", section 2.1. A movie with one rating stays near the mean, and
its variance near the prior's: tau^2 * item_damping / (n_i + item_damping). `b_u` is computed from
the person's history when they ask, so it needs no user table.

Shapes: N ratings, I movies, U persons.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

ITEM_DAMPING = 25.0
USER_DAMPING = 10.0
"""Koren's values of the two, in ratings: a movie's own mean counts half at 25 ratings."""


def fit_damped_biases(
    user_N: npt.NDArray[np.int64],
    item_N: npt.NDArray[np.int64],
    stars_N: npt.NDArray[np.float32],
    num_items: int,
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Arrays `star_bias` and `star_bias_var`, float32 (I,), and the scalars of the bundle.

    The scalars are mean, user_damping and sigma: the residual spread of training ratings, each
    with its own rating taken out of the person's bias, so that it is not fitted to itself.
    """
    mean = float(stars_N.mean(dtype=np.float64))
    off_N = stars_N.astype(np.float64) - mean
    count_I = np.bincount(item_N, minlength=num_items)
    bias_I = np.bincount(item_N, off_N, minlength=num_items) / (count_I + ITEM_DAMPING)
    rest_N = off_N - bias_I[item_N]
    count_U, sum_U = np.bincount(user_N), np.bincount(user_N, rest_N)
    others_N = (sum_U[user_N] - rest_N) / (count_U[user_N] - 1 + USER_DAMPING)
    sigma = float(np.sqrt(np.mean((rest_N - others_N) ** 2)))
    tau2 = float(np.average(bias_I**2, weights=count_I))
    variance_I = tau2 * ITEM_DAMPING / (count_I + ITEM_DAMPING)
    arrays: dict[str, Any] = {
        "star_bias": bias_I.astype(np.float32),
        "star_bias_var": variance_I.astype(np.float32),
    }
    return arrays, {"mean": mean, "user_damping": USER_DAMPING, "sigma": max(sigma, 1e-3)}
