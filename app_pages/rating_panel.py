"""The desk where films are rated: search, the queue of films to ask about, half stars, undo.

It is a fragment: a rating stores one event, asks for the history and one list, and redraws this
part of the page only.

Who is new is asked for films of the popular chart, of which people have seen one in 11, then
(BEGUN ratings later) for those whose rating says most, of which they have seen one in 36
(results/rate-next-ml-1m.new-users.json).
"""

from collections.abc import Sequence
from typing import cast

import streamlit as st

from app_pages import api, posters, rating_scale, state, widgets
from marquee_client.types import HistoryItem, Movie, RateNextItem

OFFERED = 8
BEGUN = 15
FOUND = 20
LONG, LONG_PX = 6, 220
LISTED = 8
KNOWN, TELLING = "Films many have seen", "Films whose stars say most"


@st.fragment
@widgets.page
def show(key: str = "rate", goal: int = 0) -> None:
    """goal: how many ratings are asked for; 0: as many as the person likes."""
    history = api.service().history(state.me())["items"]
    rated = rating_scale.rated(history)
    if goal:
        st.progress(min(len(rated) / goal, 1.0), text=f"{len(rated)} of {goal} films rated")
    asking, enough, list_now, more = (st.container() for _ in range(4))
    with list_now:  # first, as people watch it
        now(key, len(rated))
    with asking:
        found = search(key)
        offer = offered(key, history, len(rated))
        chosen = found or picked(key, offer)
        if chosen:
            form(key, chosen, history)
        else:
            st.info("Nothing is left to ask about; search for a title.", icon=":material/search:")
    with more:
        asked = chosen and chosen["movie_id"]
        queue(key, [film for film in offer if film["movie_id"] != asked])
    if goal and len(rated) >= goal:
        enough.success("That is enough for a list of your own. More makes it better.")
        enough.page_link("app_pages/for_you.py", label="See your list", query_params=state.link())


def search(key: str) -> Movie | None:
    """A film found by title while it is typed: any of the catalogue."""
    typed = st.text_input(
        "Search a film by title",
        key=f"{key}-typed",
        type="search",
        live="250ms",
        icon=":material/search:",
        placeholder="e.g. matrix, amelie, lord of the rings",
    )
    if not typed or not typed.strip():
        return None
    films = api.service().search(typed.strip()[:200], k=FOUND)["items"]
    if not films:
        st.caption(f"Nothing is called like “{typed}”.")
        return None
    ids = {film["movie_id"]: film for film in films}
    with st.container(height="content" if len(films) <= LONG else LONG_PX, border=False):
        found = st.radio(
            f"Found {len(films)}",
            list(ids),
            format_func=lambda one: widgets.plain(widgets.name_of(ids[one])),
            key=f"{key}-found-{typed}",
        )
    return ids[found]


def offered(key: str, history: Sequence[HistoryItem], rated: int) -> Sequence[Movie]:
    """What to ask about next, none of it rated, refused or passed over."""
    way = st.segmented_control(
        "Ask me about",
        [KNOWN, TELLING],
        default=KNOWN if rated < BEGUN else TELLING,
        required=True,
        key=f"{key}-way",
    )
    done = widgets.seen_ids(history) | _passed()
    if way == TELLING:
        k = min(OFFERED + len(_passed()), api.CHART_K)
        asked = api.service().rate_next(user_id=state.me(), k=k)["items"]
        return [film for film in asked if film["movie_id"] not in done][:OFFERED]
    return [film for film in api.chart("popular") if film["movie_id"] not in done][:OFFERED]


def picked(key: str, offer: Sequence[Movie]) -> Movie | None:
    """The film that was clicked in the queue, else the first of it."""
    wanted = st.session_state.get(f"{key}-picked")
    return next((film for film in offer if film["movie_id"] == wanted), offer[0] if offer else None)


def queue(key: str, offer: Sequence[Movie]) -> None:
    """Posters of other films: people spot what they have seen faster than they answer."""
    if not offer:
        return
    st.subheader("Or have you seen any of these?", anchor=False)
    with st.container(horizontal=True, key=f"row-queue-{key}"):
        for film in offer:
            movie_id = film["movie_id"]
            with st.container(key=f"card-{key}-{movie_id}", width=widgets.WIDTH - 30):
                st.image(posters.poster(film), alt=posters.says(film), width="stretch")
                st.button(
                    f"**{widgets.plain(film['title'])}**",
                    key=f"{key}-pick-{movie_id}",
                    type="tertiary",
                    on_click=_pick,
                    args=(key, movie_id),
                )


def form(key: str, film: Movie, history: Sequence[HistoryItem]) -> None:
    """The film that is being rated."""
    movie_id = film["movie_id"]
    with st.container(border=True, key=f"form-{key}"):
        left, right = st.columns([1, 4], gap="medium", wrap=False)
        with left.container(key=f"poster-{key}"):
            st.image(posters.poster(film), alt=posters.says(film), width="stretch")
        with right:
            st.subheader(widgets.plain(widgets.name_of(film)), anchor=False)
            st.caption(", ".join(film["genres"]) or "no genres listed")
            if why := reason(film):
                st.caption(why)
            rate(key, film, history)
            answers(key, movie_id, film["title"])


def rate(key: str, film: Movie, history: Sequence[HistoryItem]) -> None:
    """Half stars, with what the person gave before beside them."""
    movie_id = film["movie_id"]
    before = next(
        (e["stars"] for e in rating_scale.rated(history) if e["movie_id"] == movie_id), None
    )
    stars = st.select_slider(
        f"Your stars for {widgets.plain(film['title'])}",
        rating_scale.HALVES,
        value=before or rating_scale.MIDDLE,
        format_func=rating_scale.said,
        key=f"{key}-stars-{movie_id}",
    )
    if told := rating_scale.yardstick(stars, [e for e in history if e["movie_id"] != movie_id]):
        st.caption(f"Yardstick: {widgets.plain(told)}")
    st.button(
        f"Give {stars:g} ★" if before is None else f"Change {before:g} to {stars:g} ★",
        key=f"{key}-rate",
        type="primary",
        on_click=give,
        args=(movie_id, film["title"], stars, before),
    )


def answers(key: str, movie_id: int, title: str) -> None:
    """What can be said of a film that is not stars."""
    with st.container(horizontal=True):
        st.button("Haven't seen", key=f"{key}-unseen", on_click=unseen, args=(movie_id, title))
        st.button("Not for me", key=f"{key}-refuse", on_click=refuse, args=(movie_id, title))
        last = cast(list[tuple[int, str, float | None]], st.session_state.get("undo", []))
        if last:
            told = f"Undo {widgets.plain(last[-1][1])}"
            st.button(told, key=f"{key}-undo", icon=":material/undo:", on_click=undo)


def now(key: str, rated: int) -> None:
    """The list as it stands after this rating."""
    answer = api.service().recommend(user_id=state.me(), k=LISTED, **({} if rated else api.mixed()))
    note = (
        "Most people's favourites: rate a film, and this row becomes yours."
        if answer["strategy"] == "popular"
        else "It moves with every star you give."
    )
    widgets.row("Your list, as of now", answer["items"], f"now-{key}", note)


def reason(film: Movie | RateNextItem) -> str:
    """Why this film is asked about, where the service says so."""
    why = cast(RateNextItem, film).get("why")
    if why is None:
        return ""
    seen = f"Why this one: {why['seen_probability']:.0%} likely that you have seen it"
    missing = widgets.FEW - film["support"]
    if missing > 0:
        return f"{seen}, and {missing} more rating{'s' * (missing > 1)} let it be judged at all."
    return f"{seen}, and your stars would say much about your taste."


def give(movie_id: int, title: str, stars: float, before: float | None) -> None:
    if state.act(f"{stars:g} ★ for {title}", api.service().rate, state.me(), movie_id, stars):
        _remember(movie_id, title, before)


def refuse(movie_id: int, title: str) -> None:
    if state.act(f"Never again: {title}", api.service().not_interested, state.me(), movie_id):
        _remember(movie_id, title, None)


def bring_back(movie_id: int, title: str) -> None:
    """No rating and no refusal: as if nothing had been said of it."""
    state.act(f"Taken back: {title}", api.service().unrate, state.me(), movie_id)


def unseen(movie_id: int, title: str) -> None:
    if state.act(f"Not seen: {title}", api.service().not_seen, state.me(), movie_id):
        _remember(movie_id, title, None)
        st.session_state["passed"] = _passed() | {movie_id}


def undo() -> None:
    """Take the last answer back: the stars before it, or none."""
    movie_id, title, before = st.session_state["undo"][-1]
    if before is None:
        done = state.act(f"Taken back: {title}", api.service().unrate, state.me(), movie_id)
    else:
        said = f"Again {before:g} ★ for {title}"
        done = state.act(said, api.service().rate, state.me(), movie_id, before)
    if done:
        st.session_state["undo"].pop()
        st.session_state["passed"] = _passed() - {movie_id}


def _remember(movie_id: int, title: str, before: float | None) -> None:
    st.session_state.setdefault("undo", []).append((movie_id, title, before))


def _pick(key: str, movie_id: int) -> None:
    """A click on a poster also ends a search, whose find would stand before it."""
    st.session_state[f"{key}-picked"] = movie_id
    st.session_state[f"{key}-typed"] = ""


def _passed() -> set[int]:
    return cast(set[int], st.session_state.get("passed", set()))
