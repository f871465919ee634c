"""Name in sentences the data that is missing, and the findings that need it.

    for gap in gaps_of(dataset, aggregates):
        gap.limit                    # "Genres: the data holds none. Left out: leading genres."

The report leaves these findings out and names them once, among its limits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from marquee.data.dataset import Dataset
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import TEXTS, fill, subject
from marquee.insights.render.formatting import join_names
from marquee.insights.words import Words

RATING_FINDINGS = ("ratings", "raters", "movies-by-mean", "mean-and-popularity")
TIME_FINDINGS = ("ratings-by-year", "sessions", "movies-per-year")


@dataclass(frozen=True)
class Gap:
    """Something that the data lacks: what it does not show, and the findings left out."""

    limit: str
    ids: tuple[str, ...]


def gaps_of(dataset: Dataset, aggregates: Aggregates) -> list[Gap]:
    """Return what the data lacks, in the order of the report."""
    return list(_gaps(dataset, aggregates))


def _gaps(dataset: Dataset, aggregates: Aggregates) -> Iterator[Gap]:
    words, movies = aggregates.words, aggregates.movies
    if not dataset.scale or not aggregates.num_ratings:
        yield _gap("ratings", RATING_FINDINGS, words)
    elif words.scale is None:
        yield _gap("one-rating", RATING_FINDINGS, words, value=f"{dataset.scale[0]:g}")
    if not dataset.has_times:
        yield _gap("order-only" if dataset.is_ordered else "times", TIME_FINDINGS, words)
    elif not aggregates.has_times:
        yield _gap("equal-times", TIME_FINDINGS, words)
    elif not aggregates.has_clock:
        yield _gap("clock", ("sessions",), words)
    if not movies.genre_names:
        yield _gap("genres", ("genres",), words)
    elif len(movies.genre_names) == 1:
        yield _gap("one-genre", ("genres",), words, genre=movies.genre_names[0])
    if has_no_titles(movies.movie_id.tolist(), movies.title):
        yield _gap("titles", ("words",), words)
    if np.isnan(aggregates.release_year_I).all() and dataset.has_times:
        yield _gap("years", ("movies-per-year",), words)


def has_no_titles(movie_ids: Sequence[object], titles: Sequence[str]) -> bool:
    """Return whether every title is the id as text."""
    pairs = zip(movie_ids, titles, strict=True)
    return all(str(movie_id) == title for movie_id, title in pairs)


def _gap(name: str, ids: tuple[str, ...], words: Words, **values: object) -> Gap:
    subjects = [subject(id, words) for id in ids]
    names = join_names([text[0].lower() + text[1:] for text in subjects])
    limit = fill(TEXTS["gaps"][name], words, **values)
    return Gap(limit=f"{limit} Left out: {names}.", ids=ids)


def limits(gaps: Sequence[Gap], aggregates: Aggregates) -> tuple[str, ...]:
    """Return what the data does not show: by its kind, then by its gaps."""
    words = aggregates.words
    churn, watching, exposure = TEXTS["limits"]
    if aggregates.watched_count_UW is not None:
        watching = TEXTS["limits-of-plays"]["known"]
    elif not words.are_ratings:
        watching = TEXTS["limits-of-plays"]["unknown" if words.scale is None else "mixed"]
    fixed = [fill(text, words) for text in (churn, watching, exposure)]
    return (*fixed, *(gap.limit for gap in gaps))
