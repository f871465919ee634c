"""Rate: the rating panel, earlier ratings, and ratings from and to other sites.

In a catalog without ratings the same page is about movies that were watched.
"""

from datetime import datetime
from typing import cast

import streamlit as st

from app_pages import address, api, parameters, rating_panel, ratings_csv, state, widgets
from app_pages.rating_files import HIGHEST
from marquee_client import MarqueeError, Unavailable, label
from marquee_client.types import EventsReceipt, HistoryItem, Movie

ROWS_PER_REQUEST = 100  # of the 1,000 events that the service takes: each moves the bar


@widgets.page
def show() -> None:
    st.title(widgets.worded("Rate", "Watched"), anchor=False)
    # Only the open tab is drawn, and anew: a rating in one appears in the others.
    first = widgets.worded("Rate movies", "Mark movies")
    second = widgets.worded("What you rated", "What you watched")
    names = [first, second, "Import and export"]
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
    entries = api.answers(history)
    if entries and api.scale():
        change_rating(history, entries)
    rows = [
        {
            "movie": label(entry),
            **({"stars": entry["stars"]} if api.scale() else {}),
            "genres": ", ".join(entry.get("genres", [])),
            "when": datetime.fromisoformat(entry["at"]).date(),
        }
        for entry in entries
    ]
    if rows:
        alt = widgets.worded("you rated, with stars and date", "you watched, with its date")
        st.dataframe(rows, hide_index=True, alt=f"Every movie {alt}")
    else:
        name = widgets.worded("ratings", "movies")
        st.info(f"Nothing yet. Your {name} appear here.", icon=":material/star:")
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
    entries, scale = api.answers(api.history()), api.scale()
    name = widgets.worded("ratings", "movies")
    st.subheader(f"Take your {name} with you", anchor=False)
    if not entries:
        st.caption("There is nothing to export yet.")
        return
    files = {
        "MovieLens": ratings_csv.as_movielens(state.me(), entries, scale),
        "Letterboxd": ratings_csv.as_letterboxd(entries, scale),
    }
    with st.container(horizontal=True):
        for site, text in files.items():
            title, file = f"{len(entries)} {name} for {site} (CSV)", f"ratings-{site.lower()}.csv"
            icon = ":material/download:"
            st.download_button(title, text, file, "text/csv", on_click="ignore", icon=icon)


@st.fragment
@widgets.page
def import_ratings() -> None:
    name = widgets.worded("ratings", "movies")
    st.subheader(f"Bring {name} from elsewhere", anchor=False)
    file = st.file_uploader("A CSV file of Letterboxd, IMDb, Trakt, Simkl or MovieLens", type="csv")
    if file is None:
        return
    try:
        table = ratings_csv.read(
            file.getvalue(), has_text_ids=api.has_text_ids(), has_ratings=bool(api.scale())
        )
    except ValueError as error:
        message = widgets.plain(f"{file.name}: {error}")
        st.error(f"{message}. Choose another file.", icon=":material/error:")
        return
    highest = scale_of(table, file.file_id) if api.scale() else 0.0
    st.caption(f"{len(table.rows)} rows. {repeats()}")
    is_unknown = highest is None
    button = f"Import {len(table.rows)} rows"
    icon = ":material/upload:"
    if st.button(button, key="import", type="primary", icon=icon, disabled=is_unknown):
        store(table.rows, highest or 0.0)


def repeats() -> str:
    return widgets.worded(
        "Of a movie that is rated twice, the later rating counts.",
        "Each counts as a movie that you watched. Ratings are left out: this catalog has none.",
    )


def scale_of(table: ratings_csv.RatingFile, file_id: str) -> float | None:
    """Return the highest rating of the file's scale; ask where it is not known."""
    scale = api.scale()
    if table.highest is not None:
        examples = table.examples(table.highest, scale)
        st.caption(f"A file of {table.site}, whose ratings are of {table.highest:g}. {examples}")
        return table.highest
    examples_of = {highest: table.examples(highest, scale) for highest in HIGHEST}
    return st.radio(
        "What is the highest rating of this file’s scale? The file does not say.",
        list(HIGHEST),
        index=None,
        format_func=lambda highest: f"{highest:g} ({examples_of[highest] or 'no rating fits'})",
        key=f"highest-{file_id}",
    )


def store(rows: list[ratings_csv.Row], highest: float) -> None:
    """Send the rows that match a movie, and list every other row.

    highest: of the file's scale.
    """
    bar, receipts = st.progress(0.0), []
    failures: list[tuple[ratings_csv.Row, str]] = []
    for start in range(0, len(rows), ROWS_PER_REQUEST):
        bar.progress(start / len(rows), text=f"Importing: {start} of {len(rows)}")
        receipts.append(store_some(rows[start : start + ROWS_PER_REQUEST], highest, failures))
    bar.empty()
    added, known = sum(r["accepted"] for r in receipts), sum(r["duplicates"] for r in receipts)
    name = widgets.worded("ratings", "movies")
    st.success(f"{added} {name} added, {known} already there, {len(failures)} not imported.")
    if failures:
        st.markdown("**Not imported**, with the reason:")
        lines = [
            {"line": row.line, "movie": row.label(), "rating": row.rating, "why": reason}
            for row, reason in sorted(failures, key=lambda failure: failure[0].line)
        ]
        st.dataframe(lines, hide_index=True, alt="Rows that were not imported, and why")


def store_some(
    rows: list[ratings_csv.Row], highest: float, failures: list[tuple[ratings_csv.Row, str]]
) -> EventsReceipt:
    """Send some rows, and add those that are not stored to the failures."""
    sent, events = [], []
    for row in rows:
        try:
            search, scale = api.service().search, api.scale()
            events.append(ratings_csv.make_event(state.me(), row, search, scale, highest))
            sent.append(row)
        except Unavailable:  # what was sent before is stored, and is not added again
            raise
        except (ratings_csv.Unmatched, MarqueeError) as error:
            failures.append((row, str(error)))
    if not events:
        return {"accepted": 0, "duplicates": 0, "rejected": []}
    receipt = api.service().send_events(events)
    failures += [(sent[event["index"]], event["message"]) for event in receipt["rejected"]]
    unknown_ids = receipt.get("unknown_ids", ())  # stored, for a catalog that will hold them
    failures += [
        (row, "this catalog does not hold the movie; it counts once it does")
        for row, event in zip(sent, events, strict=True)
        if event["movie_id"] in unknown_ids
    ]
    return receipt


show()
