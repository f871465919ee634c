"""Beyond accuracy: what lists of ten look like, whether or not they hold what was watched next.

    top_BK = top_lists(score_BI, seen_BI)                    # as the service would list them
    of_lists(top_BK, histories, Catalogue.of(item, num_users, num_items, genre_IG))

    novelty           mean of -log2(share of people who rated it) over the list, in bits: a movie
                      that half of the people rated is worth 1, one that a thousandth rated 10
    popularity_bias   novelty of the history minus novelty of the list: above 0 where a list is made
                      of more popular movies than the person watched
    miscalibration    sum over genres of p ln(p / q~), q~ = .99 q + .01 p       (Steck 2018)
                      p, q: mean genre shares of the history and of the list, a movie's one unit
                      shared among its genres
    coverage          share of the catalogue that is in anybody's list

Shares of people are over the whole data set, so no movie has none. What this does not say: whether
anybody liked the list. Ties stand in the order of the movie rows, as the service lists them.

B persons, I movies, K list places (-1 after the end of a short list), G genres, S seeds, T persons.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, miscalibration, rarity

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Catalogue(NamedTuple):
    """What the figures need to know of the movies."""

    novelty_I: Floats
    """-log2 of the share of people who rated it."""
    share_IG: Floats
    """Genre shares of each movie, summing to 1; all 0 where it has no genre."""

    @property
    def num_items(self) -> int:
        return len(self.novelty_I)

    @classmethod
    def of(
        cls,
        item: NDArray[np.integer],
        num_users: int,
        num_items: int,
        genre_IG: NDArray[np.floating],
    ) -> "Catalogue":
        """item: item rows of every rating of the data set, (N,). A movie without counts as one."""
        count_I = np.bincount(item, minlength=num_items)
        return cls(rarity(count_I, num_users) / np.log(2), genre_shares(genre_IG))


def top_lists(score_BI: NDArray[np.floating], seen_BI: NDArray[np.bool_], k: int = 10) -> Ints:
    """The k best unseen movies of each person, best first, ties by row: int64 (B, k)."""
    score_BI = np.where(seen_BI, -np.inf, score_BI)
    k = min(k, score_BI.shape[1])
    edge_B1 = np.partition(score_BI, -k, axis=1)[:, -k, None]
    above_BI, level_BI = score_BI > edge_B1, score_BI == edge_B1
    free_B1 = k - above_BI.sum(1, keepdims=True)
    in_list_BI = above_BI | (level_BI & (np.cumsum(level_BI, axis=1) <= free_B1))
    top_BK = np.nonzero(in_list_BI)[1].reshape(-1, k)
    order_BK = np.argsort(-np.take_along_axis(score_BI, top_BK, axis=1), axis=1, kind="stable")
    top_BK = np.take_along_axis(top_BK, order_BK, axis=1)
    return np.where(np.take_along_axis(seen_BI, top_BK, axis=1), -1, top_BK)


def of_lists(top_BK: Ints, histories: Sequence[Ints], catalogue: Catalogue) -> dict[str, Floats]:
    """novelty, popularity_bias and miscalibration of each person's list, float64 (B,) each.

    histories: item rows, one array a person, none empty. A history without any genre has no taste
    to miss: miscalibration 0.
    """
    person_N = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    row_M, place_M = np.nonzero(top_BK >= 0)
    watched = _Means(person_N, np.concatenate(histories), len(histories))
    listed = _Means(row_M, top_BK[row_M, place_M], len(histories))
    novelty, share_IG = listed.of(catalogue.novelty_I), catalogue.share_IG
    return {
        "novelty": novelty,
        "popularity_bias": watched.of(catalogue.novelty_I) - novelty,
        "miscalibration": miscalibration(watched.of(share_IG), listed.of(share_IG)),
    }


def coverage(lists: Sequence[Ints], num_items: int) -> Interval:
    """Share of the catalogue in anybody's list, mean over seeds, with a 95% jackknife interval.

    lists: for each seed the lists of the same persons, (T, K). It is no mean over persons, and a
    bootstrap would be wrong: a draw with replacement holds 63% of the persons, so its coverage is
    lower for that alone. Leaving out person t costs the movies that are in t's list only; from
    these T values comes the jackknife variance, on average never too small (Efron and Stein 1981).
    The interval is for lists of as many other persons: more persons always cover more.
    """
    covered, alone_T = 0.0, np.zeros(len(lists[0]))
    for top_TK in lists:
        person_M, place_M = np.nonzero(top_TK >= 0)
        item_M = top_TK[person_M, place_M]
        count_I = np.bincount(item_M, minlength=num_items)
        covered += float((count_I > 0).mean()) / len(lists)
        alone_T += np.bincount(person_M, count_I[item_M] == 1, len(alone_T)) / len(lists)
    alone_T /= num_items
    spread = float(((alone_T - alone_T.mean()) ** 2).sum())
    half = 1.96 * float(np.sqrt((len(alone_T) - 1) / len(alone_T) * spread))
    return Interval(covered, max(0.0, covered - half), min(1.0, covered + half))


class _Means:
    """Means over each person's movies; listed as (person, movie) pairs."""

    def __init__(self, person_N: Ints, item_N: Ints, num_users: int) -> None:
        self.person_N, self.item_N = person_N, item_N
        self.count_B = np.maximum(np.bincount(person_N, minlength=num_users), 1)

    def of(self, value_I: Floats) -> Floats:
        """(I,) -> (B,), or (I, G) -> (B, G)."""
        value_IG = value_I.reshape(len(value_I), -1)
        columns = [
            np.bincount(self.person_N, column_I[self.item_N], len(self.count_B)) / self.count_B
            for column_I in value_IG.T
        ]
        return np.stack(columns, axis=1).reshape(-1, *value_I.shape[1:])
