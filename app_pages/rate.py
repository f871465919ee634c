"""Rate: the rating panel, earlier ratings, and ratings from and to other sites."""

from datetime import datetime
from typing import cast

import streamlit as st

from app_pages import api, rating_panel, rating_scale, ratings_csv, state, widgets
from marquee_client import label
from marquee_client.types import HistoryItem, Movie

EVENTS_PER_REQUEST = 500  # of the 1,000 that the service takes


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
    history = api.history()
    ratings = rating_scale.rated_items(history)
    if ratings:
        change_rating(history, ratings)
        rows = [
            {
                "movie": label(entry),
                "stars": entry["stars"],
                "genres": ", ".join(entry.get("genres", [])),
                "when": datetime.fromisoformat(entry["at"]).date(),
            }
            for entry in ratings
        ]
        st.dataframe(rows, hide_index=True, alt="Every movie you rated, with stars and date")
    else:
        st.info("Nothing yet. Your ratings appear here.", icon=":material/star:")
    refused = [
        cast(Movie, entry) for entry in history if entry.get("not_interested") and "title" in entry
    ]
    widgets.row("Not for you", refused, "refused", "Open a movie's page to bring it back.")


def change_rating(history: list[HistoryItem], ratings: list[HistoryItem]) -> None:
    by_id = {entry["movie_id"]: entry for entry in ratings}
    names = {movie_id: f"{e['stars']:g} ★  {label(e)}" for movie_id, e in by_id.items()}
    name = "Change or remove a rating"
    movie_id = st.selectbox(
        name, list(names), format_func=lambda movie_id: names[movie_id], key="before-movie"
    )
    rating_panel.stars_slider("before", by_id[movie_id], history)
    arguments = (movie_id, label(by_id[movie_id]))
    widgets.action("Remove", "before-remove", rating_panel.unrate, *arguments)


def export_ratings() -> None:
    ratings = rating_scale.rated_items(api.history())
    st.subheader("Take your ratings with you", anchor=False)
    if not ratings:
        st.caption("There is nothing to export yet.")
        return
    files = {
        "MovieLens": ratings_csv.as_movielens(state.me(), ratings),
        "Letterboxd": ratings_csv.as_letterboxd(ratings),
    }
    with st.container(horizontal=True):
        for site, text in files.items():
            name, file = f"{len(ratings)} ratings for {site} (CSV)", f"ratings-{site.lower()}.csv"
            icon = ":material/download:"
            st.download_button(name, text, file, "text/csv", on_click="ignore", icon=icon)


@st.fragment
@widgets.page
def import_ratings() -> None:
    st.subheader("Bring ratings from elsewhere", anchor=False)
    file = st.file_uploader("A ratings.csv of Letterboxd or MovieLens", type="csv")
    if file is None:
        return
    try:
        rows = ratings_csv.read(file.getvalue())
    except ValueError as error:
        st.error(f"{file.name}: {error}. Choose another file.", icon=":material/error:")
        return
    st.caption(f"{len(rows)} rows. Of a movie that is rated twice, the later rating counts.")
    name = f"Import {len(rows)} rows"
    if st.button(name, key="import", type="primary", icon=":material/upload:"):
        store(rows)


def store(rows: list[ratings_csv.Row]) -> None:
    """Send the rows that match a movie, and list every other row."""
    service, bar = api.service(), st.progress(0.0, text="Finding the movies")
    events, failures = [], []
    for count, row in enumerate(rows, 1):
        try:
            events.append(ratings_csv.make_event(state.me(), row, service.search))
        except ratings_csv.Unmatched as error:
            failures.append((row, str(error)))
        bar.progress(count / len(rows), text=f"Finding the movies: {count} of {len(rows)}")
    accepted, duplicates = 0, 0
    messages: dict[str, str] = {}
    for start in range(0, len(events), EVENTS_PER_REQUEST):
        receipt = service.send_events(events[start : start + EVENTS_PER_REQUEST])
        accepted += receipt["accepted"]
        duplicates += receipt["duplicates"]
        messages |= {event["event_id"]: event["message"] for event in receipt["rejected"]}
    failures += [
        (row, messages[event_id])
        for row in rows
        if (event_id := row.event_id(state.me())) in messages
    ]
    bar.empty()
    st.success(
        f"{accepted} ratings added, {duplicates} already there, {len(failures)} not imported."
    )
    if failures:
        st.markdown("**Not imported**, with the reason:")
        lines = [
            {"line": row.line, "movie": row.label(), "stars": row.stars, "why": reason}
            for row, reason in failures
        ]
        st.dataframe(lines, hide_index=True, alt="Rows that were not imported, and why")


show()
