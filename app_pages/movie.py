"""A movie: facts, the user's predicted stars and their interval, reasons, and similar movies."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from app_pages import api, parameters, rating_panel, rating_scale, widgets
from marquee_client import UnknownMovie
from marquee_client.types import HistoryItem

MAX_SIMILAR = 12


@widgets.page
def show() -> None:
    movie_id = parameters.movie_id(st.query_params.get("movie", ""))
    if movie_id is not None:
        show_movie(movie_id)
    else:
        st.title("Movie", anchor=False)
        st.info("The address names no movie. Find one by its title.", icon=":material/movie:")
        widgets.link(widgets.RATE_PAGE, "Search", ":material/arrow_forward:")


@st.fragment
@widgets.page
def show_movie(movie_id: int) -> None:
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
        facts = [str(item["year"] or "year unknown"), *item["genres"]]
        st.markdown(" · ".join(map(widgets.plain, facts)))
        for entry in history:
            if entry["movie_id"] != movie_id:
                continue
            if "stars" in entry:
                st.markdown(f":material/star: You gave it **{entry['stars']:g}**.")
            if entry.get("not_interested"):
                st.markdown(":material/block: You said “Not for me”: your lists leave it out.")
                widgets.action(
                    "Bring it back", "back", rating_panel.unrate, movie_id, item["title"]
                )
        st.subheader("What you would give it", anchor=False)
        widgets.prediction(item)
        explain(movie_id, history)
        with st.container(border=True):
            rating_panel.stars_slider("movie", item, history)
            rating_panel.other_answers("movie", item)
    widgets.row("Movies like it", api.similar(movie_id, MAX_SIMILAR), "like")


def explain(movie_id: int, history: Sequence[HistoryItem]) -> None:
    """Show the ratings without which the score would be lower."""
    st.subheader("What moved this", anchor=False)
    if not rating_scale.rated_items(history):
        st.caption("You have not rated anything yet. Rate a few movies to see reasons here.")
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
