"""95% intervals for a mean over users, by the percentile bootstrap (Efron 1979).

    one draw    U users, with replacement
    low, high   the 2.5th and 97.5th percentile of the draws' means

An interval says how far a metric would move with other users of the same kind. It does not hold the
spread between training seeds: values of several seeds are averaged per user first. Under one seed
every call draws the same users, so metrics and models are compared on equal samples.

Values are floats (U,), one a user, or (seeds, U). Functions raise ValueError where there is no
user, or a NaN. Local letters: M metrics, S draws of one block.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from marquee.core.arrays import Float64, Int64

Values: TypeAlias = Mapping[str, ArrayLike]  # by name of a metric
Section: TypeAlias = dict[str, dict[str, Any]]
"""Of results: name -> mean or diff, low, high; all None beside `too_small`, the reason."""

NUM_DRAWS = 2000
BLOCK = 1_000_000  # users drawn at once: 8 MB an array


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


def bootstrap(values: ArrayLike, *, seed: int = 0, draws: int = NUM_DRAWS) -> Interval:
    """Return the mean over users with its 95% interval.

    >>> bootstrap([0.5, 0.5, 0.5])
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    return _intervals([_user_values(values)], seed=seed, draws=draws)[0]


def paired(values: ArrayLike, reference: ArrayLike) -> Interval:
    """Return the mean of values - reference over users, with its 95% interval.

    Both hold the same users in the same order; the number of seeds may differ.
    """
    return _intervals([_difference(values, reference)])[0]


def ratio(values: ArrayLike, reference: ArrayLike, *, draws: int = NUM_DRAWS) -> Interval:
    """Return the mean of values over the mean of reference, with its 95% interval.

    A draw takes the same users on both sides. ValueError if the mean of the reference is 0.
    """
    value_U2 = np.stack([_user_values(values), _user_values(reference)], axis=1)
    mean_S2 = _means_of_draws(value_U2, draws=draws)
    (numerator, denominator), drawn_S = value_U2.mean(axis=0), mean_S2[:, 1]
    if denominator == 0 or not drawn_S.all():
        raise ValueError("a ratio to a mean of 0, expected a reference that is 0 in no draw")
    return percentile_interval(float(numerator / denominator), mean_S2[:, 0] / drawn_S)


def figure_text(value: float | None, form: str = ".4f") -> str:
    """Return a figure as text, `n/a` for one that says nothing.

    >>> figure_text(0.25), figure_text(None)
    ('0.2500', 'n/a')
    """
    return "n/a" if value is None else format(value, form)


def interval_text(figure: Mapping[str, Any], form: str = ".4f") -> str:
    """Return a figure of a section with its interval.

    >>> interval_text({"mean": 0.25, "low": 0.2, "high": 0.3})
    '0.2500 [0.2000, 0.3000]'
    """
    value = figure["mean"] if "mean" in figure else figure["diff"]
    if value is None:
        return "n/a"
    return f"{value:{form}} [{figure['low']:{form}}, {figure['high']:{form}}]"


def summarise(values: Values, *, draws: int = NUM_DRAWS) -> Section:
    """Return a `metrics` section: {"ndcg@10": {"mean", "low", "high"}, …}."""
    intervals = _intervals([_user_values(column) for column in values.values()], draws=draws)
    return {name: asdict(interval) for name, interval in zip(values, intervals, strict=True)}


def summarise_paired(values: Values, reference: Values) -> Section:
    """Return a `paired` section of values - reference, for the names that both have."""
    names = [name for name in values if name in reference]
    columns = [_difference(values[name], reference[name]) for name in names]
    return {
        name: {"diff": interval.mean, "low": interval.low, "high": interval.high}
        for name, interval in zip(names, _intervals(columns), strict=True)
    }


def percentile_interval(estimate: float, value_S: Float64) -> Interval:
    """Return an estimate with its interval; NaN draws are left out, NaN if all are."""
    known_S = value_S[~np.isnan(value_S)]
    low, high = np.percentile(known_S, [2.5, 97.5]) if len(known_S) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high))


def draw_counts(rng: np.random.Generator, num_users: int, num_draws: int) -> Int64:
    """Draw users with replacement; return the counts of each draw, (num_draws, U).

    Each row sums to U. Two calls of 100 draws continue one stream, as one call of 200 does.
    """
    user_SU = rng.integers(num_users, size=(num_draws, num_users))
    user_SU += np.arange(num_draws)[:, None] * num_users
    return np.bincount(user_SU.ravel(), minlength=user_SU.size).reshape(user_SU.shape)


def iter_draw_counts(
    num_users: int, *, seed: int, draws: int, draws_per_block: int
) -> Iterator[Int64]:
    """Yield the counts of `draws` draws, a block of draws at a time: (S, U) each."""
    rng = np.random.default_rng(seed)
    for start in range(0, draws, draws_per_block):
        yield draw_counts(rng, num_users, min(draws_per_block, draws - start))


def _user_values(values: ArrayLike) -> Float64:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ValueError(f"values of shape {array.shape}, expected (users,) or (seeds, users)")
    if np.isnan(array).any():
        raise ValueError(
            f"{int(np.isnan(array).sum())} of {array.size} values are NaN, expected a number for "
            "every user; leave out users without a target before averaging"
        )
    return np.asarray(array.mean(axis=0) if array.ndim == 2 else array)


def _difference(values: ArrayLike, reference: ArrayLike) -> Float64:
    value_U, reference_U = _user_values(values), _user_values(reference)
    if len(value_U) != len(reference_U):
        raise ValueError(
            f"{len(value_U)} users against {len(reference_U)}, expected the same users on both "
            "sides; evaluate both on one split"
        )
    return value_U - reference_U


def _intervals(columns: list[Float64], *, seed: int = 0, draws: int = NUM_DRAWS) -> list[Interval]:
    value_UM = np.stack(columns, axis=1)
    mean_SM = _means_of_draws(value_UM, seed=seed, draws=draws)
    return [
        percentile_interval(float(mean), mean_S)
        for mean, mean_S in zip(value_UM.mean(axis=0), mean_SM.T, strict=True)
    ]


def _means_of_draws(value_UM: Float64, *, seed: int = 0, draws: int) -> Float64:
    num_users = len(value_UM)
    blocks = iter_draw_counts(
        num_users, seed=seed, draws=draws, draws_per_block=max(1, BLOCK // num_users)
    )
    return np.concatenate([count_SU @ value_UM / num_users for count_SU in blocks])
