"""Titles that changed since the bundle was made, in segments that merge as they grow.

    segments = with_segment(segments, Segment(item_N, titles))

A segment indexes its titles when they are first read. A later one replaces the rows of those before
it. Two neighbors merge where the later is at least half as large, up to MAX_TITLES, so that a
catalog of a million titles, sent a thousand at a time, has some 15 segments, and each title is
indexed some seven times (log-structured merge, O'Neil et al. 1996).
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from marquee.core.arrays import Int64
from marquee.recommender.catalog.title import Title
from marquee.recommender.eligibility.attribute_column import AttributeColumn
from marquee.recommender.search.title_index import TitleIndex

MAX_TITLES = 100_000  # of a merged segment: its indexes take two seconds


class Segment:
    """N titles by item, ascending."""

    def __init__(self, titles: dict[int, Title], largest_popularity: float) -> None:
        """largest_popularity: log(1 + ratings) of the bundle's most rated movie."""
        self.titles = dict(sorted(titles.items()))
        self.item_N: Int64 = np.fromiter(self.titles, np.int64, len(self.titles))
        self._largest_popularity = largest_popularity
        self._columns: dict[str, AttributeColumn] = {}

    def __len__(self) -> int:
        return len(self.item_N)

    def column(self, name: str) -> AttributeColumn:
        """Return an attribute of the segment's titles."""
        if name not in self._columns:
            values = [title.value(name) for title in self.titles.values()]
            self._columns[name] = AttributeColumn(len(self), values)
        return self._columns[name]

    @cached_property
    def title_index(self) -> TitleIndex:
        """Return the index of the segment's titles, for search."""
        titles = list(self.titles.values())
        return TitleIndex(
            [(title.title, *title.titles.values()) for title in titles],
            [title.year for title in titles],
            np.array([title.num_ratings for title in titles]),
            self._largest_popularity,
        )

    def merged(self, later: "Segment") -> "Segment":
        """Return one segment of both, in which the later one's titles count."""
        return Segment({**self.titles, **later.titles}, self._largest_popularity)


def is_worth_merging(earlier: Segment, later: Segment) -> bool:
    is_similar = len(earlier) <= 2 * len(later)
    return is_similar and len(earlier) + len(later) <= MAX_TITLES


def with_segment(segments: Sequence[Segment], segment: Segment) -> tuple[Segment, ...]:
    """Return the segments with a later one, neighbors of similar size merged."""
    result = [*segments, segment]
    while len(result) > 1 and is_worth_merging(result[-2], result[-1]):
        later = result.pop()
        result[-1] = result[-1].merged(later)
    return tuple(result)
