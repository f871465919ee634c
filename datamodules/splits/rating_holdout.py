"""Protocol `stars`: some ratings of all users are hidden, and their values are predicted.

A random 10%, or a file of ml-100k, is the test; of the others a random 5% is validation. The
context of a query is the user's training ratings, in time order; at test those of validation are
among them. Rating predictions are published in this form (SVD++, CF-NADE, GC-MC), and it knows the
future: a context may hold ratings that are younger than the hidden ones.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, hide
from datamodules.splits.repeats import single_interactions
from marquee.core.arrays import Bools
from marquee.core.errors import InputError
from marquee.core.ids import IdIndex
from marquee.data.dataset import Dataset
from marquee.data.movielens.download import locate
from marquee.data.user_histories import UserHistories

TEST_SHARE, VALID_SHARE = 0.1, 0.05


def split_ratings(
    histories: UserHistories, num_items: int, seed: int = 0, is_test_N: Bools | None = None
) -> Split:
    """Hide some ratings of all users: those of is_test_N, (N,), else a random 10%.

    All users with a test rating have a query, even without a training rating. Interactions without
    a rating, and all of an item that a history holds twice, are trained on.
    """
    rng = np.random.default_rng(seed)
    rated = np.flatnonzero(~np.isnan(histories.rating) & single_interactions(histories))
    if is_test_N is None:
        is_test_N = np.zeros(len(histories.item), bool)
        is_test_N[rated[_draw_share(rng, len(rated), TEST_SHARE)]] = True
    subset_N = np.where(is_test_N, np.int8(TEST), np.int8(TRAIN))
    others = rated[~is_test_N[rated]]
    subset_N[others[_draw_share(rng, len(others), VALID_SHARE)]] = VALID
    is_known_N = subset_N <= VALID
    return Split(
        all_histories=histories,
        subset_N=subset_N,
        # Validation ranks movies too, and an empty context ranks by popularity alone.
        valid=hide(histories.filter(is_known_N), subset_N[is_known_N] == VALID, min_context=1),
        test=hide(histories, is_test_N, min_context=0),
        num_items=num_items,
        protocol="stars",
    ).check(f"{len(rated)} ratings can be hidden")


def official_fold(histories: UserHistories, dataset: Dataset, fold: int, root: str | None) -> Bools:
    """Return a mask, (N,), of the ratings of ml-100k's file u1.test to u5.test."""
    if dataset.name != "ml-100k" or not 1 <= fold <= 5:
        raise InputError(
            f"data.fold: {fold} of {dataset.name}, expected 0, a random 10%; only ml-100k has "
            "folds, 1 to 5"
        )
    path = locate(dataset.name, root) / f"u{fold}.test"
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected the one of GroupLens' ml-100k.zip")
    pair_T2 = np.loadtxt(path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    user_T, is_user_T = IdIndex(histories.user_id).rows(pair_T2[:, 0])
    item_T, is_item_T = IdIndex(dataset.movies.movie_id).rows(pair_T2[:, 1])
    num_items = len(dataset.movies)
    key_T = (user_T * num_items + item_T)[is_user_T & is_item_T]
    is_test_N = np.isin(histories.user * num_items + histories.item, key_T)
    if is_test_N.sum() != len(pair_T2):
        raise InputError(
            f"{path}: {len(pair_T2)} ratings, {is_test_N.sum()} of them in u.data, expected all; "
            "take both from one ml-100k.zip"
        )
    return is_test_N


def _draw_share(rng: np.random.Generator, num: int, share: float) -> Bools:
    is_drawn = np.zeros(num, dtype=bool)
    is_drawn[rng.permutation(num)[: round(share * num)]] = True
    return is_drawn
