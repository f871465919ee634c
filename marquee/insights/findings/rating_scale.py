"""Stars: how they are spread over ratings and over films, and who uses how much of the scale."""

import numpy as np

from marquee.evaluation.metrics.rating import RATERS, kinds_of_counts
from marquee.insights.aggregates import LIKED, PRIOR_RATINGS, Tables
from marquee.insights.finding import Chart, Finding, with_bounds
from marquee.insights.findings.movies import ENOUGH
from marquee.insights.render.formatting import about, percent
from marquee.insights.resample import Draws, jackknife

KINDS = {
    "high": "nearly always high",
    "harsh": "harshly",
    "full-range": "at both ends",
    "other": "in the middle",
}
"""Plain names of marquee.evaluation.metrics.rating.RATERS, which says what each is."""


def ratings(tables: Tables, draws: Draws) -> Finding:
    """The distribution of ratings, in percent."""
    each = draws.percent(tables.star_UK, tables.length_U)
    is_liked = np.asarray(tables.scale) >= LIKED
    liked = draws.share(tables.star_UK[:, is_liked].sum(1), tables.length_U)
    low = draws.share(tables.star_UK[:, np.asarray(tables.scale) <= 2].sum(1), tables.length_U)
    rows = tuple(
        (label(value), one.mean, one.low, one.high)
        for value, one in zip(tables.scale, each, strict=True)
    )
    most = max(range(len(rows)), key=lambda row: each[row].mean)
    return Finding(
        "ratings",
        f"{percent(liked.mean)} of all ratings are 4 stars or more",
        f"{percent(liked.mean)} of the ratings are 4 stars or more and {about(low, '%')} are 2 or "
        f"less; the most given value is {rows[most][0]} stars. People choose what they watch, and "
        "rate what they chose: low ratings are rare because disliked films are not picked, not "
        "because there are none.",
        liked,
        "%",
        "of the ratings are 4 stars or more",
        tables.num_people,
        chart=Chart(
            "columns",
            "Share of all ratings, by stars",
            ("stars", "% of ratings", "low", "high"),
            rows,
            band=(2, 3),
        ),
        so_what="Do not wait for low stars: ask for dislikes in one tap, and read 3 stars as a "
        "warning. How far stars mislead is known from simulated people only: their true error "
        "over all films was 0.80 stars where rated films said 0.57.",
        lever='`kind: "not_interested"` of POST /events; `stars.p_like` on every card',
        how_sure="These are the ratings people chose to give. What they think of the other films "
        "is "
        "not in the data.",
        how_we_will_know="`ece` of P(4 or more) below 0.02, protocol `stars`; "
        "`results/simulated.selection.json` for what choosing does to `rmse`",
        numbers={"mean_stars": tables.mean_stars, **with_bounds("low_percent", low)},
    )


def label(value: float) -> str:
    """ "4", "4.5"."""
    return f"{value:g}"


def films_by_mean(tables: Tables, draws: Draws) -> Finding:
    """The distribution of films by their mean stars."""
    mean_I, films = tables.drawn_in_I, len(tables.movies)
    loved = int((mean_I >= LIKED).sum())
    left_U = films - tables.edge_US[:, 0]
    without_U = np.where(
        left_U > 0, (loved + tables.loved_U - tables.loved_alone_U) / np.maximum(left_U, 1), 0
    )
    share = jackknife(100 * loved / films, 100 * without_U, 0, 100)
    edges = np.arange(np.floor(2 * tables.scale[0]) / 2, tables.scale[-1] + 0.25, 0.25)
    count_B, _ = np.histogram(mean_I, edges)
    rows = tuple(
        (f"{low:.2f}", 100 * int(size) / films, int(size))
        for low, size in zip(edges, count_B, strict=False)
    )
    kept = [row for row, each in enumerate(rows) if each[2]]
    plain_I = tables.stars_I >= LIKED * tables.count_I
    who = f"{percent(share.mean)} of the films average" if loved else "No film averages"
    lone = int((plain_I & (tables.count_I < ENOUGH)).sum())
    return Finding(
        "films-by-mean",
        f"{who} 4 stars or more on more than a few opinions",
        f"Of {films:,} films {int(plain_I.sum()):,} have a plain mean of 4 or more, {lone:,} of "
        f"them by fewer than {ENOUGH} ratings. {loved:,} keep it when {PRIOR_RATINGS} ratings of "
        f"{tables.mean_stars:.2f} stars, the mean of all, are added to each film, so that none "
        "stands by one opinion alone; the chart shows these means.",
        share,
        "%",
        f"of the films average 4 stars or more, {PRIOR_RATINGS} ratings at the overall mean added",
        films,
        "films",
        Chart(
            "columns",
            "Share of films, by mean stars (from)",
            ("mean stars from", "% of films", "films"),
            rows[kept[0] : kept[-1] + 1],
        ),
        "Sort “top rated” by this mean: a film then needs several good ratings to lead.",
        '`kind: "hidden_gems"` of POST /charts, which sorts by the least stars to expect',
        "Films are rated by those who picked them, so a mean says how the film's own audience "
        "liked it, not how anybody would.",
        "No film with fewer than 5 ratings in `hidden_gems` (tests); `rmse` and "
        "`coverage@90/support=…`, protocol `stars`",
        numbers={"films_liked": loved, "films_liked_by_plain_mean": int(plain_I.sum())},
    )


def raters(tables: Tables, draws: Draws) -> Finding:
    """Who uses how much of the scale."""
    kind_U = kinds_of_counts(tables.star_UK, tables.scale)
    is_UK = kind_U[:, None] == np.arange(len(RATERS))
    people = draws.percent(is_UK, np.ones(tables.num_people))
    stars_U = tables.star_UK @ np.asarray(tables.scale)
    means = draws.ratio_each(is_UK * stars_U[:, None], is_UK * tables.length_U[:, None])
    used_U = (tables.star_UK > 0).sum(1)
    used = draws.ratio_each(is_UK * used_U[:, None], is_UK)
    rows = tuple(
        (KINDS[name], people[k].mean, people[k].low, people[k].high, means[k].mean, used[k].mean)
        for k, name in enumerate(RATERS)
    )
    wide, high, harsh = (people[RATERS.index(kind)] for kind in ("full-range", "high", "harsh"))
    who = f"{percent(wide.mean)} of the people use" if wide.mean else "Nobody uses"
    return Finding(
        "raters",
        f"{who} both ends of the scale" + (", the others more of one part" if wide.mean else ""),
        f"{about(high, '%')} of the people give 4 stars or more nine times in ten, and "
        f"{about(harsh, '%')} have a mean below 3. Another {percent(wide.mean)} give at least "
        f"every tenth film {_ends(tables.scale)}. So 4 stars do not mean the same from everybody.",
        wide,
        "%",
        "of the people use both ends of the scale",
        tables.num_people,
        chart=Chart(
            "bars",
            "Share of people, by how they use the scale",
            ("kind of rater", "% of people", "low", "high", "mean stars", "values used"),
            rows,
            band=(2, 3),
        ),
        so_what="Show stars on the person's own scale and remind them of past ratings while they "
        "rate; expect fewer surprises for those at the ends of the scale.",
        lever="the star model, which has a scale of its own for everybody (`stars` of each item)",
        how_sure="The kinds are made from the stars themselves, so their means differ by "
        "construction. Whether somebody is kind or picks well cannot be told apart.",
        how_we_will_know="`rmse/rater=high`, `harsh`, `full-range`, `other`, protocol `stars`",
        numbers={
            f"{what}/{name}": float(found[k].mean)
            for what, found in (("people_percent", people), ("mean_stars", means), ("values", used))
            for k, name in enumerate(RATERS)
        },
    )


def _ends(scale: tuple[float, ...]) -> str:
    """ "1 or 2 stars, and at least every tenth 4 or 5": the two values at each end."""
    low, high = (f"{label(a)} or {label(b)}" for a, b in (scale[:2], scale[-2:]))
    return f"{low} stars, and at least every tenth {high}"
