"""Find movies by title as people type it: accents, articles, punctuation and small slips forgiven.

    TitleSearch(movies, num_ratings).find("matrix 1999", k=5)

Exact titles come first, then titles that begin with the query, then those that hold all its words;
only where there is none of these, the nearest spellings (rapidfuzz). Among equals the film with
more ratings comes first. 62,000 titles: about 5 ms on one core, 12 ms for a misspelt one.
"""

import re

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from catalogue.movies import Movies
from catalogue.titles import normalise_title

Float32 = npt.NDArray[np.float32]

EXACT, BEGINS, HOLDS = 3.0, 2.0, 1.0
SAME_YEAR = 0.6
"""Of "blade runner 2017", the 2017 film that begins so comes before the 1982 film called so."""
ENOUGH = 70
"""Percent of the letters that a misspelt title must share with the query."""

_ARTICLE = re.compile(r"^(the|a|an) (?=.)")
_YEAR_LAST = re.compile(r"^(.+) ((?:18|19|20)\d\d)$")


class TitleSearch:
    """An index over the titles of I movies."""

    def __init__(self, movies: Movies, num_ratings_I: npt.NDArray[np.int64]) -> None:
        self._titles = [_key(title) for title in movies.title]
        self._spaced = [f" {title}" for title in self._titles]  # so that " word" finds beginnings
        self._year_I = np.array([-1 if year is None else year for year in movies.year])
        self._num_ratings_I = num_ratings_I

    def find(self, query: str, k: int) -> npt.NDArray[np.int64]:
        """Rows of at most k movies, best first; none where nothing is like the query.

        A year at the end ("heat 1995") is tried as the release year and as part of the title.
        """
        key = _key(query)
        if not key:
            return np.zeros(0, dtype=np.int64)
        dated = _YEAR_LAST.match(key)
        match_I = self._words(key)
        if dated:
            match_I = np.maximum(match_I, self._dated(self._words(dated[1]), int(dated[2])))
        if not match_I.any():
            match_I = self._spelling(key)
            if dated:
                match_I = np.maximum(match_I, self._dated(self._spelling(dated[1]), int(dated[2])))
        row = np.flatnonzero(match_I)
        order = np.lexsort((row, -self._num_ratings_I[row], -match_I[row]))
        return np.asarray(row[order[:k]])

    def _words(self, key: str) -> Float32:
        """(I,) kind of match: the whole title, its beginning, or every word somewhere; else 0."""
        first, *others = (f" {word}" for word in key.split())
        match_I = np.zeros(len(self._titles), dtype=np.float32)
        for row in [row for row, title in enumerate(self._spaced) if first in title]:
            title = self._titles[row]
            if title.startswith(key):
                match_I[row] = EXACT if title == key else BEGINS
            elif all(word in self._spaced[row] for word in others):
                match_I[row] = HOLDS
        return match_I

    def _spelling(self, key: str) -> Float32:
        """(I,) likeness 0..1 to the title, or to the beginning of a longer one; 0 below ENOUGH."""
        beginnings = [title[: len(key)] for title in self._titles]
        whole, start = (
            process.cdist([key], titles, scorer=fuzz.ratio, score_cutoff=ENOUGH, dtype=np.float32)
            for titles in (self._titles, beginnings)
        )
        return np.asarray(np.maximum(whole[0], 0.95 * start[0]) / 100)

    def _dated(self, match_I: Float32, year: int) -> Float32:
        """The films of this year lifted, the others lowered: people misremember years."""
        lift_I = np.where(self._year_I == year, SAME_YEAR, -SAME_YEAR)
        return np.where(match_I > 0, match_I + lift_I, 0)


def _key(title: str) -> str:
    return _ARTICLE.sub("", normalise_title(title))
