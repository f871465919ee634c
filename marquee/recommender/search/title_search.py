"""Search movies by title; tolerates accents, articles, punctuation and typos.

The cost of a title is the least of these, in edits (a letter wrong, missing or extra, or two
swapped):

    edits                                    of the full title, or of another of its keys
    PREFIX_COST + edits + UNTYPED_COST x u   of its beginning, where a share u of the title is not
                                             typed
    WORDS_COST + UNTYPED_COST x u            where each word of the query begins a word of the title

A wrong year adds to it, and many ratings subtract up to POPULARITY_BONUS. This does not find an
edit in a word from the middle of a title.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from marquee.core.arrays import Bools, Float32, Int64
from marquee.core.movies import Movies
from marquee.recommender.catalog.segment import Segment
from marquee.recommender.search.title_index import TitleIndex
from marquee.recommender.search.trigram_index import numerals_to_digits, strip_article, to_key

ARTICLE_COST = 0.5  # for "the heat", "The Heat" comes before the movie called "Heat"

_DATED = re.compile(r"^(.*[^\s(\[,])[\s(\[,]+((?:18|19|20)\d\d)[\s)\]]*$")


@dataclass(frozen=True, eq=False)
class SearchedPart:
    """An index, the items of its rows, and which rows are those of the items now."""

    index: TitleIndex
    item_N: Int64
    is_current_N: Bools


class TitleSearch:
    """Search over the titles of I movies, and of those that changed since."""

    def __init__(self, movies: Movies, num_ratings_I: Int64) -> None:
        largest_popularity = float(np.log1p(num_ratings_I).max(initial=0))
        names = [(title,) for title in movies.title]
        index = TitleIndex(names, movies.year, num_ratings_I, largest_popularity)
        self._parts = [SearchedPart(index, np.arange(len(movies)), np.ones(len(movies), bool))]

    def with_segments(self, segments: Sequence[Segment]) -> "TitleSearch":
        """Return the search in which the titles of segments replace others."""
        base = self._parts[0]
        last = max((int(segment.item_N[-1]) for segment in segments), default=-1)
        is_changed_I = np.zeros(max(last + 1, len(base.item_N)), bool)
        parts = []
        for segment in reversed(segments):
            is_current_N = ~is_changed_I[segment.item_N]
            parts.append(SearchedPart(segment.title_index, segment.item_N, is_current_N))
            is_changed_I[segment.item_N] = True
        search = copy.copy(self)
        search._parts = [replace(base, is_current_N=~is_changed_I[base.item_N]), *reversed(parts)]
        return search

    def find(self, query: str, k: int, mask_I: Bools | None = None) -> Int64:
        """Return at most k item indices, best first; none where no title is similar.

        A year at the end ("heat 1995") is tried as the release year and as part of the title.
        mask_I: the only items to find; None: all.
        """
        readings = self._readings(query, None, mask_I)
        if dated := _DATED.match(query):
            readings += self._readings(dated[1], int(dated[2]), mask_I)
        item_C, cost_C = (np.concatenate(parts) for parts in zip(*readings, strict=True))
        order = np.lexsort((item_C, cost_C))
        items = dict.fromkeys(item_C[order[np.isfinite(cost_C[order])]].tolist())
        return np.array(list(items)[:k], dtype=np.int64)

    def _readings(
        self, query: str, year: int | None, mask_I: Bools | None
    ) -> list[tuple[Int64, Float32]]:
        """Return candidates of the query as typed, without its article, and with digits."""
        key = to_key(query)
        bare_key = strip_article(key)
        cost_of = {key: 0.0}
        if bare_key != key:
            cost_of[bare_key] = ARTICLE_COST
        cost_of.setdefault(numerals_to_digits(bare_key), 0.0)
        readings = []
        for part in self._parts:
            mask_N = _row_mask(part, mask_I)
            for each, cost in cost_of.items():
                row_C, cost_C = part.index.candidates(each, year, mask_N)
                readings.append((part.item_N[row_C], cost_C + np.float32(cost)))
        return readings


def _row_mask(part: SearchedPart, mask_I: Bools | None) -> Bools | None:
    """Return the rows of an index that may be found; None for all."""
    mask_N = part.is_current_N if mask_I is None else part.is_current_N & mask_I[part.item_N]
    return None if mask_N.all() else mask_N
