"""A film: facts, what this person would give it and how sure that is, why, and what is like it."""

from html import escape

import streamlit as st

from app_pages import api, posters, rating_panel, rating_scale, state, widgets
from marquee_client.types import HistoryItem

LIKE = 12


@widgets.page
def show() -> None:
    asked = st.query_params.get("movie", "")
    if not asked.isdigit():
        widgets.nothing("No film was asked for. Find one by its title.", widgets.RATE, "Search")
        return
    about(int(asked))


@st.fragment
@widgets.page
def about(movie_id: int) -> None:
    """One request for stars and facts, one for the reasons, one for what the person gave."""
    service = api.service()
    item = service.predict([movie_id], user_id=state.me())["items"][0]
    history = service.history(state.me())["items"]
    mine = next((entry for entry in history if entry["movie_id"] == movie_id), None)
    left, right = st.columns([1, 2.6], gap="large")
    with left.container(key="poster-film"):
        st.image(posters.poster(item), alt=posters.says(item), width="stretch")
    with right:
        st.title(widgets.plain(item["title"]), anchor=False)
        st.markdown(" · ".join([str(item["year"] or "year unknown"), *item["genres"]]))
        given(mine, item["title"])
        st.subheader("What you would give it", anchor=False)
        widgets.prediction(item)
        moved(movie_id, history)
        with st.container(border=True):
            rating_panel.rate("film", item, history)
            rating_panel.answers("film", movie_id, item["title"])
    widgets.row("Films like it", api.similar(movie_id, LIKE), "like")


def given(mine: HistoryItem | None, title: str) -> None:
    if mine and "stars" in mine:
        st.markdown(f":material/star: You gave it **{mine['stars']:g}**.")
    if mine and mine.get("not_interested"):
        st.markdown(":material/block: Not for you: it is in no list of yours.")
        back = (mine["movie_id"], title)
        st.button("Bring it back", key="back", on_click=rating_panel.bring_back, args=back)


def moved(movie_id: int, history: list[HistoryItem]) -> None:
    """The reasons, by taking each rating away: what the score loses without it."""
    st.subheader("What moved this", anchor=False)
    if not rating_scale.rated(history):
        st.caption("Nothing of yours yet: rate a few films, and they are named here.")
        return
    answer = api.service().recommend(
        user_id=state.me(), k=1, include_ids=[movie_id], exclude_seen=False, explain=True
    )
    item = next(iter(answer["items"]), None)
    because = widgets.reasons(item) if item else []
    if not because:
        st.caption("No single film of yours raises it: your taste as a whole decides.")
        return
    st.html("".join(f'<span class="chip">{escape(title)}</span>' for title in because))
    st.caption("Strongest first: without any of these, this film would stand lower on your list.")


show()
