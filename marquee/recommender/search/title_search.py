"""Find movies by title as people type it: accents, articles, punctuation and small slips forgiven.

    TitleSearch(movies, num_ratings).find("matrix 1999", k=5)

Each film is given a cost in slips (a letter wrong, missing or too many, or two swapped), the least
of:

    slips                          of the whole title, or of one of its other names (keys_of)
    BEGINS + slips + REST x rest   of its beginning, where a part `rest` of the title is not typed
    HOLDS + REST x rest            where each word of the query begins a word of the title

plus what a wrong year costs, less up to POPULAR for being rated often. So exact titles come first,
and a misspelt query that lies in some obscure title does not hide the film that was meant. What
this does not find: a slip in a word from the middle of a title. Figures: results/search.json.
Shapes: I movies, K keys, C candidates.
"""

import re

import numpy as np
import numpy.typing as npt
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from marquee.core.movies import Movies
from marquee.recommender.search.trigram_index import (
    Floats,
    Ints,
    TitleIndex,
    in_figures,
    key_of,
    keys_of,
    without_article,
)

CANDIDATES = 200
"""Keys that are looked at closely, twice: see TitleIndex.nearest."""
SLIPS = 0.3
"""Most slips, by letter of the query; with one in three letters, other films are as near."""
BEGINS, HOLDS, REST = 0.5, 0.8, 0.5
POPULAR = 0.4
"""Less than any of the above, so that among like titles alone the film with more ratings wins."""
OTHER_ARTICLE = 0.5
"""Of "the heat", "The Heat" comes before the film called "Heat"."""
YEAR_BESIDE, YEAR_UNKNOWN, YEAR_WRONG = 0.3, 0.7, 1.5
"""Of "blade runner 2017", the 2017 film that begins so comes before the 1982 film called so."""

_DATED = re.compile(r"^(.*[^\s(\[,])[\s(\[,]+((?:18|19|20)\d\d)[\s)\]]*$")


class TitleSearch:
    """An index over the titles of I movies."""

    def __init__(self, movies: Movies, num_ratings_I: npt.NDArray[np.int64]) -> None:
        self._key: list[str] = []
        row: list[int] = []
        cost: list[float] = []
        for n, title in enumerate(movies.title):
            keys = keys_of(title)
            row += [n] * len(keys)
            self._key += keys
            cost += keys.values()
        self._row_K, self._cost_K = np.array(row, dtype=np.int32), np.array(cost, dtype=np.float32)
        year_I = np.array([-1 if year is None else year for year in movies.year], dtype=np.int16)
        self._year_K = year_I[self._row_K]
        known_I = np.log1p(num_ratings_I) / max(1, np.log1p(max(num_ratings_I, default=0)))
        self._known_K = known_I[self._row_K].astype(np.float32)
        self._index = TitleIndex(self._key)

    def find(self, query: str, k: int) -> Ints:
        """Rows of at most k movies, best first; none where nothing is like the query.

        A year at the end ("heat 1995") is tried as the release year and as part of the title.
        """
        readings = self._readings(query, None)
        if dated := _DATED.match(query):
            readings += self._readings(dated[1], int(dated[2]))
        key_C, cost_C = (np.concatenate(parts) for parts in zip(*readings, strict=True))
        row_C = self._row_K[key_C]
        order = np.lexsort((row_C, cost_C))
        rows = dict.fromkeys(row_C[order[np.isfinite(cost_C[order])]].tolist())
        return np.array(list(rows)[:k], dtype=np.int64)

    def _readings(self, query: str, year: int | None) -> list[tuple[Ints, Floats]]:
        """The keys and costs of the query as typed, without its article, and in figures."""
        key = key_of(query)
        bare = without_article(key)
        readings = [self._costs(key, year)]
        if bare != key:
            key_C, cost_C = self._costs(bare, year)
            readings.append((key_C, cost_C + OTHER_ARTICLE))
        if in_figures(bare) != bare:
            readings.append(self._costs(in_figures(bare), year))
        return readings

    def _costs(self, key: str, year: int | None) -> tuple[Ints, Floats]:
        """Numbers of the keys (C,) that may be meant, and what each costs; infinite: it is not."""
        if not key:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        lift_K = 0.5 * self._known_K
        if year is not None:
            lift_K = lift_K + 0.5 * (self._year_K == year)
        key_C = self._index.nearest(key, CANDIDATES, lift_K)
        cost_C = _spelling(key, [self._key[n] for n in key_C.tolist()])
        cost_C += self._cost_K[key_C] - POPULAR * self._known_K[key_C]
        if year is not None:
            cost_C += _year_costs(self._year_K[key_C], year)
        return key_C, cost_C


def _spelling(key: str, titles: list[str]) -> Floats:
    """(C,) cost of each title by its letters alone."""
    typed, compact = key.replace(" ", ""), [title.replace(" ", "") for title in titles]
    most = max(1, round(SLIPS * len(typed)))
    size_C = np.array([len(title) for title in compact])
    rest_C = REST * np.maximum(0, 1 - len(typed) / size_C)
    whole_C = _slips(typed, compact, most)
    cuts = range(max(1, len(typed) - 1), len(typed) + 2)
    starts = [_slips(typed, [title[:cut] for title in compact], most - 1) for cut in cuts]
    start_C = BEGINS + np.min(starts, axis=0) + rest_C
    words = [f" {word}" for word in key.split()]
    holds = [all(word in f" {title}" for word in words) for title in titles]
    holds_C = np.where(holds, HOLDS + rest_C, np.inf)
    return np.minimum(np.minimum(whole_C, start_C), holds_C).astype(np.float32)


def _slips(typed: str, titles: list[str], most: int) -> Floats:
    """(C,) slips between the query and each title; infinite above `most`."""
    found = cdist([typed], titles, scorer=OSA.distance, score_cutoff=most, dtype=np.float32)[0]
    return np.where(found <= most, found, np.inf)


def _year_costs(year_C: npt.NDArray[np.int16], year: int) -> Floats:
    """People misremember years, by one above all."""
    away_C = np.abs(year_C.astype(np.int64) - year)
    cost_C = np.where(year_C < 0, YEAR_UNKNOWN, YEAR_WRONG).astype(np.float32)
    cost_C[away_C == 1] = YEAR_BESIDE
    cost_C[away_C == 0] = 0
    return cost_C
