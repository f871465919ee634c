"""A movie: facts, the user's predicted stars and their interval, reasons, and similar movies."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from app_pages import api, rating_panel, widgets
from marquee_client import UnknownMovie
from marquee_client.types import HistoryItem, Movie, MovieId

MAX_SIMILAR = 12


@widgets.page
def show() -> None:
    movie_id = api.movie_id(st.query_params.get("movie", ""))
    if movie_id is not None:
        show_movie(movie_id)
    else:
        st.title("Movie", anchor=False)
        st.info("The address names no movie. Find one by its title.", icon=":material/movie:")
        widgets.link(widgets.RATE_PAGE, "Search", ":material/arrow_forward:")


@st.fragment
@widgets.page
def show_movie(movie_id: MovieId) -> None:
    """Draw the page with three requests: stars and facts, the history, the reasons."""
    items = api.service().predict([movie_id], **api.user())["items"]
    if not items:
        st.title("Movie", anchor=False)
        raise UnknownMovie(f"movie {movie_id}: not in the catalog", code="unknown_movie")
    (item,) = items
    history = api.history()
    left, right = st.columns([1, 2.6], gap="large")
    with left.container(key="poster-movie"):
        widgets.poster(item)
    with right:
        title = widgets.short(item["title"], widgets.MAX_HEADING_CHARS)
        st.title(widgets.plain(title), anchor=False)
        unknown = ["year unknown"] * api.has_years()
        facts = [*([str(item["year"])] if item["year"] is not None else unknown), *item["genres"]]
        st.markdown(" · ".join(map(widgets.plain, facts)))
        show_answers(item, history)
        if "stars" in item:
            st.subheader("What you would give it", anchor=False)
            widgets.prediction(item)
        else:
            st.caption(f"Behind its place: {widgets.count_plays(item['num_ratings'])}.")
        explain(movie_id, history)
        with st.container(border=True):
            rating_panel.answer("movie", item, history)
            rating_panel.other_answers("movie", item)
    widgets.row("Movies like it", api.similar(movie_id, MAX_SIMILAR), "like")


def show_answers(movie: Movie, history: Sequence[HistoryItem]) -> None:
    """Show what the visitor has said of the movie before."""
    for entry in history:
        if entry["movie_id"] != movie["movie_id"]:
            continue
        if "stars" in entry:
            st.markdown(f":material/star: You gave it **{entry['stars']:g}**.")
        elif not entry.get("not_interested"):
            st.markdown(":material/visibility: You have watched it.")
        if entry.get("not_interested"):
            st.markdown(":material/block: You said “Not for me”: your lists leave it out.")
            arguments = movie["movie_id"], movie["title"]
            widgets.action("Bring it back", "back", rating_panel.unrate, *arguments)


def explain(movie_id: MovieId, history: Sequence[HistoryItem]) -> None:
    """Show the movies without which the score would be lower."""
    st.subheader("What moved this", anchor=False)
    if not api.answers(history):
        rate = "You have not rated anything yet. Rate a few movies to see reasons here."
        watch = "You have watched nothing yet. Mark a few movies to see reasons here."
        st.caption(widgets.worded(rate, watch))
        return
    response = api.service().recommend(
        **api.user(), k=1, include_ids=[movie_id], exclude_seen=False, explain=True
    )
    titles = [title for item in response["items"] for title in widgets.reasons(item)]
    if titles:
        st.html("".join(f'<span class="chip">{escape(title)}</span>' for title in titles))
        st.caption("Strongest first. Without any of these, this movie would rank lower for you.")
    else:
        st.caption("No single movie of yours raises it: your taste as a whole decides.")


show()
