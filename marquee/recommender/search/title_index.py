"""An index over titles, and the cost of each for a query (marquee/recommender/search/title_search).

Local letters: T title keys, N titles.
"""

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from marquee.core.arrays import AnyInt, Bools, Float32, Int64
from marquee.recommender.search.trigram_index import TrigramIndex, title_keys

NUM_CANDIDATES = 200  # keys compared letter by letter, twice: see TrigramIndex.nearest
MAX_EDIT_SHARE = 0.3  # per letter of the query; with one in three, other titles are as near
PREFIX_COST, WORDS_COST, UNTYPED_COST = 0.5, 0.8, 0.5
POPULARITY_BONUS = 0.4  # below the costs above: it decides among similar titles only
# For "blade runner 2017", the 2017 movie of that beginning precedes the 1982 one of that title.
ADJACENT_YEAR_COST, UNKNOWN_YEAR_COST, WRONG_YEAR_COST = 0.3, 0.7, 1.5


class TitleIndex:
    """The keys of N titles, each of which may have several names."""

    def __init__(
        self,
        names: Sequence[Sequence[str]],
        years: Sequence[int | None],
        num_ratings_N: AnyInt,
        largest_popularity: float,
    ) -> None:
        """largest_popularity: log(1 + ratings) of the whole catalog's most rated movie."""
        self._keys: list[str] = []
        rows: list[int] = []
        costs: list[float] = []
        for row, names_of_title in enumerate(names):
            keys = _cheapest_keys(names_of_title)
            rows += [row] * len(keys)
            self._keys += keys
            costs += keys.values()
        self._row_T = np.array(rows, dtype=np.int32)
        self._cost_T = np.array(costs, dtype=np.float32)
        year_N = np.array([-1 if year is None else year for year in years], dtype=np.int16)
        self._year_T = year_N[self._row_T]
        popularity_N = np.log1p(num_ratings_N) / (largest_popularity or 1)
        self._popularity_T = popularity_N[self._row_T].astype(np.float32)
        self._trigrams = TrigramIndex(self._keys)

    def candidates(self, key: str, year: int | None, mask_N: Bools | None) -> tuple[Int64, Float32]:
        """Return the rows of candidate titles (C,), and their costs.

        A title may be there twice. An infinite cost is no match. mask_N: the only titles to
        find; None: all.
        """
        if not key or not len(self._keys):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        bonus_T = 0.5 * self._popularity_T
        if year is not None:
            bonus_T = bonus_T + 0.5 * (self._year_T == year)
        mask_T = None if mask_N is None else mask_N[self._row_T]
        key_C = self._trigrams.nearest(key, NUM_CANDIDATES, bonus_T, mask_T)
        cost_C = _spelling_costs(key, [self._keys[n] for n in key_C.tolist()])
        cost_C += self._cost_T[key_C] - POPULARITY_BONUS * self._popularity_T[key_C]
        if year is not None:
            cost_C += _year_costs(self._year_T[key_C], year)
        return self._row_T[key_C].astype(np.int64), cost_C


def _cheapest_keys(names: Sequence[str]) -> dict[str, float]:
    if len(names) == 1:
        return title_keys(names[0])
    cost_of: dict[str, float] = {}
    for name in names:
        for key, cost in title_keys(name).items():
            cost_of[key] = min(cost, cost_of.get(key, cost))
    return cost_of


def _spelling_costs(key: str, titles: list[str]) -> Float32:
    """Return (C,) the cost of each title by its letters alone."""
    query_text, compact = key.replace(" ", ""), [title.replace(" ", "") for title in titles]
    max_edits = max(1, round(MAX_EDIT_SHARE * len(query_text)))
    size_C = np.array([len(title) for title in compact])
    untyped_C = UNTYPED_COST * np.maximum(0, 1 - len(query_text) / size_C)
    title_C = _edits(query_text, compact, max_edits)
    cuts = range(max(1, len(query_text) - 1), len(query_text) + 2)
    prefixes = [
        _edits(query_text, [title[:cut] for title in compact], max_edits - 1) for cut in cuts
    ]
    prefix_C = PREFIX_COST + np.min(prefixes, axis=0) + untyped_C
    words = [f" {word}" for word in key.split()]
    has_words = [all(word in f" {title}" for word in words) for title in titles]
    words_C = np.where(has_words, WORDS_COST + untyped_C, np.inf)
    return np.minimum(np.minimum(title_C, prefix_C), words_C).astype(np.float32)


def _edits(query_text: str, titles: list[str], max_edits: int) -> Float32:
    """Return (C,) edits between the query and each title; infinite above `max_edits`."""
    (edit_C,) = cdist(
        [query_text], titles, scorer=OSA.distance, score_cutoff=max_edits, dtype=np.float32
    )
    return np.where(edit_C <= max_edits, edit_C, np.inf)


def _year_costs(year_C: AnyInt, year: int) -> Float32:
    """Return (C,) costs of a year; most years that users misremember are off by one."""
    distance_C = np.abs(year_C.astype(np.int64) - year)
    cost_C = np.where(year_C < 0, UNKNOWN_YEAR_COST, WRONG_YEAR_COST).astype(np.float32)
    cost_C[distance_C == 1] = ADJACENT_YEAR_COST
    cost_C[distance_C == 0] = 0
    return cost_C
