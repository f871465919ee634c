"""For you: rows of movies, filters, and controls of their order.

All rows are one request (`/recommend_batch`). The rows about particular movies (similar to a liked
one, hidden gems, new ones) request the user's own order of those movies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from app_pages import api, rating_scale, state, widgets
from marquee_client.requests import ChartKind, Filters, RecommendRequest
from marquee_client.types import HistoryItem, Movie, RecommendedMovie, RecommendResponse

ROW_LENGTH = 12
MIN_LIKED_STARS = 4.0
DECADES = {"Any time": (None, None), "Before 1960": (None, 1959)} | {
    f"{year}s": (year, year + 9) for year in range(1960, 2030, 10)
}
CONTROLS = {
    "novelty": (
        "Surprise me",
        "leaves out the best-known movies, away from what everybody watches",
    ),
    "calibration": ("Match my mix", "towards the genres of what you rated"),
    "diversity": ("Variety", "away from movies that are alike"),
    "freshness": ("Freshness", "towards the newest years"),
}
PERSISTENT: dict[str, Any] = {"persist_state": "session"}
"""Settings of this page outlive a look at another one."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the page and its part of the request."""

    key: str
    name: str
    note: str
    query: RecommendRequest
    """Fields beside those of every row: user, length and filters."""


@st.fragment
@widgets.page
def show() -> None:
    st.title(f"For {widgets.plain(state.name()) or 'you'}", anchor=False)
    history = api.service().history(state.me())["items"]
    filters, controls = settings()
    welcome(history)
    rows = make_rows(rating_scale.rated_items(history), filters, controls)
    used_ids: set[int] = set()
    for row, response in zip(rows, request(rows, filters), strict=True):
        movies = take_unused(response["items"], used_ids)
        widgets.row(row.name, movies, row.key, row.note, empty_message(row))
        if row.key == "top":
            explain(response)


def settings() -> tuple[Filters, RecommendRequest]:
    """Show the settings, and return the filters and the controls above 0."""
    with st.expander("Filters and controls", icon=":material/tune:", key="controls"):
        left, right = st.columns(2, gap="large")
        genres = left.multiselect("Genres (any of them)", api.genres(), key="genres", **PERSISTENT)
        decade = right.selectbox("From", list(DECADES), key="decade", **PERSISTENT)
        columns = st.columns(len(CONTROLS), gap="medium")
        controls = {
            control: column.slider(name, 0.0, 1.0, 0.0, 0.1, key=control, help=text, **PERSISTENT)
            for column, (control, (name, text)) in zip(columns, CONTROLS.items(), strict=True)
        }
    year_min, year_max = DECADES[decade]
    filters: Filters = {}
    if genres:
        filters["genres"] = genres
    if year_min is not None:
        filters["year_min"] = year_min
    if year_max is not None:
        filters["year_max"] = year_max
    positive = {control: strength for control, strength in controls.items() if strength}
    return filters, cast(RecommendRequest, positive)


def make_rows(
    ratings: Sequence[HistoryItem], filters: Filters, controls: RecommendRequest
) -> list[Row]:
    """Return the rows of the page, from top to bottom.

    The genre mix that a user set counts until their ratings say more, and wherever calibration is
    on.
    """
    has_few_ratings = len(ratings) < widgets.MIN_RATINGS
    order: RecommendRequest = {
        **controls,
        "exclude_ids": best_known(controls.get("novelty", 0.0)),
    }
    if state.mix() and (has_few_ratings or "calibration" in controls):
        order |= api.genre_profile()
    rows = [
        Row(
            key="top", name="Top picks", note="What you are most likely to watch next.", query=order
        )
    ]
    for favourite in favourites(ratings):
        rows.append(
            Row(
                key="liked",
                name=f"Because you liked {favourite['title']}",
                note=f"Movies like it, in your order; you gave it {favourite['stars']:g} ★.",
                query=include(api.similar(favourite["movie_id"])),
            )
        )
    stretch: RecommendRequest = {
        "novelty": 1.0,
        "diversity": 0.5,
        "exclude_ids": best_known(1.0),
    }
    if has_few_ratings:
        stretch |= api.genre_profile()
    return [
        *rows,
        Row(
            key="stretch",
            name="A stretch",
            note="Further from the beaten track, still yours.",
            query=stretch,
        ),
        Row(
            key="gems",
            name="Hidden gems",
            note="Loved by the few who saw them.",
            query=chart_query("hidden_gems", filters),
        ),
        Row(
            key="new",
            name="New to the catalog",
            note="The newest years.",
            query=chart_query("new", filters),
        ),
    ]


def favourites(ratings: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return the best-liked movie, the newest of equal ones.

    There is none below MIN_LIKED_STARS.
    """
    liked = [entry for entry in ratings if "title" in entry and entry["stars"] >= MIN_LIKED_STARS]
    return [max(liked, key=lambda entry: entry["stars"])] if liked else []


def best_known(strength: float) -> list[int]:
    """Return the ids that novelty leaves out.

    They are up to a hundred of the most-watched movies.

    Re-ranking alone moves little where few users have rated.
    """
    movies = api.chart("popular")
    return [movie["movie_id"] for movie in movies[: round(strength * len(movies))]]


def take_unused(items: Sequence[RecommendedMovie], used_ids: set[int]) -> list[RecommendedMovie]:
    """Return the items that no row above has, in their order.

    Their ids are added to used_ids.
    """
    unused = [item for item in items if item["movie_id"] not in used_ids][:ROW_LENGTH]
    used_ids |= {item["movie_id"] for item in unused}
    return unused


def chart_query(kind: ChartKind, filters: Filters) -> RecommendRequest:
    return include(api.chart(kind, filters=filters))


def include(movies: Sequence[Movie]) -> RecommendRequest:
    """Return the part of a query that limits a list to these movies."""
    return {"include_ids": [movie["movie_id"] for movie in movies]}


def request(rows: Sequence[Row], filters: Filters) -> list[RecommendResponse]:
    """Return one response per row, in their order."""
    return api.recommend_batch(
        [
            {
                "user_id": state.me(),
                "k": ROW_LENGTH * number,
                "filters": filters,
                "explain": row.key == "top",
                **row.query,
            }
            for number, row in enumerate(rows, 1)
        ]
    )


def welcome(history: Sequence[HistoryItem]) -> None:
    """Say what the lists rest on, while the user has few ratings."""
    missing = widgets.MIN_RATINGS - len(rating_scale.rated_items(history))
    if missing <= 0:
        return
    source = "your tastes" if state.mix() else "what most people like"
    st.info(
        f"Your lists rest on {source} so far. **Rate {missing} more movie{'s' * (missing > 1)}** "
        "to make them yours.",
        icon=":material/star:",
    )
    st.page_link(widgets.RATE_PAGE, label="Rate movies you have seen", query_params=state.link())


def explain(response: RecommendResponse) -> None:
    """Show the reasons of the whole row.

    Without any of them the movie would score less.
    """
    if response["strategy"] == "popular" or not response["items"]:
        return
    with st.expander("Because: what put these movies here", icon=":material/help:", key="because"):
        for item in response["items"]:
            titles = ", ".join(map(widgets.plain, widgets.reasons(item)))
            reason = f"because of {titles}" if titles else "your taste as a whole, no single movie"
            st.markdown(f"**{widgets.plain(widgets.name_of(item))}**: {reason}")


def empty_message(row: Row) -> str:
    if row.key == "top":
        return "No movie fits these filters. Widen the years or take a genre away."
    return ""


show()
