"""For you: rows of movies, filters, and controls of their order.

All rows are one request (`/recommend_batch`). The rows about particular movies (similar to a liked
one, hidden gems, new ones) request the user's own order of those movies.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import streamlit as st

from app_pages import address, api, parameters, rating_scale, state, widgets
from marquee_client import label
from marquee_client.requests import ChartKind, Filters, RecommendRequest
from marquee_client.types import HistoryItem, Movie, MovieId, RecommendResponse

ROW_LENGTH = 12
DECADES = {"Any time": (None, None), "Before 1960": (None, 1959)} | {
    f"{year}s": (year, year + 9) for year in range(1960, 2030, 10)
}
CONTROLS = {
    "novelty": ("Surprise me", "leaves out the best-known movies"),
    "calibration": ("Match my mix", "moves towards the genres of what you rated"),
    "diversity": ("Variety", "keeps movies apart that are alike"),
    "freshness": ("Freshness", "moves towards the newest years"),
}


CHART_ROWS: dict[ChartKind, tuple[str, str]] = {
    "hidden_gems": ("Hidden gems", "Loved by the few who saw them."),
    "new": ("New to the catalog", "The newest years."),
}


class Row(NamedTuple):
    """A row of the page; its query holds what differs from the other rows."""

    key: str
    name: str
    note: str
    query: RecommendRequest


@st.fragment
@widgets.page
def show() -> None:
    st.title(f"For {widgets.plain(state.name()) or 'you'}", anchor=False)
    ratings = api.answers(api.history())
    filters, controls = settings()
    num_missing = widgets.MIN_RATINGS - len(ratings)
    if num_missing > 0:
        popular = widgets.worded("what most people like", "what most people watch")
        source = "your tastes" if state.mix() else popular
        st.info(
            f"Your lists rest on {source} so far. **{widgets.worded('Rate', 'Mark')} {num_missing} "
            f"more movie{'s' * (num_missing > 1)}** to make them yours.",
            icon=":material/star:",
        )
        rate = widgets.worded("Rate movies you have seen", "Mark movies you have seen")
        widgets.link(widgets.RATE_PAGE, rate)
    rows = make_rows(ratings, filters, controls)
    shared: RecommendRequest = api.user() | {"filters": filters}
    queries: list[RecommendRequest] = [
        {**shared, "k": ROW_LENGTH * number, "explain": row.key == "top", **row.query}
        for number, row in enumerate(rows, 1)  # long enough to skip the movies of the rows above
    ]
    used_ids: set[MovieId] = set()
    for row, response in zip(rows, api.recommend_batch(queries), strict=True):
        unused = [item for item in response["items"] if item["movie_id"] not in used_ids]
        movies = unused[:ROW_LENGTH]
        used_ids |= widgets.movie_ids(movies)
        if row.key == "top":
            empty = "No movie fits these filters. Widen the years or remove a genre."
            widgets.row(row.name, movies, row.key, row.note, empty=empty)
            explain(response)
        else:
            widgets.row(row.name, movies, row.key, row.note)


def settings() -> tuple[Filters, RecommendRequest]:
    with st.expander("Filters and controls", icon=":material/tune:", key="controls"):
        filters = filter_widgets()
        names = {name: text for name, text in CONTROLS.items() if works(name)}
        columns = st.columns(len(names), gap="medium")
        controls = {
            control: column.slider(
                name, 0.0, 1.0, step=0.1, help=text, **address.bound(control, 0.0, parameters.share)
            )
            for column, (control, (name, text)) in zip(columns, names.items(), strict=True)
        }
    return (
        cast(Filters, {name: value for name, value in filters.items() if value}),
        cast(RecommendRequest, {name: value for name, value in controls.items() if value}),
    )


def filter_widgets() -> dict[str, Any]:
    """Show the filters by what the catalog knows: genres, years, both or neither."""
    left, right = st.columns(2, gap="large")
    filters: dict[str, Any] = {}
    if names := api.genres():
        in_genres = address.bound("genres", [], parameters.one_of(names))
        filters["genres"] = left.multiselect("Genres (any of them)", names, **in_genres)
    if api.has_years():
        of_decade = address.bound("decade", next(iter(DECADES)), parameters.one_of(DECADES))
        decade = (right if names else left).selectbox("From", list(DECADES), **of_decade)
        filters["year_min"], filters["year_max"] = DECADES[decade]
    return filters


def works(control: str) -> bool:
    """Return whether the catalog knows what a control goes by."""
    needs = {"calibration": api.genres, "freshness": api.has_years}
    return control not in needs or bool(needs[control]())


def make_rows(
    ratings: Sequence[HistoryItem], filters: Filters, controls: RecommendRequest
) -> list[Row]:
    # The genre mix that a user set counts until their ratings say more, and with calibration.
    has_few_ratings = len(ratings) < widgets.MIN_RATINGS
    top = controls | {"exclude_ids": best_known(controls.get("novelty", 0.0))}
    if has_few_ratings or "calibration" in controls:
        top |= api.genre_profile()
    stretch: RecommendRequest = {"novelty": 1.0, "diversity": 0.5, "exclude_ids": best_known(1.0)}
    if has_few_ratings:
        stretch |= api.genre_profile()
    charts = [
        Row(kind, name, note, only(api.chart(kind, filters=filters)))
        for kind, (name, note) in CHART_ROWS.items()
        if kind in api.charts()
    ]
    return [
        Row("top", "Top picks", "What you are most likely to watch next.", top),
        *liked_row(ratings),
        Row("stretch", "A stretch", "Further from the beaten track, still yours.", stretch),
        *charts,
    ]


def liked_row(ratings: Sequence[HistoryItem]) -> list[Row]:
    """Return a row of movies like the best-liked one (the newest of equals), if any.

    Without ratings it is like the one that was watched last.
    """
    known, scale = [entry for entry in ratings if "title" in entry], api.scale()
    if scale:
        known = [entry for entry in known if entry["stars"] >= rating_scale.liked(scale)]
    if not known:
        return []
    favourite = max(known, key=lambda entry: entry["stars"]) if scale else known[0]
    note = "Movies like it, in your order."
    if scale:
        note += f" You gave it {favourite['stars']:g} ★."
    similar = api.similar(favourite["movie_id"])
    name = f"Because you {widgets.worded('liked', 'watched')} {favourite['title']}"
    return [Row("liked", name, note, only(similar))]


def best_known(strength: float) -> list[MovieId]:
    """Return the ids that novelty leaves out; in small data its re-ranking is weak."""
    movies = api.chart("popular")
    return [movie["movie_id"] for movie in movies[: round(strength * len(movies))]]


def only(movies: Sequence[Movie]) -> RecommendRequest:
    return {"include_ids": [movie["movie_id"] for movie in movies]}


def explain(response: RecommendResponse) -> None:
    """Show the reasons of the top row: without any of them the movie would score less."""
    if response["strategy"] == "popular" or not response["items"]:
        return
    with st.expander("Because: what put these movies here", icon=":material/help:", key="because"):
        for item in response["items"]:
            titles = ", ".join(map(widgets.plain, widgets.reasons(item)))
            reason = f"because of {titles}" if titles else "your taste as a whole, no single movie"
            st.markdown(f"**{widgets.plain(label(item))}**: {reason}")


show()
