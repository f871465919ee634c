"""Rate: the desk, what was rated before, and ratings from and to other sites."""

from datetime import datetime
from typing import cast

import streamlit as st

from app_pages import api, rating_panel, rating_scale, ratings_csv, state, widgets
from marquee_client.types import HistoryItem, Movie

TAKEN_AT_ONCE = 500
"""Events in one request, of the 1,000 that the service takes."""


@widgets.page
def show() -> None:
    st.title("Rate", anchor=False)
    # Only the open one is drawn, anew: what was rated in one stands in the others.
    names = ["Rate films", "What you rated", "Import and export"]
    now, before, files = st.tabs(names, key="rate-tab", on_change="rerun")
    if now.open:
        with now:
            rating_panel.show()
    if before.open:
        with before:
            rated()
    if files.open:
        with files:
            export()
            take_in()


@st.fragment
@widgets.page
def rated() -> None:
    """Everything, newest first, and a way to change each."""
    history = api.service().history(state.me())["items"]
    films = {entry["movie_id"]: entry for entry in rating_scale.rated(history)}
    if films:
        changed(films)
        shown(list(films.values()))
    else:
        st.info("Nothing yet. The first film you rate stands here.", icon=":material/star:")
    refused = [cast(Movie, one) for one in history if one.get("not_interested") and "title" in one]
    widgets.row("Not for you", refused, "refused", "On its page, each can be brought back.")


def changed(films: dict[int, HistoryItem]) -> None:
    chosen = st.selectbox(
        "Change or remove a rating",
        list(films),
        format_func=lambda one: f"{films[one]['stars']:g} ★  {widgets.name_of(films[one])}",
        key="before-film",
    )
    entry = films[chosen]
    stars = st.select_slider(
        f"New stars for {widgets.plain(widgets.name_of(entry))}",
        rating_scale.HALVES,
        value=entry["stars"],
        format_func=rating_scale.said,
        key=f"before-stars-{chosen}",
    )
    title = widgets.name_of(entry)
    with st.container(horizontal=True):
        given = (chosen, title, stars, entry["stars"])
        st.button(
            "Change", type="primary", key="before-give", on_click=rating_panel.give, args=given
        )
        st.button(
            "Remove", key="before-remove", on_click=rating_panel.bring_back, args=(chosen, title)
        )


def shown(entries: list[HistoryItem]) -> None:
    st.dataframe(
        {
            "film": [widgets.name_of(entry) for entry in entries],
            "stars": [entry["stars"] for entry in entries],
            "genres": [", ".join(entry.get("genres", [])) for entry in entries],
            "when": [datetime.fromisoformat(entry["at"]).date() for entry in entries],
        },
        hide_index=True,
        width="stretch",
        alt="Every film you rated, with stars and date",
    )


def export() -> None:
    history = rating_scale.rated(api.service().history(state.me())["items"])
    st.subheader("Take your ratings with you", anchor=False)
    if not history:
        st.caption("There is nothing to export yet.")
        return
    with st.container(horizontal=True):
        for site, written in (
            ("MovieLens", ratings_csv.as_movielens(state.me(), history)),
            ("Letterboxd", ratings_csv.as_letterboxd(history)),
        ):
            st.download_button(
                f"{len(history)} ratings for {site} (CSV)",
                written,
                f"ratings-{site.lower()}.csv",
                "text/csv",
                on_click="ignore",
                icon=":material/download:",
            )


@st.fragment
@widgets.page
def take_in() -> None:
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
        stored(rows)


def stored(rows: list[ratings_csv.Row]) -> None:
    """Send what can be matched, and list what cannot: no row is dropped in silence."""
    service, bar = api.service(), st.progress(0.0, text="Finding the films")
    events, lost = [], []
    for done, row in enumerate(rows, 1):
        try:
            events.append(ratings_csv.event(state.me(), row, service.search))
        except ratings_csv.Unmatched as error:
            lost.append((row, str(error)))
        bar.progress(done / len(rows), text=f"Finding the films: {done} of {len(rows)}")
    added, again = 0, 0
    for first in range(0, len(events), TAKEN_AT_ONCE):
        answer = service.send_events(events[first : first + TAKEN_AT_ONCE])
        added, again = added + answer["accepted"], again + answer["duplicates"]
        refused = {one["event_id"]: one["message"] for one in answer["rejected"]}
        lost += [(row, refused[i]) for row in rows if (i := row.event_id(state.me())) in refused]
    bar.empty()
    st.success(f"{added} ratings added, {again} were there before, {len(lost)} not taken.")
    if lost:
        st.markdown("**Not taken**, with the reason:")
        st.dataframe(
            {
                "line": [row.line for row, _ in lost],
                "film": [row.named() for row, _ in lost],
                "stars": [row.stars for row, _ in lost],
                "why": [why for _, why in lost],
            },
            hide_index=True,
            width="stretch",
            alt="Rows of the file that were not imported, and why",
        )


show()
