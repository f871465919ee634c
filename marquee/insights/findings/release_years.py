"""Movies by release year, corrected for the edge of the data.

A movie enters the data by being rated, so the last years have had less time to be found. A trend is
tested on movies that were rated within WINDOW_YEARS of their release, over the years that had that
window.

Local letters: Y release years.
"""

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import WINDOW_YEARS, Aggregates
from marquee.insights.finding import Chart, Finding, unavailable
from marquee.insights.render.formatting import count, number
from marquee.insights.resample import jackknife

ID = "films-per-year"
MIN_TREND_YEARS = 6
"""Release years that a trend needs."""
MAX_CHART_YEARS = 40
"""The latest release years are drawn."""


def movies_per_year(aggregates: Aggregates, unusable: str | None) -> Finding:
    """Test whether fewer movies come out, or only fewer have been rated so far."""
    rows = _rows(aggregates)
    year_Y = _comparable_years(aggregates) if unusable is None else np.zeros(0, np.int64)
    filled = [row for row in rows if row[1]]
    chart = _chart(rows[-MAX_CHART_YEARS:], year_Y)
    if not filled:
        return unavailable(
            id=ID,
            title="Movies per release year: not enough data to tell",
            reason="No title gives a year.",
        )
    peak, last = max(filled, key=lambda row: row[1]), filled[-1]
    counts = (
        f"Counted plainly, the movies of this data go from {peak[1]:,} of {peak[0]} to "
        f"{last[1]:,} of {last[0]}"
    )
    if len(year_Y) < MIN_TREND_YEARS:
        reason = unusable or (
            f"Only {count(len(year_Y), 'release year')} can be followed for {WINDOW_YEARS} years."
        )
        return unavailable(
            id=ID,
            title="A decline in movies per year, or the edge of the data? Not enough data to tell",
            reason=f"{counts}. Movies of the last years have had less time to be rated before the "
            f"data ends. So a fall at the end is expected whatever the industry does. {reason}",
            chart=chart,
            n=len(aggregates.movies),
            unit_of_n="movies",
            action="Do not report a decline, and do not plan on one.",
            how_we_will_know="share of movies at most 2 years old in lists (`fresh` in "
            "results/controls-*.json)",
        )
    return _trend(aggregates, year_Y, counts, chart)


def _chart(rows: list[tuple[int, int, int, int]], comparable_Y: Int64) -> Chart:
    """Draw early ratings only for the years that had the whole window."""
    columns = (
        "release year",
        "movies",
        f"movies rated within {WINDOW_YEARS} years",
        "ratings in that time",
    )
    if not len(comparable_Y):
        return Chart(
            kind="lines",
            title="Movies by release year",
            columns=columns[:2],
            rows=tuple(row[:2] for row in rows),
        )
    return Chart(
        kind="lines",
        title="Movies by release year: all, and those rated by the end of the second year after",
        columns=columns,
        rows=tuple(row if row[0] in comparable_Y else (*row[:2], None, None) for row in rows),
        drawn_columns=(1, 2),
    )


def _rows(aggregates: Aggregates) -> list[tuple[int, int, int, int]]:
    """Return release year, movies, movies rated early, ratings given in those years."""
    release_year_I = aggregates.release_year_I
    known = release_year_I[~np.isnan(release_year_I)].astype(np.int64)
    if not len(known):
        return []
    year_Y = np.arange(known.min(), known.max() + 1)
    early = release_year_I[aggregates.early_count_I > 0]
    return [
        (int(year), int((known == year).sum()), int((early == year).sum()), num_ratings)
        for year, num_ratings in zip(year_Y, _window_ratings(aggregates, year_Y), strict=True)
    ]


def _window_ratings(aggregates: Aggregates, year_Y: Int64) -> list[int]:
    """Return the number of ratings from each of these years until its window ends."""
    num_ratings = aggregates.year_count_UY.sum(0, dtype=np.int64)
    years = aggregates.years
    return [
        int(num_ratings[(years >= year) & (years <= year + WINDOW_YEARS)].sum()) for year in year_Y
    ]


def _comparable_years(aggregates: Aggregates) -> Int64:
    """Return the release years whose whole window is in the data.

    The first and the last year of the data are partial and do not count.
    """
    year_Y = np.arange(aggregates.years[0] + 1, aggregates.years[-1] - WINDOW_YEARS)
    num_ratings = aggregates.year_count_UY.sum(0)[1:-1]
    return year_Y if len(year_Y) and num_ratings.min() > 0 else np.zeros(0, np.int64)


def _trend(aggregates: Aggregates, year_Y: Int64, counts: str, chart: Chart) -> Finding:
    """Compare the later half of the comparable years with the earlier half."""
    half = len(year_Y) // 2
    early_years = aggregates.release_year_I[aggregates.early_count_I > 0]
    num_early_Y = np.array([int((early_years == year).sum()) for year in year_Y])
    only_UY = aggregates.early_only_UY[:, year_Y - aggregates.years[0]]
    before, after = num_early_Y[:half].sum(), num_early_Y[-half:].sum()
    if before == 0:
        return unavailable(
            id=ID,
            title="A decline in movies per year: not enough data to tell, no early movie was rated "
            "in time",
            reason=f"{counts}, but none of the movies of {year_Y[0]} to {year_Y[half - 1]} was "
            f"rated within {WINDOW_YEARS} years.",
            chart=chart,
        )
    without_U = (after - only_UY[:, -half:].sum(1)) / np.maximum(
        before - only_UY[:, :half].sum(1), 1
    )
    change = jackknife(after / before, without_U, 0)
    num_ratings = _window_ratings(aggregates, year_Y)
    activity = sum(num_ratings[-half:]) / max(sum(num_ratings[:half]), 1)
    title, conclusion = _verdict(change, activity)
    return Finding(
        id=ID,
        title=title,
        sentence=f"{counts}. But movies of the last years have had less time to be rated. With "
        f"the same {WINDOW_YEARS} years for each, a year of {year_Y[-half]} to {year_Y[-1]} has "
        f"{number(after / half)} movies, one of {year_Y[0]} to {year_Y[half - 1]} "
        f"{number(before / half)}: {change.mean:.2f} times as many (95% interval: "
        f"{change.low:.2f} to {change.high:.2f}), with {activity:.2f} times as many ratings given. "
        f"{conclusion}",
        number=change,
        unit="times",
        meaning=f"as many movies a year in {year_Y[-half]} to {year_Y[-1]} as before",
        n=int(num_early_Y.sum()),
        unit_of_n="movies",
        chart=chart,
        action="Do not thin out new movies; give them room while few have rated them. On ml-1m a "
        "freshness of 0.2 lists a third more new movies and costs less than 1% of accuracy.",
        lever="`freshness` of POST /recommend",
        how_sure="Movies enter this data by being rated, not by being made: a year without raters "
        "looks like a year without movies. The interval leaves out each person once.",
        how_we_will_know="`fresh` (share of movies at most 2 years old) beside `ndcg@10_ratio` "
        "(results/controls-*.json)",
        numbers={
            "ratings_times": activity,
            "first_year": int(year_Y[0]),
            "last_year": int(year_Y[-1]),
        },
    )


def _verdict(change: Interval, activity: float) -> tuple[str, str]:
    """Return the title and the concluding sentence."""
    if change.low > 1:
        return "Movies per year do not decline: the fall is the edge of the data", (
            "The fall at the end is the edge of the data."
        )
    if change.high >= 1:
        return "No decline in movies per year can be shown", (
            "The difference is within what other people in the data would give."
        )
    if activity >= 1:
        return "Fewer movies per year are rated, even with the same time for each", (
            "So fewer movies are rated although no fewer ratings are given."
        )
    return "Fewer movies per year are rated, but fewer ratings are given too", (
        "Fewer raters reach fewer movies, so this is no sign that fewer are made."
    )
