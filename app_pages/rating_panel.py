"""The panel where movies are rated: search, a queue of movies to ask about, half stars, undo.

It is a fragment: a rating stores one event, requests the history and one list, and redraws this
part of the page only.

A new user is first asked about movies of the popular chart, of which users have seen one in 11.
After WARM_UP_RATINGS ratings come the movies whose rating is most informative, of which they have
seen one in 36 (results/rate-next-ml-1m.new-users.json).
"""

from collections.abc import Sequence
from typing import cast

import streamlit as st

from app_pages import api, posters, rating_scale, state, widgets
from marquee_client.requests import RecommendRequest
from marquee_client.types import HistoryItem, Movie, MovieToRate

QUEUE_LENGTH = 8
WARM_UP_RATINGS = 15
MAX_HITS = 20
MAX_UNSCROLLED_HITS, HITS_PX = 6, 220
MAX_QUERY_CHARS = 200
LIST_LENGTH = 8
WELL_KNOWN, INFORMATIVE = "Movies many have seen", "Movies whose stars say most"
Action = tuple[int, str, float | None]
"""movie_id, title, and the stars before the action (None: no rating)."""


@st.fragment
@widgets.page
def show(key: str = "rate", goal: int = 0) -> None:
    """Draw the panel.

    key: prefix of its widgets. goal: number of ratings to ask for; 0: no goal.
    """
    history = api.service().history(state.me())["items"]
    num_rated = len(rating_scale.rated_items(history))
    if goal:
        st.progress(min(num_rated / goal, 1.0), text=f"{num_rated} of {goal} movies rated")
    question_area, goal_area, list_area, queue_area = (st.container() for _ in range(4))
    with list_area:  # first, because visitors watch it
        current_list(key, num_rated)
    with question_area:
        hit = search(key)
        candidates = queue_candidates(key, history, num_rated)
        movie = hit or selected(key, candidates)
        if movie:
            form(key, movie, history)
        else:
            st.info("Nothing is left to ask about; search for a title.", icon=":material/search:")
    with queue_area:
        movie_id = movie and movie["movie_id"]
        queue(key, [other for other in candidates if other["movie_id"] != movie_id])
    if goal and num_rated >= goal:
        goal_area.success("That is enough for a list of your own. More makes it better.")
        goal_area.page_link(widgets.FOR_YOU_PAGE, label="See your list", query_params=state.link())


def search(key: str) -> Movie | None:
    """Search the catalog by title while it is typed; return the selected hit."""
    text = st.text_input(
        "Search a movie by title",
        key=f"{key}-typed",
        type="search",
        live="250ms",
        icon=":material/search:",
        placeholder="e.g. matrix, amelie, lord of the rings",
    )
    if not text or not text.strip():
        return None
    hits = api.service().search(text.strip()[:MAX_QUERY_CHARS], k=MAX_HITS)["items"]
    if not hits:
        st.caption(f"Nothing is called like “{text}”.")
        return None
    by_id = {movie["movie_id"]: movie for movie in hits}
    is_short = len(hits) <= MAX_UNSCROLLED_HITS
    with st.container(height="content" if is_short else HITS_PX, border=False):
        movie_id = st.radio(
            f"Found {len(hits)}",
            list(by_id),
            format_func=lambda movie_id: widgets.plain(widgets.name_of(by_id[movie_id])),
            key=f"{key}-found-{text}",
        )
    return by_id[movie_id]


def queue_candidates(key: str, history: Sequence[HistoryItem], num_rated: int) -> Sequence[Movie]:
    """Return movies to ask about: none that was rated, refused or skipped."""
    mode = st.segmented_control(
        "Ask me about",
        [WELL_KNOWN, INFORMATIVE],
        default=WELL_KNOWN if num_rated < WARM_UP_RATINGS else INFORMATIVE,
        required=True,
        key=f"{key}-way",
    )
    excluded_ids = widgets.movie_ids(history) | _skipped_ids()
    movies: Sequence[Movie]
    if mode == INFORMATIVE:
        k = min(QUEUE_LENGTH + len(_skipped_ids()), api.MAX_CHART_K)
        movies = api.service().rate_next(user_id=state.me(), k=k)["items"]
    else:
        movies = api.chart("popular")
    return [movie for movie in movies if movie["movie_id"] not in excluded_ids][:QUEUE_LENGTH]


def selected(key: str, candidates: Sequence[Movie]) -> Movie | None:
    """Return the movie that was clicked in the queue, else its first."""
    movie_id = st.session_state.get(f"{key}-picked")
    first = candidates[0] if candidates else None
    return next((movie for movie in candidates if movie["movie_id"] == movie_id), first)


def queue(key: str, movies: Sequence[Movie]) -> None:
    """Show posters of further movies.

    Visitors spot a seen one faster than they answer.
    """
    if not movies:
        return
    st.subheader("Or have you seen any of these?", anchor=False)
    with st.container(horizontal=True, key=f"row-queue-{key}"):
        for movie in movies:
            movie_id = movie["movie_id"]
            with st.container(key=f"card-{key}-{movie_id}", width=widgets.CARD_PX - 30):
                st.image(posters.poster(movie), alt=posters.alt_text(movie), width="stretch")
                st.button(
                    f"**{widgets.plain(movie['title'])}**",
                    key=f"{key}-pick-{movie_id}",
                    type="tertiary",
                    on_click=_select,
                    args=(key, movie_id),
                )


def form(key: str, movie: Movie, history: Sequence[HistoryItem]) -> None:
    """Show the movie that is being rated."""
    with st.container(border=True, key=f"form-{key}"):
        left, right = st.columns([1, 4], gap="medium", wrap=False)
        with left.container(key=f"poster-{key}"):
            st.image(posters.poster(movie), alt=posters.alt_text(movie), width="stretch")
        with right:
            st.subheader(widgets.plain(widgets.name_of(movie)), anchor=False)
            st.caption(", ".join(movie["genres"]) or "no genres listed")
            if text := reason(movie):
                st.caption(text)
            stars_slider(key, movie, history)
            other_answers(key, movie["movie_id"], movie["title"])


def stars_slider(key: str, movie: Movie, history: Sequence[HistoryItem]) -> None:
    """Show half stars to give, with the user's earlier ratings for comparison."""
    movie_id = movie["movie_id"]
    previous_stars = next(
        (e["stars"] for e in rating_scale.rated_items(history) if e["movie_id"] == movie_id), None
    )
    stars = st.select_slider(
        f"Your stars for {widgets.plain(movie['title'])}",
        rating_scale.HALF_STARS,
        value=previous_stars or rating_scale.DEFAULT_STARS,
        format_func=rating_scale.describe,
        key=f"{key}-stars-{movie_id}",
    )
    others = [entry for entry in history if entry["movie_id"] != movie_id]
    if text := rating_scale.yardstick(stars, others):
        st.caption(f"Yardstick: {widgets.plain(text)}")
    st.button(
        f"Give {stars:g} ★"
        if previous_stars is None
        else f"Change {previous_stars:g} to {stars:g} ★",
        key=f"{key}-rate",
        type="primary",
        on_click=rate,
        args=(movie_id, movie["title"], stars, previous_stars),
    )


def other_answers(key: str, movie_id: int, title: str) -> None:
    """Show the answers that are not stars, and undo."""
    with st.container(horizontal=True):
        st.button(
            "Haven't seen", key=f"{key}-unseen", on_click=mark_not_seen, args=(movie_id, title)
        )
        st.button(
            "Not for me", key=f"{key}-refuse", on_click=mark_not_interested, args=(movie_id, title)
        )
        actions = cast(list[Action], st.session_state.get("undo", []))
        if actions:
            label = f"Undo {widgets.plain(actions[-1][1])}"
            st.button(label, key=f"{key}-undo", icon=":material/undo:", on_click=undo)


def current_list(key: str, num_rated: int) -> None:
    """Show the user's list after the last rating."""
    query: RecommendRequest = {"user_id": state.me(), "k": LIST_LENGTH}
    if not num_rated:
        query |= api.genre_profile()
    response = api.service().recommend(**query)
    note = (
        "Most people's favourites: rate a movie, and this row becomes yours."
        if response["strategy"] == "popular"
        else "It moves with every star you give."
    )
    widgets.row("Your list, as of now", response["items"], f"now-{key}", note)


def reason(movie: Movie | MovieToRate) -> str:
    """Return the reason to ask about this movie; "" where the service gives none."""
    why = cast(MovieToRate, movie).get("why")
    if why is None:
        return ""
    text = f"Why this one: {why['seen_probability']:.0%} likely that you have seen it"
    missing = widgets.MIN_RATINGS - movie["num_ratings"]
    if missing > 0:
        return f"{text}, and {missing} more rating{'s' * (missing > 1)} let it be judged at all."
    return f"{text}, and your stars would say much about your taste."


def rate(movie_id: int, title: str, stars: float, previous_stars: float | None) -> None:
    """Store a rating. previous_stars: those that it replaces, for undo."""
    if state.act(f"{stars:g} ★ for {title}", api.service().rate, state.me(), movie_id, stars):
        _remember(movie_id, title, previous_stars)


def mark_not_interested(movie_id: int, title: str) -> None:
    """Store that the movie must not be recommended again."""
    if state.act(f"Never again: {title}", api.service().not_interested, state.me(), movie_id):
        _remember(movie_id, title, None)


def unrate(movie_id: int, title: str) -> None:
    """Remove the rating and both marks of a movie."""
    state.act(f"Taken back: {title}", api.service().unrate, state.me(), movie_id)


def mark_not_seen(movie_id: int, title: str) -> None:
    """Store that the user has not seen the movie, and skip it in the queue."""
    if state.act(f"Not seen: {title}", api.service().not_seen, state.me(), movie_id):
        _remember(movie_id, title, None)
        st.session_state["skipped"] = _skipped_ids() | {movie_id}


def undo() -> None:
    """Take the last answer back: restore the stars before it, or none."""
    movie_id, title, previous_stars = st.session_state["undo"][-1]
    if previous_stars is None:
        succeeded = state.act(f"Taken back: {title}", api.service().unrate, state.me(), movie_id)
    else:
        message = f"Again {previous_stars:g} ★ for {title}"
        succeeded = state.act(message, api.service().rate, state.me(), movie_id, previous_stars)
    if succeeded:
        st.session_state["undo"].pop()
        st.session_state["skipped"] = _skipped_ids() - {movie_id}


def _remember(movie_id: int, title: str, previous_stars: float | None) -> None:
    st.session_state.setdefault("undo", []).append((movie_id, title, previous_stars))


def _select(key: str, movie_id: int) -> None:
    """Select a clicked movie, and end the search: its hit would take precedence."""
    st.session_state[f"{key}-picked"] = movie_id
    st.session_state[f"{key}-typed"] = ""


def _skipped_ids() -> set[int]:
    return cast(set[int], st.session_state.get("skipped", set()))
