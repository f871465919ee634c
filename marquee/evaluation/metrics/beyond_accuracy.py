"""Beyond accuracy: properties of lists of ten, whether or not they hold the target.

    novelty           mean of -log2(share of users who rated it) over the list, in bits: an item
                      that half of the users rated is worth 1, one that a thousandth rated 10
    popularity_bias   novelty of the context minus novelty of the list: above 0 where a list is made
                      of more popular items than the user's history
    miscalibration    sum over genres of p ln(p / q~), q~ = .99 q + .01 p       (Steck 2018)
                      p, q: mean genre shares of the context and of the list, an item's one unit
                      shared among its genres
    coverage          share of the catalog that is in any user's list

Shares of users are over all of the data set, so no item has none. What this does not say: whether
users like the list. Ties stand in the order of the item rows, as the service lists them.

Local letters: K places of a list, -1 after the end; N entries of contexts, M of lists.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from marquee.core.arrays import AnyFloat, AnyInt, Bools, Float64, Int64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, miscalibration, rarity


class ItemStats(NamedTuple):
    novelty_I: Float64  # -log2 of the share of users who rated it
    genre_share_IG: Float64  # summing to 1 for each item; all 0 if it has no genre

    @property
    def num_items(self) -> int:
        return len(self.novelty_I)

    @classmethod
    def from_interactions(cls, item_N: AnyInt, *, num_users: int, genre_IG: AnyFloat) -> Self:
        """Count every interaction of the data set; an item without any counts as one."""
        count_I = np.bincount(item_N, minlength=len(genre_IG))
        return cls(rarity(count_I, num_users) / np.log(2), genre_shares(genre_IG))


def top_lists(score_BI: AnyFloat, seen_BI: Bools, k: int = 10) -> Int64:
    """Return the k best unseen items of each user, ties by row: int64 (B, k)."""
    score_BI = np.where(seen_BI, -np.inf, score_BI)
    k = min(k, score_BI.shape[1])
    edge_B1 = np.partition(score_BI, -k, axis=1)[:, -k, None]
    above_BI, tied_BI = score_BI > edge_B1, score_BI == edge_B1
    free_B1 = k - above_BI.sum(1, keepdims=True)
    in_list_BI = above_BI | (tied_BI & (np.cumsum(tied_BI, axis=1) <= free_B1))
    top_BK = np.nonzero(in_list_BI)[1].reshape(-1, k)
    order_BK = np.argsort(-np.take_along_axis(score_BI, top_BK, axis=1), axis=1, kind="stable")
    top_BK = np.take_along_axis(top_BK, order_BK, axis=1)
    return np.where(np.take_along_axis(seen_BI, top_BK, axis=1), -1, top_BK)


def list_metrics(top_BK: Int64, contexts: Sequence[AnyInt], stats: ItemStats) -> dict[str, Float64]:
    """Return novelty, popularity_bias and, with genres, miscalibration, (B,).

    contexts: item rows. One without any genre has no taste to miss: miscalibration 0; an empty one
    has no popularity to leave: popularity_bias 0.
    """
    user_N = np.repeat(np.arange(len(contexts)), [len(context) for context in contexts])
    item_N = np.concatenate(contexts)
    is_known_B = np.array([len(context) > 0 for context in contexts])
    row_M, place_M = np.nonzero(top_BK >= 0)
    listed_M = top_BK[row_M, place_M]
    novelty = _user_means(stats.novelty_I, row_M, listed_M, len(contexts))
    list_BG = _user_means(stats.genre_share_IG, row_M, listed_M, len(contexts))
    profile_BG = _user_means(stats.genre_share_IG, user_N, item_N, len(contexts))
    own_novelty = _user_means(stats.novelty_I, user_N, item_N, len(contexts))
    metrics = {
        "novelty": novelty,
        "popularity_bias": np.where(is_known_B, own_novelty - novelty, 0),
    }
    if stats.genre_share_IG.shape[1]:
        metrics["miscalibration"] = miscalibration(profile_BG, list_BG)
    return metrics


def coverage(lists: Sequence[Int64], num_items: int) -> Interval:
    """Return the share of the catalog in any list, with a 95% interval.

    lists: for each seed the lists of the same users, (U, K). Coverage is no mean over users, and a
    bootstrap would bias it downwards: a draw holds 63% of the users. Hence a jackknife: leaving out
    user u costs the items that are in u's list only; from these U values comes the variance, on
    average never too small (Efron and Stein 1981). More users always cover more.
    """
    covered, unique_U = 0.0, np.zeros(len(lists[0]))
    for top_UK in lists:
        user_N, place_N = np.nonzero(top_UK >= 0)
        item_N = top_UK[user_N, place_N]
        count_I = np.bincount(item_N, minlength=num_items)
        covered += float((count_I > 0).mean()) / len(lists)
        unique_U += np.bincount(user_N, count_I[item_N] == 1, len(unique_U)) / len(lists)
    unique_U /= num_items
    spread = float(((unique_U - unique_U.mean()) ** 2).sum())
    half = 1.96 * float(np.sqrt((len(unique_U) - 1) / len(unique_U) * spread))
    return Interval(covered, max(0.0, covered - half), min(1.0, covered + half))


def _user_means(value_I: Float64, user_N: Int64, item_N: AnyInt, num_users: int) -> Float64:
    """Return means over each user's items: (I,) -> (B,), or (I, G) -> (B, G)."""
    count_B = np.maximum(np.bincount(user_N, minlength=num_users), 1)
    columns = [
        np.bincount(user_N, column_I[item_N], num_users) / count_B
        for column_I in value_I.reshape(len(value_I), -1).T
    ]
    means = np.stack(columns, axis=1) if columns else np.empty((num_users, 0))
    return means.reshape(num_users, *value_I.shape[1:])
