"""Beyond accuracy: properties of lists of ten, whether or not they hold the target.

    top_BK = top_lists(score_BI, seen_BI)                    # as the service would list them
    stats = ItemStats.from_interactions(item_N, num_users=943, genre_IG=genre_IG)
    list_metrics(top_BK, contexts, stats)

    novelty           mean of -log2(share of users who rated it) over the list, in bits: an item
                      that half of the users rated is worth 1, one that a thousandth rated 10
    popularity_bias   novelty of the context minus novelty of the list: above 0 where a list is made
                      of more popular items than the user's history
    miscalibration    sum over genres of p ln(p / q~), q~ = .99 q + .01 p       (Steck 2018)
                      p, q: mean genre shares of the context and of the list, an item's one unit
                      shared among its genres
    coverage          share of the catalog that is in any user's list

Shares of users are over the whole data set, so no item has none. What this does not say: whether
users like the list. Ties stand in the order of the item rows, as the service lists them.

Local letters: K places of a list, -1 after the end of a short one; N (user, item) pairs.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from marquee.core.arrays import AnyFloat, AnyInt, Bools, Float64, Int64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, miscalibration, rarity


class ItemStats(NamedTuple):
    """The catalog as the metrics of a list read it."""

    novelty_I: Float64
    """-log2 of the share of users who rated it."""
    genre_share_IG: Float64
    """Genre shares of each item, summing to 1; all 0 if it has no genre."""

    @property
    def num_items(self) -> int:
        return len(self.novelty_I)

    @classmethod
    def from_interactions(cls, item_N: AnyInt, *, num_users: int, genre_IG: AnyFloat) -> Self:
        """Count the interactions of each item; one without any counts as having one.

        item_N: item rows of every interaction of the data set.
        """
        count_I = np.bincount(item_N, minlength=len(genre_IG))
        return cls(rarity(count_I, num_users) / np.log(2), genre_shares(genre_IG))


def top_lists(score_BI: AnyFloat, seen_BI: Bools, k: int = 10) -> Int64:
    """Return the k best unseen items of each user, best first: int64 (B, k).

    Ties are in the order of rows.
    """
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
    """Return novelty, popularity_bias and miscalibration of each list.

    Returns float64 (B,) each. contexts: item rows, one array a user, none empty. A context without
    any genre has no taste to miss: miscalibration 0.
    """
    user_N = np.repeat(np.arange(len(contexts)), [len(context) for context in contexts])
    row_N, place_N = np.nonzero(top_BK >= 0)
    of_context = _UserMeans(user_N, np.concatenate(contexts), len(contexts))
    of_list = _UserMeans(row_N, top_BK[row_N, place_N], len(contexts))
    novelty = of_list.mean(stats.novelty_I)
    profile_BG = of_context.mean(stats.genre_share_IG)
    return {
        "novelty": novelty,
        "popularity_bias": of_context.mean(stats.novelty_I) - novelty,
        "miscalibration": miscalibration(profile_BG, of_list.mean(stats.genre_share_IG)),
    }


def coverage(lists: Sequence[Int64], num_items: int) -> Interval:
    """Return the share of the catalog in any list, with a 95% jackknife interval.

    The share is the mean over seeds. lists: for each seed the lists of the same users, (U, K).
    Coverage is no mean over users. A bootstrap would bias coverage downwards: a draw holds 63% of
    the users. Leaving out user u costs the items that are in u's list only; from these
    U values comes the jackknife variance, on average never too small (Efron and Stein 1981). The
    interval is for lists of as many other users: more users always cover more.
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


class _UserMeans:
    """Means over each user's items, listed as (user, item) pairs."""

    def __init__(self, user_N: Int64, item_N: AnyInt, num_users: int) -> None:
        self.user_N, self.item_N = user_N, item_N
        self.count_B = np.maximum(np.bincount(user_N, minlength=num_users), 1)

    def mean(self, value_I: Float64) -> Float64:
        """(I,) -> (B,), or (I, G) -> (B, G)."""
        value_IG = value_I.reshape(len(value_I), -1)
        columns = [
            np.bincount(self.user_N, column_I[self.item_N], len(self.count_B)) / self.count_B
            for column_I in value_IG.T
        ]
        return np.stack(columns, axis=1).reshape(-1, *value_I.shape[1:])
