"""Time: films by release year, with the edge of the data allowed for; ratings by year; sittings."""

import numpy as np

from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import PAUSE_S, WINDOW_YEARS, Tables
from marquee.insights.finding import Chart, Finding, cannot, with_bounds
from marquee.insights.render.formatting import about, count, number, percent
from marquee.insights.resample import Draws, jackknife, scaled

RECONSTRUCTED = {"da6c4f9d4d542c6ae32c2c60f0b21d725e97fc0adfb936666de4b669998a3265": "ml-1m"}
"""Copies of a data set whose times were worked out again, by fingerprint: right in their order, not
in their distances."""
LEAST_YEARS = 6
"""Release years that a trend needs."""
CHART_YEARS = 40
"""The latest release years are drawn."""


def why_no_times(tables: Tables, sha256: str) -> str | None:
    """The sentence that says why times tell nothing here; None where they do."""
    if sha256 in RECONSTRUCTED:
        return (
            "The times of this copy were reconstructed: they give the order of each person's "
            "ratings, but how much time lies between two of them means nothing."
        )
    if tables.first_U.min() == tables.last_U.max():
        return "All ratings bear the same time, so nothing can be said about when they were given."
    return None


def films_per_year(tables: Tables, draws: Draws, no_times: str | None) -> Finding:
    """Whether fewer films come out, or only fewer have been found yet."""
    rows = _rows(tables)
    year = _comparable(tables) if no_times is None else np.zeros(0, np.int64)
    known = [row for row in rows if row[1]]
    chart = _chart(rows[-CHART_YEARS:], year)
    if not known:
        return cannot(
            "films-per-year", "Films per release year cannot be told", "No title gives a year."
        )
    peak = max(known, key=lambda row: row[1])
    last = known[-1]
    plain = (
        f"Counted plainly, the films of this data go from {peak[1]:,} of {peak[0]} to {last[1]:,} "
        "of "
        f"{last[0]}"
    )
    if len(year) < LEAST_YEARS:
        why = no_times or (
            f"Only {count(len(year), 'release year')} can be followed for {WINDOW_YEARS} years."
        )
        return cannot(
            "films-per-year",
            "A decline in films per year cannot be told from the edge of the data",
            f"{plain}. Films of the last years have had less time to be found before the data "
            "ends, "
            f"so that a fall at the end is expected whatever the industry does. {why}",
            chart=chart,
            n=len(tables.movies),
            n_of="films",
            so_what="Do not report a decline, and do not plan on one.",
            how_we_will_know="share of films at most 2 years old in lists (`fresh` in "
            "results/controls-*.json)",
        )
    return _trend(tables, year, plain, chart)


def _chart(rows: list[tuple[int, int, int, int]], comparable: np.ndarray) -> Chart:
    """Found in time is drawn for the years that had that time."""
    columns = (
        "release year",
        "films",
        f"films found within {WINDOW_YEARS} years",
        "ratings in that time",
    )
    if len(comparable):
        title = "Films by release year: all, and those rated by the end of the second year after"
        shown = [row if row[0] in comparable else (*row[:2], None, None) for row in rows]
        return Chart("lines", title, columns, tuple(shown), drawn=(1, 2))
    return Chart("lines", "Films by release year", columns[:2], tuple(row[:2] for row in rows))


def _rows(tables: Tables) -> list[tuple[int, int, int, int]]:
    """Release year, films, films found early, ratings given in those years."""
    known = tables.release_I[~np.isnan(tables.release_I)].astype(np.int64)
    if not len(known):
        return []
    year = np.arange(known.min(), known.max() + 1)
    early = tables.release_I[tables.early_I > 0]
    return [
        (int(each), int((known == each).sum()), int((early == each).sum()), given)
        for each, given in zip(year, _given(tables, year), strict=True)
    ]


def _given(tables: Tables, year: np.ndarray) -> list[int]:
    """Ratings given from each of these years until its window ends."""
    given_Y = tables.year_UY.sum(0, dtype=np.int64)
    return [
        int(given_Y[(tables.years >= each) & (tables.years <= each + WINDOW_YEARS)].sum())
        for each in year
    ]


def _comparable(tables: Tables) -> np.ndarray:
    """Release years whose whole window is in the data, whose first and last year are partial."""
    year = np.arange(tables.years[0] + 1, tables.years[-1] - WINDOW_YEARS)
    given_Y = tables.year_UY.sum(0)[1:-1]
    return year if len(year) and given_Y.min() > 0 else np.zeros(0, np.int64)


def _trend(tables: Tables, year: np.ndarray, plain: str, chart: Chart) -> Finding:
    """The later half of the comparable years against the earlier half."""
    half = len(year) // 2
    found_in = tables.release_I[tables.early_I > 0]
    found = np.array([int((found_in == each).sum()) for each in year])
    alone_UR = tables.early_alone_UR[:, year - tables.years[0]]
    early, late = found[:half].sum(), found[-half:].sum()
    if early == 0:
        return cannot(
            "films-per-year",
            "A decline in films per year cannot be told: no early film was found in time",
            f"{plain}, but none of the films of {year[0]} to {year[half - 1]} was rated within "
            f"{WINDOW_YEARS} years.",
            chart=chart,
        )
    without_U = (late - alone_UR[:, -half:].sum(1)) / np.maximum(
        early - alone_UR[:, :half].sum(1), 1
    )
    change = jackknife(late / early, without_U, 0)
    given = _given(tables, year)
    activity = sum(given[-half:]) / max(sum(given[:half]), 1)
    title, verdict = _verdict(change, activity)
    return Finding(
        "films-per-year",
        title,
        f"{plain}. But films of the last years have had less time to be found. With the same "
        f"{WINDOW_YEARS} years for each, a year of {year[-half]} to {year[-1]} has "
        f"{number(late / half)} films, one of {year[0]} to {year[half - 1]} "
        f"{number(early / half)}: "
        f"{change.mean:.2f} times as many (95% sure: {change.low:.2f} to {change.high:.2f}), with "
        f"{activity:.2f} times as many ratings given. {verdict}",
        change,
        "times",
        f"as many films a year in {year[-half]} to {year[-1]} as before",
        int(found.sum()),
        "films",
        chart,
        "Do not thin out new films; give them room while few have rated them. On ml-1m a freshness "
        "of 0.2 lists a third more new films and costs less than 1% of accuracy.",
        "`freshness` of POST /recommend",
        "Films enter this data by being rated, not by being made: a year without raters looks like "
        "a year without films. The interval leaves out each person once.",
        "`fresh` (share of films at most 2 years old) beside `ndcg@10_ratio` "
        "(results/controls-*.json)",
        numbers={"ratings_times": activity, "first_year": int(year[0]), "last_year": int(year[-1])},
    )


def _verdict(change: Interval, activity: float) -> tuple[str, str]:
    if change.low > 1:
        return "Films per year do not decline: the fall is the edge of the data", (
            "The fall at the end is the edge of the data."
        )
    if change.high >= 1:
        return "No decline in films per year can be shown", (
            "The difference is within what other people in the data would give."
        )
    if activity >= 1:
        return "Fewer films per year are found, even with the same time for each", (
            "So fewer films are found although no fewer ratings are given."
        )
    return "Fewer films per year are found, but fewer ratings are given too", (
        "Fewer raters find fewer films, so this is no sign that fewer are made."
    )


def over_time(tables: Tables, draws: Draws, no_times: str | None) -> Finding:
    """When the ratings were given."""
    if no_times is not None or len(tables.years) < 3:
        return cannot(
            "over-time",
            "When ratings are given cannot be told",
            no_times or "The ratings fall into one calendar year, or two: too few to compare.",
        )
    each = draws.percent(tables.year_UY, tables.length_U)
    active_Y = (tables.year_UY > 0).sum(0)
    rows = tuple(
        (int(year), one.mean, one.low, one.high, int(active))
        for year, one, active in zip(tables.years, each, active_Y, strict=True)
    )
    most = max(range(len(rows)), key=lambda row: each[row].mean)
    even = 100 / len(rows)
    return Finding(
        "over-time",
        f"The year {rows[most][0]} alone holds {percent(each[most].mean)} of the ratings",
        f"{rows[most][0]} has {percent(each[most].mean)} of the ratings of "
        f"{count(len(rows), 'year')}; "
        f"an even year would have {percent(even)}.",
        each[most],
        "%",
        f"of the ratings are of {rows[most][0]}",
        tables.num_people,
        chart=Chart(
            "lines",
            "Share of all ratings, by the year they were given",
            ("year", "% of ratings", "low", "high", "people who rated"),
            rows,
            band=(2, 3),
        ),
        so_what="Judge the recommender by what comes after a date, not by a random part, and train "
        "again as new ratings come.",
        lever="protocol `time` of a recipe; `marquee releases promote` after each training",
        how_sure="The first and the last year may be partial. Ups and downs are of this site and "
        "of how the data was picked, not of watching.",
        how_we_will_know="`ndcg@10` of protocol `time` beside that of `next`",
    )


def sittings(tables: Tables, draws: Draws, no_times: str | None) -> Finding:
    """Whether people rate bit by bit, or all at once."""
    if no_times is not None:
        return cannot(
            "sittings", "How people rate, bit by bit or all at once, cannot be told", no_times
        )
    one_U = np.ones(tables.num_people)
    first = scaled(draws.ratios((tables.in_first_U / tables.length_U)[:, None], one_U)[0], 100)
    once = draws.share(tables.sittings_U == 1, one_U)
    bounds = (1, 2, 5, 10, np.inf)
    names = ("1", "2", "3-5", "6-10", "more")
    row_U = np.searchsorted(bounds, tables.sittings_U)
    shares = draws.percent(row_U[:, None] == np.arange(len(names)), one_U)
    rows = tuple(
        (name, one.mean, one.low, one.high) for name, one in zip(names, shares, strict=True)
    )
    return Finding(
        "sittings",
        f"People rate in bursts: {percent(first.mean)} of their ratings fall in the first sitting"
        if first.mean >= 25
        else f"People come back to rate: {percent(first.mean)} of their ratings fall in the first "
        "sitting",
        f"The average person gives {percent(first.mean)} of their ratings in their first sitting "
        "(one "
        f"that ends with a pause of {PAUSE_S // 3600} hour), and {about(once, '%')} of the people "
        "never come back to rate. Not rating is not leaving: they may go on watching.",
        first,
        "%",
        "of a person's ratings fall in the first sitting",
        tables.num_people,
        chart=Chart(
            "columns",
            "Share of people, by number of sittings",
            ("sittings", "% of people", "low", "high"),
            rows,
            band=(2, 3),
        ),
        so_what="Make the first sitting count: ask for films worth knowing about while the person "
        "is "
        "there, and use each answer in the next list.",
        lever="POST /rate_next; a rating sent to POST /events counts in the next request",
        how_sure="MovieLens asks for ratings before it recommends anything, which makes the first "
        "sitting long.",
        how_we_will_know="learning curve of `ndcg@100` by number of answers "
        "(results/rate-next-*.json), protocol `new-users`",
        numbers={**with_bounds("one_sitting_percent", once)},
    )
