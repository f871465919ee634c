"""The panel where movies are rated: search, a queue of movies to ask about, stars, undo.

In a catalog without ratings a movie is marked as watched instead.

A new user is first asked about movies of the popular chart, of which users have seen one in 11.
After WARM_UP_RATINGS ratings come the movies whose rating is most informative, of which they have
seen one in 36 (results/rate-next-ml-1m.new-users.json).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import streamlit as st

from app_pages import address, api, parameters, rating_scale, state, widgets
from marquee_client import label
from marquee_client.requests import RecommendRequest
from marquee_client.types import HistoryItem, Movie, MovieId, MovieToRate

QUEUE_LENGTH = 8
WARM_UP_RATINGS = 15
MAX_HITS = 20
MAX_UNSCROLLED_HITS, HITS_PX = 6, 220
LIST_LENGTH = 8
WELL_KNOWN, INFORMATIVE = "Movies many have seen", "Movies whose stars say most"
TELLING = "Movies that you may have seen"
"""In place of INFORMATIVE where there are no stars."""


@st.fragment
@widgets.page
def show(key: str = "rate", goal: int = 0) -> None:
    """Draw the panel. key: prefix of its widgets; goal: ratings to ask for, or 0."""
    history = api.history()
    num_rated = len(api.answers(history))
    if goal:
        verb = widgets.worded("rated", "marked")
        num_counted = min(num_rated, goal)
        st.progress(num_counted / goal, text=f"{num_counted} of {goal} movies {verb}")
    question_area, goal_area, list_area, queue_area = (st.container() for _ in range(4))
    with list_area:  # first, because visitors watch it
        current_list(key, num_rated)
    with question_area:
        hit = search(key)
        candidates = queue_candidates(key, history, num_rated)
        picked = [movie for movie in candidates if movie["movie_id"] == picked_id()]
        movie = hit or next(iter([*picked, *candidates]), None)
        if movie:
            form(key, movie, history)
        else:
            st.info("No movie is left in this queue. Search for a title.", icon=":material/search:")
    with queue_area:
        movie_id = movie and movie["movie_id"]
        queue(key, [other for other in candidates if other["movie_id"] != movie_id])
    if goal and num_rated >= goal:
        with goal_area:
            more = widgets.worded("ratings", "movies")
            st.success(f"That is enough for a list of your own. More {more} make it better.")
            widgets.link(widgets.FOR_YOU_PAGE, "See your list")


def search(key: str) -> Movie | None:
    text = st.text_input(
        "Search a movie by title",
        type="search",
        live="250ms",
        max_chars=parameters.MAX_SEARCH_CHARS,
        **address.bound(f"{key}-typed", "", parameters.search),
        icon=":material/search:",
        placeholder="a title, or a part of it",
    )
    query = parameters.search(text or "")
    if not query:
        return None
    hits = api.service().search(query, k=MAX_HITS)["items"]
    if not hits:
        st.caption(f"No title is like “{widgets.plain(query)}”. Try a part of it.")
        return None
    by_id = {movie["movie_id"]: movie for movie in hits}
    names = parameters.distinct(widgets.plain(label(movie)) for movie in hits)
    is_short = len(hits) <= MAX_UNSCROLLED_HITS
    with st.container(height="content" if is_short else HITS_PX, border=False):
        choices = dict(zip(by_id, names, strict=True))
        movie_id = choose(st.radio, f"Found {len(hits)}", choices, f"{key}-found-{query}")
    return by_id[movie_id]


def choose(
    widget: Callable[..., MovieId], name: str, choices: Mapping[MovieId, str], key: str
) -> MovieId:
    """Show movies to choose from, movie_id -> text; the address holds the choice."""
    movie_ids = list(choices)
    address_id = picked_id()
    st.session_state[key] = address_id if address_id in choices else movie_ids[0]
    return widget(
        name, movie_ids, format_func=choices.__getitem__, key=key, on_change=pick, args=(key,)
    )


def picked_id() -> MovieId | None:
    """Return the movie that the address asks about, if any."""
    address.check("pick", lambda text: api.movie_id(text) is not None)
    return api.movie_id(st.query_params.get("pick", ""))


def pick(key: str) -> None:
    """Write a widget's movie into the address."""
    address.write(pick=str(st.session_state[key]))


def queue_candidates(key: str, history: Sequence[HistoryItem], num_rated: int) -> Sequence[Movie]:
    """Return movies to ask about: none that was rated, refused or skipped."""
    modes = [WELL_KNOWN, widgets.worded(INFORMATIVE, TELLING)]
    default = modes[num_rated >= WARM_UP_RATINGS]
    way = address.bound(f"{key}-way", default, parameters.one_of(modes))
    mode = st.segmented_control("Ask me about", modes, required=True, **way)
    movies: Sequence[Movie]
    if mode != WELL_KNOWN:
        k = min(QUEUE_LENGTH + len(state.skipped_ids()), api.MAX_CHART_K)
        movies = api.service().rate_next(**api.user(), k=k)["items"]
    else:
        movies = api.chart("popular")
    excluded_ids = widgets.movie_ids(history) | state.skipped_ids()
    return [movie for movie in movies if movie["movie_id"] not in excluded_ids][:QUEUE_LENGTH]


def queue(key: str, movies: Sequence[Movie]) -> None:
    """Show posters of further movies: visitors spot a seen one quickly."""
    if not movies:
        return
    st.subheader("Or have you seen any of these?", anchor=False)
    with st.container(horizontal=True, key=f"row-queue-{key}"):
        for movie in movies:
            movie_id = movie["movie_id"]
            with st.container(key=f"card-{key}-{movie_id}", width=widgets.CARD_PX - 30):
                widgets.poster(movie)
                name = f"**{widgets.plain(widgets.short(movie['title']))}**"
                pick_key = f"{key}-pick-{movie_id}"
                widgets.action(name, pick_key, _select, key, movie_id, kind="tertiary")


def form(key: str, movie: Movie, history: Sequence[HistoryItem]) -> None:
    with st.container(border=True, key=f"form-{key}"):
        left, right = st.columns([1, 4], gap="medium", wrap=False)
        with left.container(key=f"poster-{key}"):
            widgets.poster(movie)
        with right:
            st.subheader(widgets.heading(movie), anchor=False)
            if genres := ", ".join(map(widgets.plain, movie["genres"])):
                st.caption(genres)
            elif api.genres():
                st.caption("no genres listed")
            if text := reason(movie):
                st.caption(text)
            answer(key, movie, history)
            other_answers(key, movie)


def answer(key: str, movie: Movie | HistoryItem, history: Sequence[HistoryItem]) -> None:
    """Show stars to give; in a catalog without ratings, a button for "watched"."""
    if api.scale():
        stars_slider(key, movie, history)
        return
    if movie["movie_id"] in widgets.movie_ids(api.answers(history)):
        st.caption("You have watched it.")
    arguments = (movie["movie_id"], label(movie))
    widgets.action("I have watched it", f"{key}-watched", watch, *arguments, kind="primary")


def stars_slider(key: str, movie: Movie | HistoryItem, history: Sequence[HistoryItem]) -> None:
    """Show the steps of the scale, with the user's earlier ratings for comparison."""
    movie_id, title = movie["movie_id"], label(movie)
    earlier = {entry["movie_id"]: entry["stars"] for entry in rating_scale.rated_items(history)}
    previous_stars = earlier.get(movie_id)
    scale = api.scale()
    stars = st.select_slider(
        f"Your stars for {widgets.plain(widgets.short(title, widgets.MAX_HEADING_CHARS))}",
        scale,
        value=previous_stars if previous_stars in scale else rating_scale.default(scale),
        format_func=lambda value: rating_scale.text(value, scale),
        key=f"{key}-stars-{movie_id}",
    )
    others = [entry for entry in history if entry["movie_id"] != movie_id]
    if text := rating_scale.yardstick(stars, others):
        st.caption(f"Yardstick: {widgets.plain(text)}")
    is_first = previous_stars is None
    name = f"Give {stars:g} ★" if is_first else f"Change {previous_stars:g} to {stars:g} ★"
    arguments = (movie_id, title, stars, previous_stars)
    widgets.action(name, f"{key}-rate", rate, *arguments, kind="primary")


def other_answers(key: str, movie: Movie) -> None:
    names = movie["movie_id"], movie["title"]
    service = api.service()
    with st.container(horizontal=True):
        widgets.action("Haven't seen", f"{key}-unseen", refuse, service.not_seen, *names)
        widgets.action("Not for me", f"{key}-refuse", refuse, service.not_interested, *names)
        if actions := state.actions():
            undo_label = f"Undo {widgets.plain(widgets.short(actions[-1][1]))}"
            widgets.action(undo_label, f"{key}-undo", undo, icon=":material/undo:")


def current_list(key: str, num_rated: int) -> None:
    query: RecommendRequest = api.user() | {"k": LIST_LENGTH}
    if not num_rated:
        query |= api.genre_profile()
    response = api.service().recommend(**query)
    note = (
        widgets.worded(
            "What most people like. Rate a movie, and this row becomes yours.",
            "What most people watch. Mark a movie, and this row becomes yours.",
        )
        if response["strategy"] == "popular"
        else widgets.worded("It moves with every star you give.", "It moves with every movie.")
    )
    widgets.row("Your list, as of now", response["items"], f"now-{key}", note)


def reason(movie: Movie | MovieToRate) -> str:
    """Return the reason to ask about this movie; "" where the service gives none."""
    why = cast(MovieToRate, movie).get("why")
    if why is None:
        return ""
    seen = f"The chance that you have seen it is {why['seen_probability']:.0%}"
    if "information" not in why:  # without ratings
        return f"{seen}."
    purpose = "your stars would say much about your taste"
    if (missing := widgets.MIN_RATINGS - movie["num_ratings"]) > 0:
        purpose = f"it needs {missing} more rating{'s' * (missing > 1)} to be judged"
    return f"{seen}, and {purpose}."


def watch(movie_id: MovieId, title: str) -> None:
    """Store that a movie was watched, and skip it in the queue."""
    if state.act(f"Watched: {title}", api.service().watched, state.me(), movie_id):
        state.skipped_ids().add(movie_id)


def rate(movie_id: MovieId, title: str, stars: float, previous_stars: float | None) -> None:
    """Store a rating. previous_stars: those that it replaces, for undo."""
    if state.act(f"{stars:g} ★ for {title}", api.service().rate, state.me(), movie_id, stars):
        state.actions().append((movie_id, title, previous_stars))


def refuse(call: Callable[..., Any], movie_id: MovieId, title: str) -> None:
    """Store “haven't seen” or “not for me”, and skip the movie in the queue."""
    if state.act(f"Noted for {title}", call, state.me(), movie_id):
        state.actions().append((movie_id, title, None))
        state.skipped_ids().add(movie_id)


def unrate(movie_id: MovieId, title: str) -> bool:
    """Remove the rating and both marks of a movie; return the success."""
    succeeded = state.act(f"Undone: {title}", api.service().unrate, state.me(), movie_id)
    if succeeded:
        state.skipped_ids().discard(movie_id)
    return succeeded


def undo() -> None:
    """Undo the last answer: restore the stars before it, or none."""
    movie_id, title, stars = state.actions()[-1]
    if stars is None:
        succeeded = unrate(movie_id, title)
    else:
        message = f"Back to {stars:g} ★ for {title}"
        succeeded = state.act(message, api.service().rate, state.me(), movie_id, stars)
    if succeeded:
        state.actions().pop()


def _select(key: str, movie_id: MovieId) -> None:
    """Select a clicked movie, and end the search: its hit would take precedence."""
    st.session_state[f"{key}-typed"] = ""
    address.write(pick=str(movie_id))
