"""The order of interactions with equal times, and where a data set has no times."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Int64
from marquee.core.errors import InputError
from marquee.core.ids import id_keys
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories

Ties = Literal["hash", "file"]


def build_histories(dataset: Dataset, ties: Ties = "hash", seed: int = 0) -> UserHistories:
    """Return the histories of a data set, oldest first.

    Equal times stand in the order of a seeded hash of user and movie (`ties="hash"`), or in the
    file's (`ties="file"`). Without times, a data set that is ordered keeps the file's order.
    Raises InputError for another value of `ties`.
    """
    if ties not in ("hash", "file"):
        raise InputError(f"ties: {ties!r}, expected hash or file")
    histories = dataset.histories
    if ties == "file" or dataset.is_ordered:
        return histories
    user_key_U, item_key_I = id_keys(histories.user_id), id_keys(dataset.movies.movie_id)

    def order_of(rows: slice, user: Int64) -> Int64:
        key = tie_hash(user_key_U[user], item_key_I[histories.item[rows]], seed)
        return np.lexsort((key, histories.timestamp[rows], user))

    return histories.reorder(order_of)


def tie_hash(
    user_key: npt.NDArray[np.integer], item_key: npt.NDArray[np.integer], seed: int
) -> npt.NDArray[np.uint64]:
    """Hash seed, user and movie by splitmix64 (Steele et al. 2014)."""
    hash_N = _splitmix64(np.array([seed % 2**64], dtype=np.uint64))
    for keys in (user_key, item_key):
        hash_N = _splitmix64(hash_N ^ keys.astype(np.uint64))
    return hash_N


def _splitmix64(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
