"""Protocol `stars`: some ratings of everybody are hidden, and their stars are asked for.

    split = split_stars(histories, num_items, seed=0)        # a random 10% test
    u1 = official_fold(histories, dataset, 1, root=None)     # or a file of ml-100k
    split = split_stars(histories, num_items, 0, u1)

Of what is left, a random 5% is validation. The history of a question is the person's training
ratings, in time order; at test those of validation are among them. What this does not guarantee: it
is the form in which stars are published (SVD++, CF-NADE, GC-MC), and it knows the future: a rating
may be asked for after younger ones have been shown.

Shapes: N ratings.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from datamodules.splits.leave_one_out import TEST, TRAIN, VALID, Questions, Split, checked
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset
from marquee.data.interactions import UserHistories
from marquee.data.sources import locate

TEST_SHARE, VALID_SHARE = 0.1, 0.05
FOLDS = range(1, 6)
"""u1 to u5 of ml-100k: a fifth of the ratings each, together all of them."""


def split_stars(
    histories: UserHistories,
    num_items: int,
    seed: int = 0,
    is_test_N: npt.NDArray[np.bool_] | None = None,
) -> Split:
    """Protocol `stars`. is_test_N: the ratings to be asked for, else a random 10%.

    Everybody with a test rating is asked, also who has no training rating left. InputError where a
    part would be empty.
    """
    rng, num = np.random.default_rng(seed), len(histories.item)
    if is_test_N is None:
        is_test_N = _share(rng, num, TEST_SHARE)
    part_N = np.where(is_test_N, np.int8(TEST), np.int8(TRAIN))
    left = np.flatnonzero(~is_test_N)
    part_N[left[_share(rng, len(left), VALID_SHARE)]] = VALID
    # Validation ranks movies, too, and a history of nothing ranks by popularity alone.
    valid = _asked(histories.where(part_N <= VALID), part_N[part_N <= VALID] == VALID, least=1)
    test = _asked(histories, is_test_N, least=0)
    return checked(
        Split(histories, part_N, valid, test, num_items, "stars"), f"there are {num} ratings"
    )


def official_fold(
    histories: UserHistories, dataset: Dataset, fold: int, root: str | None
) -> npt.NDArray[np.bool_]:
    """(N,) whether a rating stands in u1.test to u5.test of ml-100k. InputError for another data
    set, or a fold file that is absent or holds other ratings."""
    if dataset.name != "ml-100k" or fold not in FOLDS:
        raise InputError(
            f"data.fold {fold} of {dataset.name}: only ml-100k has folds, 1 to 5; 0 is a random 10%"
        )
    path = Path(locate(dataset.name, root)) / f"u{fold}.test"
    if not path.is_file():
        raise InputError(f"{path}: no such file; it comes with ml-100k.zip of GroupLens")
    pair_T2 = np.loadtxt(path, dtype=np.int64, usecols=(0, 1), ndmin=2)
    movie_id = dataset.movies.movie_id
    key_N = histories.user_id[histories.user] * (movie_id.max() + 1) + movie_id[histories.item]
    is_test_N = np.isin(key_N, pair_T2[:, 0] * (movie_id.max() + 1) + pair_T2[:, 1])
    if is_test_N.sum() != len(pair_T2):
        raise InputError(
            f"{path}: {len(pair_T2)} ratings, {is_test_N.sum()} of them in u.data; take both from "
            "one ml-100k.zip"
        )
    return is_test_N


def _share(rng: np.random.Generator, num: int, share: float) -> npt.NDArray[np.bool_]:
    is_drawn = np.zeros(num, dtype=bool)
    is_drawn[rng.permutation(num)[: round(share * num)]] = True
    return is_drawn


def _asked(histories: UserHistories, is_asked_N: npt.NDArray[np.bool_], least: int) -> Questions:
    """People with a rating to be asked for and `least` others, those others first."""
    given = histories.counted(~is_asked_N)
    user = np.flatnonzero((histories.length > given) & (given >= least))
    table = histories.arranged(is_asked_N.astype(np.int8))
    return Questions(table, user, np.zeros_like(user), given[user], histories.length[user])
