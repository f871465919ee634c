"""Rate: the rating panel, earlier ratings, and ratings from and to other sites."""

from datetime import datetime
from typing import cast

import streamlit as st

from app_pages import (
    address,
    api,
    parameters,
    rating_panel,
    rating_scale,
    ratings_csv,
    state,
    widgets,
)
from marquee_client import MarqueeError, Unavailable, label
from marquee_client.types import EventsReceipt, HistoryItem, Movie

ROWS_PER_REQUEST = 100  # of the 1,000 events that the service takes: each moves the bar


@widgets.page
def show() -> None:
    st.title("Rate", anchor=False)
    # Only the open tab is drawn, and anew: a rating in one appears in the others.
    names = ["Rate movies", "What you rated", "Import and export"]
    tab = address.bound("rate-tab", names[0], parameters.one_of(names))
    panel, earlier, files = st.tabs(names, **tab)
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
    labels = parameters.distinct(f"{e['stars']:g} ★  {label(e)}" for e in by_id.values())
    name = "Change or remove a rating"
    choices = dict(zip(by_id, labels, strict=True))
    movie_id = rating_panel.choose(st.selectbox, name, choices, "before-movie")
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
        message = widgets.plain(f"{file.name}: {error}")
        st.error(f"{message}. Choose another file.", icon=":material/error:")
        return
    st.caption(f"{len(rows)} rows. Of a movie that is rated twice, the later rating counts.")
    name = f"Import {len(rows)} rows"
    if st.button(name, key="import", type="primary", icon=":material/upload:"):
        store(rows)


def store(rows: list[ratings_csv.Row]) -> None:
    """Send the rows that match a movie, and list every other row."""
    bar, receipts = st.progress(0.0), []
    failures: list[tuple[ratings_csv.Row, str]] = []
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        bar.progress(start / len(rows), text=f"Importing: {start} of {len(rows)}")
        receipts.append(store_some(rows[start : start + ROWS_PER_REQUEST], failures))
    bar.empty()
    added, known = sum(r["accepted"] for r in receipts), sum(r["duplicates"] for r in receipts)
    st.success(f"{added} ratings added, {known} already there, {len(failures)} not imported.")
    if failures:
        st.markdown("**Not imported**, with the reason:")
        lines = [
            {"line": row.line, "movie": row.label(), "stars": row.stars, "why": reason}
            for row, reason in sorted(failures, key=lambda failure: failure[0].line)
        ]
        st.dataframe(lines, hide_index=True, alt="Rows that were not imported, and why")


def store_some(
    rows: list[ratings_csv.Row], failures: list[tuple[ratings_csv.Row, str]]
) -> EventsReceipt:
    """Send some rows, and add those that are not stored to the failures."""
    sent, events = [], []
    for row in rows:
        try:
            events.append(ratings_csv.make_event(state.me(), row, api.service().search))
            sent.append(row)
        except Unavailable:  # what was sent before is stored, and is not added again
            raise
        except (ratings_csv.Unmatched, MarqueeError) as error:
            failures.append((row, str(error)))
    if not events:
        return {"accepted": 0, "duplicates": 0, "rejected": []}
    receipt = api.service().send_events(events)
    failures += [(sent[event["index"]], event["message"]) for event in receipt["rejected"]]
    return receipt


show()
