"""Times of the ratings: shares by calendar year, and sessions."""

import numpy as np

from marquee.insights.aggregates import SESSION_GAP_S, Aggregates
from marquee.insights.finding import Chart, Finding, unavailable, with_bounds
from marquee.insights.render.formatting import count, percent, with_interval
from marquee.insights.resample import UserResamples, scaled

RECONSTRUCTED = {"da6c4f9d4d542c6ae32c2c60f0b21d725e97fc0adfb936666de4b669998a3265": "ml-1m"}
"""SHA-256 of copies whose times were reconstructed: their order is right, their distances not."""
MIN_YEARS = 3
"""Calendar years that a comparison needs."""
MIN_BURST_PERCENT = 25
"""From this share of the ratings in the first session on, people rate in bursts."""
SESSION_GROUPS = {"1": 1, "2": 2, "3-5": 5, "6-10": 10, "more": np.inf}
"""Users by number of sessions: name and maximum of each group."""


def unusable_times_reason(aggregates: Aggregates, sha256: str) -> str | None:
    """Return a sentence that says why the times mean nothing; None: they are usable."""
    if sha256 in RECONSTRUCTED:
        return (
            "The times of this copy were reconstructed: they give the order of each person's "
            "ratings, but how much time lies between two of them means nothing."
        )
    if aggregates.first_time_U.min() == aggregates.last_time_U.max():
        return "All ratings have the same time, so nothing can be said about when they were given."
    return None


def ratings_by_year(
    aggregates: Aggregates, resamples: UserResamples, unusable: str | None
) -> Finding:
    """Measure the share of the ratings of each calendar year."""
    if unusable is not None or len(aggregates.years) < MIN_YEARS:
        return unavailable(
            id="over-time",
            title="Ratings by year: not enough data to tell",
            reason=unusable
            or "The ratings fall into one calendar year, or two: too few to compare.",
        )
    shares = resamples.percent(aggregates.year_count_UY, aggregates.length_U)
    active_Y = (aggregates.year_count_UY > 0).sum(0)
    rows = tuple(
        (int(year), share.mean, share.low, share.high, int(active))
        for year, share, active in zip(aggregates.years, shares, active_Y, strict=True)
    )
    mode = max(range(len(rows)), key=lambda row: shares[row].mean)
    year, share, even_share = rows[mode][0], shares[mode], 100 / len(rows)
    return Finding(
        id="over-time",
        title=f"The year {year} alone holds {percent(share.mean)} of the ratings",
        sentence=f"{year} has {percent(share.mean)} of the ratings of {count(len(rows), 'year')}; "
        f"an even year would have {percent(even_share)}.",
        number=share,
        unit="%",
        meaning=f"of the ratings are of {year}",
        n=aggregates.num_users,
        chart=Chart(
            kind="lines",
            title="Share of all ratings, by the year they were given",
            columns=("year", "% of ratings", "low", "high", "people who rated"),
            rows=rows,
            interval_columns=(2, 3),
        ),
        action="Judge the recommender by what comes after a date, not by a random part, and train "
        "again as new ratings come.",
        lever="protocol `time` of a recipe; `marquee releases promote` after each training",
        how_sure="The first and the last year may be partial. Ups and downs are of this site and "
        "of how the data was picked, not of watching.",
        how_we_will_know="`ndcg@10` of protocol `time` beside that of `next`",
    )


def sessions(aggregates: Aggregates, resamples: UserResamples, unusable: str | None) -> Finding:
    """Measure whether people rate bit by bit, or all at once."""
    if unusable is not None:
        return unavailable(
            id="sittings",
            title="Rating bit by bit or all at once: not enough data to tell",
            reason=unusable,
        )
    one_U = np.ones(aggregates.num_users)
    first_share_U = aggregates.in_first_session_U / aggregates.length_U
    first = scaled(resamples.ratios(first_share_U[:, None], one_U)[0], 100)
    once = resamples.share(aggregates.num_sessions_U == 1, one_U)
    group_U = np.searchsorted(list(SESSION_GROUPS.values()), aggregates.num_sessions_U)
    shares = resamples.percent(group_U[:, None] == np.arange(len(SESSION_GROUPS)), one_U)
    rows = tuple(
        (name, share.mean, share.low, share.high)
        for name, share in zip(SESSION_GROUPS, shares, strict=True)
    )
    is_burst = first.mean >= MIN_BURST_PERCENT
    return Finding(
        id="sittings",
        title=f"People {'rate in bursts' if is_burst else 'come back to rate'}: "
        f"{percent(first.mean)} of their ratings fall in the first session",
        sentence=f"The average person gives {percent(first.mean)} of their ratings in their first "
        f"session (one that ends with a pause of {SESSION_GAP_S // 3600} hour), and "
        f"{with_interval(once, '%')} of the people never come back to rate. Not rating is not "
        "leaving: they may go on watching.",
        number=first,
        unit="%",
        meaning="of a person's ratings fall in the first session",
        n=aggregates.num_users,
        chart=Chart(
            kind="columns",
            title="Share of people, by number of sessions",
            columns=("sessions", "% of people", "low", "high"),
            rows=rows,
            interval_columns=(2, 3),
        ),
        action="Make the first session count: ask for movies worth knowing about while the person "
        "is there, and use each answer in the next list.",
        lever="POST /rate_next; a rating sent to POST /events counts in the next request",
        how_sure="MovieLens asks for ratings before it recommends anything, which makes the first "
        "session long.",
        how_we_will_know="learning curve of `ndcg@100` by number of answers "
        "(results/rate-next-*.json), protocol `new-users`",
        numbers={**with_bounds("one_sitting_percent", once)},
    )
