"""Figures of predicted stars, with intervals over persons.

    rmse, mae               of the expected stars
    rmse_snips/propensity=movie    rmse as if every movie were rated as often: errors weighed by
                            1 / (its training ratings + 1); marquee/evaluation/metrics/propensity.py has its limits
    ece                     of P(stars >= 4): ratings in 15 bins of equal mass by that chance, the
                            mean distance of a bin's chance from its share (Naeini et al. 2015)
    coverage@90             share of ratings within the central 90% of their distribution
    coverage@90/support=1   the same by training ratings of the movie, rmse/rater=harsh by person

A star value is a step, so 90% cannot be cut exactly: a rating's place is drawn within its own step
(seeded), which makes coverage exactly 90% where the distribution is right (randomised probability
integral transform: Czado et al. 2009, "Predictive model assessment for count data").

These are figures over ratings, not means over persons: people with many ratings weigh more. An
interval draws persons with all their ratings, 2,000 times, and computes the figure anew; the bins
of `ece` stay as they are. `ece` of a perfect model is not 0: 100,000 ratings leave about .005.

Shapes: T ratings of the test part (of several seeds or folds, one after the other), U persons, K
star values, R draws.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.evaluation.metrics.propensity import by_movie

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Part = dict[str, dict[str, float]]

NUM_BINS = 15
LIKED = 4.0
SUPPORT = {"0": 0, "1": 1, "2-5": 5, "6-20": 20, "21-100": 100, "100+": np.inf}
"""Buckets and the most training ratings of a movie in each."""
RATERS = ("high", "harsh", "full-range", "other")
BLOCK = 200
"""Draws at once: 10 MB with 6,040 persons."""


class Predicted(NamedTuple):
    """What was given, and what a model said of it."""

    user: Ints
    """(T,) rows of the persons, 0 to U - 1."""
    stars: Floats
    """(T,)"""
    expected: Floats
    """(T,)"""
    like: Floats | None = None
    """(T,) P(stars >= 4); None for a model without a distribution."""
    place: Floats | None = None
    """(T,) where the stars given lie in their distribution, 0 to 1; see `places`."""
    support: Ints | None = None
    """(T,) training ratings of the movie."""
    rater: Ints | None = None
    """(T,) kind of the person, a row of RATERS."""


class Sums(NamedTuple):
    """What a figure is made of: sums over the ratings of each person, (U, M), and the rest of the
    way from sums of drawn persons, (R, M), to the figure, (R,)."""

    of_person: Floats
    figure: Callable[[Floats], Floats]


def star_figures(predicted: Predicted) -> dict[str, Sums]:
    """Every figure that the answers allow; a bucket or kind without a rating is left out."""
    num_users = int(predicted.user.max()) + 1
    miss = predicted.expected - predicted.stars
    one = np.ones_like(miss)

    def by_person(*columns: Floats) -> Floats:
        return np.stack([np.bincount(predicted.user, each, num_users) for each in columns], 1)

    def mean(value: Floats, among: NDArray[np.bool_] | Floats = one) -> Sums:
        return Sums(by_person(value * among, one * among), _ratio)

    found = {"rmse": mean(miss * miss)._replace(figure=_root), "mae": mean(np.abs(miss))}
    if predicted.rater is not None:
        for kind, name in enumerate(RATERS):
            among = predicted.rater == kind
            if among.any():
                found[f"rmse/rater={name}"] = mean(miss * miss, among)._replace(figure=_root)
    if predicted.support is not None:
        weight = 1 / by_movie(predicted.support, num_users)
        found["rmse_snips/propensity=movie"] = mean(miss * miss, weight)._replace(figure=_root)
    if predicted.like is None or predicted.place is None:
        return found
    is_liked = predicted.stars >= LIKED
    found["ece"] = Sums(by_person(one, *_bins(predicted.like, is_liked)), _ece)
    inside = ((predicted.place > 0.05) & (predicted.place < 0.95)).astype(np.float64)
    found["coverage@90"] = mean(inside)
    if predicted.support is not None:
        bucket = np.searchsorted(list(SUPPORT.values()), predicted.support)
        for row, name in enumerate(SUPPORT):
            if (bucket == row).any():
                found[f"coverage@90/support={name}"] = mean(inside, bucket == row)
    return found


def places(chance_TK: Floats, star: Ints, seed: int = 0) -> Floats:
    """(T,) P(stars below) and a drawn share of the step itself: uniform if the chances are right.

    star: (T,) rows of the scale."""
    row = np.arange(len(star))
    drawn = np.random.default_rng(seed).random(len(star))
    return np.asarray(chance_TK.cumsum(1)[row, star] - chance_TK[row, star] * drawn)


def rater_kinds(user_N: Ints, stars_N: Floats, num_users: int, scale: tuple[float, ...]) -> Ints:
    """(U,) rows of RATERS, by the ratings that people were trained on.

    high: nine in ten of their stars are 4 or more. harsh: a mean below 3. full-range: one in ten or
    more at each end of the scale, the two lowest and the two highest values.
    """
    place_N, width = np.searchsorted(scale, stars_N), len(scale)
    flat = np.bincount(user_N * width + place_N, minlength=num_users * width)
    return kinds_of_counts(flat.reshape(num_users, width), scale)


def kinds_of_counts(star_UK: NDArray[np.integer], scale: tuple[float, ...]) -> Ints:
    """`rater_kinds` from how often each person gave each value of the scale, (U, K)."""
    value_K, count_U = np.asarray(scale), np.maximum(star_UK.sum(1), 1)

    def share(is_in_K: NDArray[np.bool_]) -> Floats:
        return np.asarray(star_UK[:, is_in_K].sum(1) / count_U)

    mean_U = star_UK @ value_K / count_U
    wide_U = (share(value_K <= scale[1]) >= 0.1) & (share(value_K >= scale[-2]) >= 0.1)
    kinds = [share(value_K >= LIKED) >= 0.9, mean_U < 3, wide_U]
    return np.select(kinds, [0, 1, 2], 3)


def star_means(figures: dict[str, Sums]) -> dict[str, float]:
    """Every figure, without its interval."""
    return {name: _whole(sums) for name, sums in figures.items()}


def summarise_stars(figures: dict[str, Sums], draws: int = 2000) -> Part:
    """{"rmse": {"mean", "low", "high"}, …}: the figure itself, and its 95% interval."""
    part: Part = {}
    for name, sums in figures.items():
        low, high = np.nanpercentile(_drawn(sums, draws), [2.5, 97.5])
        part[name] = {"mean": _whole(sums), "low": float(low), "high": float(high)}
    return part


def compare_stars(ours: dict[str, Sums], theirs: dict[str, Sums], draws: int = 2000) -> Part:
    """{"rmse": {"diff", "low", "high"}, …}: ours minus theirs under the same drawn persons."""
    part: Part = {}
    for name in (each for each in ours if each in theirs):
        low, high = np.nanpercentile(
            _drawn(ours[name], draws) - _drawn(theirs[name], draws), [2.5, 97.5]
        )
        diff = _whole(ours[name]) - _whole(theirs[name])
        part[name] = {"diff": diff, "low": float(low), "high": float(high)}
    return part


def _whole(sums: Sums) -> float:
    return float(sums.figure(sums.of_person.sum(0, keepdims=True))[0])


def _drawn(sums: Sums, draws: int) -> Floats:
    """(R,) the figure of R drawn sets of persons; the same sets for every call of one size."""
    num_users, rng, found = len(sums.of_person), np.random.default_rng(0), []
    for start in range(0, draws, BLOCK):
        num = min(BLOCK, draws - start)
        drawn = rng.integers(num_users, size=(num, num_users))
        drawn += np.arange(num)[:, None] * num_users
        times_RU = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        found.append(sums.figure(times_RU @ sums.of_person))
    return np.concatenate(found)


def _ratio(sum_RM: Floats) -> Floats:
    """NaN where no rating was drawn."""
    with np.errstate(invalid="ignore"):
        return np.asarray(sum_RM[:, 0] / sum_RM[:, 1])


def _root(sum_RM: Floats) -> Floats:
    return np.sqrt(_ratio(sum_RM))


def _ece(sum_RM: Floats) -> Floats:
    return np.asarray(np.abs(sum_RM[:, 1:]).sum(1) / sum_RM[:, 0])


def _bins(like: Floats, is_liked: NDArray[np.bool_]) -> list[Floats]:
    """Chance minus outcome of each rating, in the column of its bin, 0 in the others."""
    bin_of = np.empty(len(like), dtype=np.int64)
    for number, rows in enumerate(np.array_split(np.argsort(like, kind="stable"), NUM_BINS)):
        bin_of[rows] = number
    return [(like - is_liked) * (bin_of == number) for number in range(NUM_BINS)]
