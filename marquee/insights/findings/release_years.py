"""Movies by release year, corrected for the end of the data.

A movie enters the data by its first rating or play, so movies of the last years have had less time
for one. A trend is tested on movies that had one within WINDOW_YEARS of their release, over the
years that had that window.

Local letters: Y release years.
"""

import numpy as np

from marquee.core.arrays import Float64, Int64
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, texts, unavailable
from marquee.insights.item_sums import WINDOW_YEARS
from marquee.insights.render.formatting import count, number
from marquee.insights.resample import jackknife
from marquee.insights.words import Words

ID = "movies-per-year"
MIN_TREND_YEARS = 6
"""Release years that a trend needs."""
MAX_CHART_YEARS = 40
"""The latest release years are drawn."""


def movies_per_year(aggregates: Aggregates, unusable: str | None) -> Finding:
    """Test whether fewer movies come out, or only fewer are rated or played yet.

    aggregates: the year of some movie is known.
    """
    release_year_I, words = aggregates.release_year_I, aggregates.words
    first, last = int(np.nanmin(release_year_I)), int(np.nanmax(release_year_I))
    year_Y = np.arange(first, last + 1)
    num_movies_Y = _count_by_year(release_year_I, year_Y)
    comparable_Y = _comparable_years(aggregates) if unusable is None else year_Y[:0]
    chart = _chart(aggregates, year_Y[-MAX_CHART_YEARS:], comparable_Y)
    counts = (
        f"The plain count peaks at {count(int(num_movies_Y.max()), 'movie')} in "
        f"{year_Y[num_movies_Y.argmax()]}. It ends at {count(int(num_movies_Y[-1]), 'movie')} in "
        f"{last}. Recent movies have had less time to be {words.rated}."
    )
    if len(comparable_Y) >= MIN_TREND_YEARS:
        early_year_I = release_year_I[aggregates.early_count_I > 0]
        num_early_Y = _count_by_year(early_year_I, comparable_Y)
        if num_early_Y[: len(comparable_Y) // 2].any():
            return _trend(aggregates, comparable_Y, num_early_Y, counts, chart)
        unusable = f"No movie of the earlier years was {words.rated} within {WINDOW_YEARS} years."
    if not len(comparable_Y):
        unusable = unusable or (
            f"No release year has {words.ratings} for {WINDOW_YEARS} years afterwards."
        )
    reason = unusable or (
        f"Only {count(len(comparable_Y), 'release year has', 'release years have')} "
        f"{words.ratings} for {WINDOW_YEARS} years afterwards."
    )
    reason = f"{counts} So the data shows a fall at the end in any case. {reason}"
    return unavailable(ID, reason, words, n=len(aggregates.movies), chart=chart)


def _count_by_year(value_I: Float64, year_Y: Int64) -> Int64:
    return np.array([(value_I == year).sum() for year in year_Y], np.int64)


def _window_ratings(aggregates: Aggregates, year_Y: Int64) -> Int64:
    """Return the number of ratings from each of these years until its window ends."""
    num_ratings = aggregates.year_count_UY.sum(0, dtype=np.int64)
    age_YY = aggregates.years - year_Y[:, None]
    return ((age_YY >= 0) & (age_YY <= WINDOW_YEARS)) @ num_ratings


def _comparable_years(aggregates: Aggregates) -> Int64:
    """Return the release years whose whole window is in the data.

    The first and the last year of the data are partial and do not count.
    """
    year_Y = np.arange(aggregates.years[0] + 1, aggregates.years[-1] - WINDOW_YEARS)
    num_ratings = aggregates.year_count_UY.sum(0)[1:-1]
    return year_Y if len(year_Y) and num_ratings.min() > 0 else year_Y[:0]


def _chart(aggregates: Aggregates, year_Y: Int64, comparable_Y: Int64) -> Chart:
    """Draw all movies, and early ratings for the years that had the whole window."""
    release_year_I = aggregates.release_year_I
    early_year_I = release_year_I[aggregates.early_count_I > 0]
    words = aggregates.words
    early, title = f"movies {words.rated} within {WINDOW_YEARS} years", "Movies by release year"
    columns = {
        "release year": year_Y.tolist(),
        "movies": _count_by_year(release_year_I, year_Y).tolist(),
    }
    if not len(comparable_Y):
        return Chart.from_table(kind="lines", title=title, table=columns)
    for name, count_Y in {
        early: _count_by_year(early_year_I, year_Y),
        f"{words.ratings} in that time": _window_ratings(aggregates, year_Y),
    }.items():
        pairs = zip(count_Y.tolist(), np.isin(year_Y, comparable_Y), strict=True)
        columns[name] = [size if is_comparable else None for size, is_comparable in pairs]
    title += f": all, and those {words.rated} by the end of the second year after"
    return Chart.from_table(kind="lines", title=title, table=columns, drawn=("movies", early))


def _trend(
    aggregates: Aggregates, year_Y: Int64, num_early_Y: Int64, counts: str, chart: Chart
) -> Finding:
    """Compare the later half of the comparable years with the earlier half."""
    half, words = len(year_Y) // 2, aggregates.words
    only_UY = aggregates.early_only_UY[:, year_Y - aggregates.years[0]]
    before, after = num_early_Y[:half].sum(), num_early_Y[-half:].sum()
    without_U = (after - only_UY[:, -half:].sum(1)) / np.maximum(
        before - only_UY[:, :half].sum(1), 1
    )
    change = jackknife(after / before, without_U, 0)
    num_ratings_Y = _window_ratings(aggregates, year_Y)
    activity = num_ratings_Y[-half:].sum() / max(num_ratings_Y[:half].sum(), 1)
    title, conclusion = _verdict(change, activity, words)
    return Finding(
        **texts("movies-per-year", words),
        title=title,
        sentence=f"{counts} So this finding counts the movies {words.rated} within {WINDOW_YEARS} "
        f"years of their release. Earlier years: {year_Y[0]} to {year_Y[half - 1]}. Later years: "
        f"{year_Y[-half]} to {year_Y[-1]}. On average, an earlier year has {number(before / half)} "
        f"movies, a later year {number(after / half)}. In the later years users "
        f"{words.gave} {activity:.2f} times as many {words.ratings}. {conclusion}",
        number=change,
        unit="times",
        n=int(num_early_Y.sum()),
        chart=chart,
        numbers={
            "ratings_times": float(activity),
            "first_year": int(year_Y[0]),
            "last_year": int(year_Y[-1]),
        },
    )


def _verdict(change: Interval, activity: float, words: Words) -> tuple[str, str]:
    """Return the title and the concluding sentence."""
    if change.low > 1:
        return (
            "Movies per year do not decline: the fall is the end of the data",
            "The fall in the plain count comes from the end of the data.",
        )
    if change.high >= 1:
        return (
            "No clear decline in movies per year",
            "The interval includes 1, so the difference may be chance.",
        )
    if activity >= 1:
        return (
            f"Fewer movies per year are {words.rated}, even with equal time for each",
            f"Users {words.gave} no fewer {words.ratings}, but {words.rated} fewer new movies.",
        )
    return (
        f"Fewer movies per year are {words.rated}, "
        f"but fewer {words.ratings} are {words.counted} too",
        f"Fewer {words.ratings} reach fewer movies, so this is no sign of fewer releases.",
    )
