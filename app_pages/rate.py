"""Rate: the rating panel, earlier ratings, and ratings from and to other sites."""

from datetime import datetime
from typing import cast

import streamlit as st

from app_pages import api, rating_panel, rating_scale, ratings_csv, state, widgets
from marquee_client.types import HistoryItem, Movie

EVENTS_PER_REQUEST = 500
"""Of the 1,000 that the service takes."""


@widgets.page
def show() -> None:
    st.title("Rate", anchor=False)
    # Only the open tab is drawn, and anew: a rating in one appears in the others.
    names = ["Rate movies", "What you rated", "Import and export"]
    panel, earlier, files = st.tabs(names, key="rate-tab", on_change="rerun")
    if panel.open:
        with panel:
            rating_panel.show()
    if earlier.open:
        with earlier:
            earlier_ratings()
    if files.open:
        with files:
            export_ratings()
            import_ratings()


@st.fragment
@widgets.page
def earlier_ratings() -> None:
    """Show every rating, newest first, with a way to change each."""
    history = api.service().history(state.me())["items"]
    ratings = {entry["movie_id"]: entry for entry in rating_scale.rated_items(history)}
    if ratings:
        change_rating(ratings)
        ratings_table(list(ratings.values()))
    else:
        st.info("Nothing yet. The first movie you rate stands here.", icon=":material/star:")
    refused = [
        cast(Movie, entry) for entry in history if entry.get("not_interested") and "title" in entry
    ]
    widgets.row("Not for you", refused, "refused", "On its page, each can be brought back.")


def change_rating(ratings: dict[int, HistoryItem]) -> None:
    """Show a form that changes or removes one rating. ratings: by movie_id."""
    movie_id = st.selectbox(
        "Change or remove a rating",
        list(ratings),
        format_func=lambda movie_id: (
            f"{ratings[movie_id]['stars']:g} ★  {widgets.name_of(ratings[movie_id])}"
        ),
        key="before-movie",
    )
    entry = ratings[movie_id]
    title = widgets.name_of(entry)
    stars = st.select_slider(
        f"New stars for {widgets.plain(title)}",
        rating_scale.HALF_STARS,
        value=entry["stars"],
        format_func=rating_scale.describe,
        key=f"before-stars-{movie_id}",
    )
    with st.container(horizontal=True):
        st.button(
            "Change",
            type="primary",
            key="before-give",
            on_click=rating_panel.rate,
            args=(movie_id, title, stars, entry["stars"]),
        )
        st.button(
            "Remove", key="before-remove", on_click=rating_panel.unrate, args=(movie_id, title)
        )


def ratings_table(entries: list[HistoryItem]) -> None:
    st.dataframe(
        {
            "movie": [widgets.name_of(entry) for entry in entries],
            "stars": [entry["stars"] for entry in entries],
            "genres": [", ".join(entry.get("genres", [])) for entry in entries],
            "when": [datetime.fromisoformat(entry["at"]).date() for entry in entries],
        },
        hide_index=True,
        width="stretch",
        alt="Every movie you rated, with stars and date",
    )


def export_ratings() -> None:
    ratings = rating_scale.rated_items(api.service().history(state.me())["items"])
    st.subheader("Take your ratings with you", anchor=False)
    if not ratings:
        st.caption("There is nothing to export yet.")
        return
    with st.container(horizontal=True):
        for site, text in (
            ("MovieLens", ratings_csv.as_movielens(state.me(), ratings)),
            ("Letterboxd", ratings_csv.as_letterboxd(ratings)),
        ):
            st.download_button(
                f"{len(ratings)} ratings for {site} (CSV)",
                text,
                f"ratings-{site.lower()}.csv",
                "text/csv",
                on_click="ignore",
                icon=":material/download:",
            )


@st.fragment
@widgets.page
def import_ratings() -> None:
    st.subheader("Bring ratings from elsewhere", anchor=False)
    file = st.file_uploader(
        "A ratings file of Letterboxd (ratings.csv) or MovieLens (ratings.csv)", type="csv"
    )
    if file is None:
        return
    try:
        rows = ratings_csv.read(file.getvalue())
    except ValueError as error:
        st.error(f"{file.name}: {error}", icon=":material/error:")
        return
    st.caption(f"{len(rows)} rows. Ratings that stand there twice count once, the later one.")
    if st.button(
        f"Import {len(rows)} rows", key="import", type="primary", icon=":material/upload:"
    ):
        store(rows)


def store(rows: list[ratings_csv.Row]) -> None:
    """Send the rows that match a movie, and list the others.

    No row is dropped silently.
    """
    service, bar = api.service(), st.progress(0.0, text="Finding the movies")
    events, failures = [], []
    for count, row in enumerate(rows, 1):
        try:
            events.append(ratings_csv.make_event(state.me(), row, service.search))
        except ratings_csv.Unmatched as error:
            failures.append((row, str(error)))
        bar.progress(count / len(rows), text=f"Finding the movies: {count} of {len(rows)}")
    accepted, duplicates = 0, 0
    for start in range(0, len(events), EVENTS_PER_REQUEST):
        response = service.send_events(events[start : start + EVENTS_PER_REQUEST])
        accepted += response["accepted"]
        duplicates += response["duplicates"]
        messages = {event["event_id"]: event["message"] for event in response["rejected"]}
        failures += [
            (row, messages[event_id])
            for row in rows
            if (event_id := row.event_id(state.me())) in messages
        ]
    bar.empty()
    st.success(
        f"{accepted} ratings added, {duplicates} were there before, {len(failures)} not taken."
    )
    if failures:
        st.markdown("**Not taken**, with the reason:")
        st.dataframe(
            {
                "line": [row.line for row, _ in failures],
                "movie": [row.label() for row, _ in failures],
                "stars": [row.stars for row, _ in failures],
                "why": [reason for _, reason in failures],
            },
            hide_index=True,
            width="stretch",
            alt="Rows of the file that were not imported, and why",
        )


show()
