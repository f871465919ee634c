"""For you: rows of movies, filters, and controls of their order.

All rows are one request (`/recommend_batch`). The rows about particular movies (similar to a liked
one, hidden gems, new ones) request the user's own order of those movies.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import streamlit as st

from app_pages import address, api, parameters, rating_scale, state, widgets
from marquee_client import label
from marquee_client.requests import Filters, RecommendRequest
from marquee_client.types import HistoryItem, Movie, RecommendResponse

ROW_LENGTH = 12
MIN_LIKED_STARS = 4.0
DECADES = {"Any time": (None, None), "Before 1960": (None, 1959)} | {
    f"{year}s": (year, year + 9) for year in range(1960, 2030, 10)
}
CONTROLS = {
    "novelty": ("Surprise me", "leaves out the best-known movies"),
    "calibration": ("Match my mix", "moves towards the genres of what you rated"),
    "diversity": ("Variety", "keeps movies apart that are alike"),
    "freshness": ("Freshness", "moves towards the newest years"),
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
    ratings = rating_scale.rated_items(api.history())
    filters, controls = settings()
    num_missing = widgets.MIN_RATINGS - len(ratings)
    if num_missing > 0:
        source = "your tastes" if state.mix() else "what most people like"
        st.info(
            f"Your lists rest on {source} so far. **Rate {num_missing} more "
            f"movie{'s' * (num_missing > 1)}** to make them yours.",
            icon=":material/star:",
        )
        widgets.link(widgets.RATE_PAGE, "Rate movies you have seen")
    rows = make_rows(ratings, filters, controls)
    shared: RecommendRequest = api.user() | {"filters": filters}
    queries: list[RecommendRequest] = [
        {**shared, "k": ROW_LENGTH * number, "explain": row.key == "top", **row.query}
        for number, row in enumerate(rows, 1)  # long enough to skip the movies of the rows above
    ]
    used_ids: set[int] = set()
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
        left, right = st.columns(2, gap="large")
        names = api.genres()
        in_genres = address.bound("genres", [], parameters.one_of(names))
        of_decade = address.bound("decade", next(iter(DECADES)), parameters.one_of(DECADES))
        genres = left.multiselect("Genres (any of them)", names, **in_genres)
        decade = right.selectbox("From", list(DECADES), **of_decade)
        columns = st.columns(len(CONTROLS), gap="medium")
        controls = {
            control: column.slider(
                name, 0.0, 1.0, step=0.1, help=text, **address.bound(control, 0.0, parameters.share)
            )
            for column, (control, (name, text)) in zip(columns, CONTROLS.items(), strict=True)
        }
    year_min, year_max = DECADES[decade]
    filters = {"genres": genres, "year_min": year_min, "year_max": year_max}
    return (
        cast(Filters, {name: value for name, value in filters.items() if value}),
        cast(RecommendRequest, {name: value for name, value in controls.items() if value}),
    )


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
    gems, new = api.chart("hidden_gems", filters=filters), api.chart("new", filters=filters)
    return [
        Row("top", "Top picks", "What you are most likely to watch next.", top),
        *liked_row(ratings),
        Row("stretch", "A stretch", "Further from the beaten track, still yours.", stretch),
        Row("gems", "Hidden gems", "Loved by the few who saw them.", only(gems)),
        Row("new", "New to the catalog", "The newest years.", only(new)),
    ]


def liked_row(ratings: Sequence[HistoryItem]) -> list[Row]:
    """Return a row of movies like the best-liked one (the newest of equals), if any."""
    liked = [entry for entry in ratings if "title" in entry and entry["stars"] >= MIN_LIKED_STARS]
    if not liked:
        return []
    favourite = max(liked, key=lambda entry: entry["stars"])
    note = f"Movies like it, in your order. You gave it {favourite['stars']:g} ★."
    similar = api.similar(favourite["movie_id"])
    return [Row("liked", f"Because you liked {favourite['title']}", note, only(similar))]


def best_known(strength: float) -> list[int]:
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
