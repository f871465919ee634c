"""Times of the interactions: shares by calendar year, and sessions."""

import numpy as np

from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, texts, unavailable
from marquee.insights.render.formatting import count, percent
from marquee.insights.resample import UserResamples

RECONSTRUCTED = {"da6c4f9d4d542c6ae32c2c60f0b21d725e97fc0adfb936666de4b669998a3265": "ml-1m"}
"""SHA-256 of copies whose times were reconstructed: their order is right, their distances not."""
MIN_YEARS = 3
"""Calendar years that a comparison needs."""
MIN_BURST_PERCENT = 25
"""From this share of the ratings in the first session on, users rate in bursts."""
SESSION_GROUPS = {"1": 1, "2": 2, "3-5": 5, "6-10": 10, "more": np.inf}
"""Users by number of sessions: name and maximum of each group."""


def unusable_times_reason(sha256: str) -> str | None:
    """Return a sentence that says why the times mean nothing; None: they are usable."""
    if sha256 not in RECONSTRUCTED:
        return None
    return (
        "The times of this copy were reconstructed. They give the order of each user's ratings, "
        "but not the time between two ratings."
    )


def ratings_by_year(
    aggregates: Aggregates, resamples: UserResamples, unusable: str | None
) -> Finding:
    """Measure the share of the ratings of each calendar year."""
    years, words = aggregates.years.tolist(), aggregates.words
    if unusable is None and len(years) < MIN_YEARS:
        unusable = f"The {words.ratings} cover only one or two calendar years."
    if unusable is not None:
        return unavailable("ratings-by-year", unusable, words)
    shares = resamples.percent(aggregates.year_count_UY, aggregates.length_U)
    mode = max(range(len(years)), key=lambda row: shares[row].mean)
    return Finding(
        **texts("ratings-by-year", words),
        title=f"The year {years[mode]} alone holds {percent(shares[mode].mean)} of the "
        f"{words.ratings}",
        sentence=f"An even spread over {count(len(years), 'year')} would give each year "
        f"{percent(100 / len(years))}.",
        number=shares[mode],
        meaning=f"of the {words.ratings} are from {years[mode]}",
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="lines",
            title=f"Share of all {words.ratings}, by year of the {words.rating}",
            table={
                "year": years,
                f"% of {words.ratings}": shares,
                f"users who {words.rated}": (aggregates.year_count_UY > 0).sum(0).tolist(),
            },
        ),
    )


def sessions(aggregates: Aggregates, resamples: UserResamples, unusable: str | None) -> Finding:
    """Measure whether users rate or play bit by bit, or all at once."""
    words = aggregates.words
    if unusable is not None:
        return unavailable("sessions", unusable, words)
    one_U = np.ones(aggregates.num_users)
    first_share = resamples.share(aggregates.in_first_session_U / aggregates.length_U, one_U)
    single_share = resamples.share(aggregates.num_sessions_U == 1, one_U)
    group_U = np.searchsorted(list(SESSION_GROUPS.values()), aggregates.num_sessions_U)
    is_burst = first_share.mean >= MIN_BURST_PERCENT
    habit = f"{words.rate} in bursts" if is_burst else f"come back to {words.rate}"
    return Finding(
        **texts("sessions", words),
        title=f"Users {habit}: {percent(first_share.mean)} of their {words.ratings} fall in the "
        "first session",
        sentence=f"A session ends after {count(aggregates.session_gap_s // 3600, 'hour')} without "
        f"{words.a_rating}. {percent(single_share.mean)} of users never come back to "
        f"{words.rate}. That does not mean that they left: "
        f"{'they may still watch' if words.are_ratings else 'the data may end too early'}.",
        number=first_share,
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="columns",
            title="Share of users, by number of sessions",
            table={
                "sessions": list(SESSION_GROUPS),
                "% of users": resamples.percent(
                    group_U[:, None] == np.arange(len(SESSION_GROUPS)), one_U
                ),
            },
        ),
        numbers={"one_session_percent": single_share},
    )
