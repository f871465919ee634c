"""Search movies by title; tolerates accents, articles, punctuation and typos.

The cost of a title is the least of these, in edits (a letter wrong, missing or extra, or two
swapped):

    edits                                    of the full title, or of another of its keys
    PREFIX_COST + edits + UNTYPED_COST x u   of its beginning, where a share u of the title is not
                                             typed
    WORDS_COST + UNTYPED_COST x u            where each word of the query begins a word of the title

A wrong year adds to it, and many ratings subtract up to POPULARITY_BONUS. This does not find an
edit in a word from the middle of a title. Local letters: T title keys.
"""

import re

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from marquee.core.arrays import AnyInt, Float32, Int64
from marquee.core.movies import Movies
from marquee.recommender.search.trigram_index import (
    TrigramIndex,
    numerals_to_digits,
    strip_article,
    title_keys,
    to_key,
)

NUM_CANDIDATES = 200  # keys compared letter by letter, twice: see TrigramIndex.nearest
MAX_EDIT_SHARE = 0.3  # per letter of the query; with one in three, other titles are as near
PREFIX_COST, WORDS_COST, UNTYPED_COST = 0.5, 0.8, 0.5
POPULARITY_BONUS = 0.4  # below the costs above: it decides among similar titles only
ARTICLE_COST = 0.5  # for "the heat", "The Heat" comes before the movie called "Heat"
# For "blade runner 2017", the 2017 movie of that beginning precedes the 1982 one of that title.
ADJACENT_YEAR_COST, UNKNOWN_YEAR_COST, WRONG_YEAR_COST = 0.3, 0.7, 1.5

_DATED = re.compile(r"^(.*[^\s(\[,])[\s(\[,]+((?:18|19|20)\d\d)[\s)\]]*$")


class TitleSearch:
    """An index over the titles of I movies."""

    def __init__(self, movies: Movies, num_ratings_I: Int64) -> None:
        self._keys: list[str] = []
        items: list[int] = []
        costs: list[float] = []
        for item, title in enumerate(movies.title):
            keys = title_keys(title)
            items += [item] * len(keys)
            self._keys += keys
            costs += keys.values()
        self._item_T = np.array(items, dtype=np.int32)
        self._cost_T = np.array(costs, dtype=np.float32)
        year_I = np.array([-1 if year is None else year for year in movies.year], dtype=np.int16)
        self._year_T = year_I[self._item_T]
        popularity_I = np.log1p(num_ratings_I)
        popularity_I = popularity_I / popularity_I.max(initial=1)
        self._popularity_T = popularity_I[self._item_T].astype(np.float32)
        self._index = TrigramIndex(self._keys)

    def find(self, query: str, k: int) -> Int64:
        """Return at most k item indices, best first; none where no title is similar.

        A year at the end ("heat 1995") is tried as the release year and as part of the title.
        """
        readings = self._readings(query, None)
        if dated := _DATED.match(query):
            readings += self._readings(dated[1], int(dated[2]))
        key_C, cost_C = (np.concatenate(parts) for parts in zip(*readings, strict=True))
        item_C = self._item_T[key_C]
        order = np.lexsort((item_C, cost_C))
        items = dict.fromkeys(item_C[order[np.isfinite(cost_C[order])]].tolist())
        return np.array(list(items)[:k], dtype=np.int64)

    def _readings(self, query: str, year: int | None) -> list[tuple[Int64, Float32]]:
        """Return candidates of the query as typed, without its article, and with digits."""
        key = to_key(query)
        bare_key = strip_article(key)
        readings = [self._candidates(key, year)]
        if bare_key != key:
            key_C, cost_C = self._candidates(bare_key, year)
            readings.append((key_C, cost_C + ARTICLE_COST))
        if numerals_to_digits(bare_key) != bare_key:
            readings.append(self._candidates(numerals_to_digits(bare_key), year))
        return readings

    def _candidates(self, key: str, year: int | None) -> tuple[Int64, Float32]:
        """Return candidate keys (C,) and the cost of each; infinite: no match."""
        if not key:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        bonus_T = 0.5 * self._popularity_T
        if year is not None:
            bonus_T = bonus_T + 0.5 * (self._year_T == year)
        key_C = self._index.nearest(key, NUM_CANDIDATES, bonus_T)
        cost_C = _spelling_costs(key, [self._keys[n] for n in key_C.tolist()])
        cost_C += self._cost_T[key_C] - POPULARITY_BONUS * self._popularity_T[key_C]
        if year is not None:
            cost_C += _year_costs(self._year_T[key_C], year)
        return key_C, cost_C


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
