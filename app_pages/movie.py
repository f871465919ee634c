"""A movie: facts, the user's predicted stars and their interval, reasons, and similar movies."""

from html import escape

import streamlit as st

from app_pages import api, posters, rating_panel, rating_scale, state, widgets
from marquee_client.types import HistoryItem

MAX_SIMILAR = 12


@widgets.page
def show() -> None:
    movie_id = st.query_params.get("movie", "")
    if not movie_id.isdigit():
        widgets.show_empty(
            "No movie was asked for. Find one by its title.", widgets.RATE_PAGE, "Search"
        )
        return
    show_movie(int(movie_id))


@st.fragment
@widgets.page
def show_movie(movie_id: int) -> None:
    """Draw the page with three requests.

    They are for stars and facts, the history, and the reasons.
    """
    service = api.service()
    item = service.predict([movie_id], user_id=state.me())["items"][0]
    history = service.history(state.me())["items"]
    entry = next((entry for entry in history if entry["movie_id"] == movie_id), None)
    left, right = st.columns([1, 2.6], gap="large")
    with left.container(key="poster-movie"):
        st.image(posters.poster(item), alt=posters.alt_text(item), width="stretch")
    with right:
        st.title(widgets.plain(item["title"]), anchor=False)
        st.markdown(" · ".join([str(item["year"] or "year unknown"), *item["genres"]]))
        own_answer(entry, item["title"])
        st.subheader("What you would give it", anchor=False)
        widgets.prediction(item)
        explain(movie_id, history)
        with st.container(border=True):
            rating_panel.stars_slider("movie", item, history)
            rating_panel.other_answers("movie", movie_id, item["title"])
    widgets.row("Movies like it", api.similar(movie_id, MAX_SIMILAR), "like")


def own_answer(entry: HistoryItem | None, title: str) -> None:
    """Show the user's own stars, or their "not for me" with a way back."""
    if entry and "stars" in entry:
        st.markdown(f":material/star: You gave it **{entry['stars']:g}**.")
    if entry and entry.get("not_interested"):
        st.markdown(":material/block: Not for you: it is in no list of yours.")
        st.button(
            "Bring it back",
            key="back",
            on_click=rating_panel.unrate,
            args=(entry["movie_id"], title),
        )


def explain(movie_id: int, history: list[HistoryItem]) -> None:
    """Show the ratings without which the score would be lower."""
    st.subheader("What moved this", anchor=False)
    if not rating_scale.rated_items(history):
        st.caption("Nothing of yours yet: rate a few movies, and they are named here.")
        return
    response = api.service().recommend(
        user_id=state.me(), k=1, include_ids=[movie_id], exclude_seen=False, explain=True
    )
    item = next(iter(response["items"]), None)
    titles = widgets.reasons(item) if item else []
    if not titles:
        st.caption("No single movie of yours raises it: your taste as a whole decides.")
        return
    st.html("".join(f'<span class="chip">{escape(title)}</span>' for title in titles))
    st.caption("Strongest first: without any of these, this movie would stand lower on your list.")


show()
