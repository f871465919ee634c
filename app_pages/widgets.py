"""Elements that several pages show: cards and rows of movies, stars in words, error screens.

    @widgets.page
    def show() -> None: ...

A page or fragment drawn through `page` has a screen for every answer of the service. Where the
service does not answer, that is the popular movies as last known and a way to try again. Where it
refuses, it is the service's own message. Errors of the code are not caught: they are shown and
logged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

from app_pages import api, posters, state
from marquee_client import MarqueeError, Unavailable, UnknownMovie, label
from marquee_client.types import HistoryItem, Movie, RecommendedMovie, ScoredMovie, Stars

Params = ParamSpec("Params")
CARD_PX = 150
MAX_TITLE_CHARS = 54
"""Three lines of a card; a longer title would push its stars out. The poster has more of it."""
MIN_RATINGS = 5
"""With fewer ratings a movie's predicted stars rest on genres and title. It is also the number of
the visitor's own ratings from which their lists count as their own."""
MAX_FALLBACK_MOVIES = 24
MOVIE_PAGE = "app_pages/movie.py"
START_PAGE = "app_pages/start.py"
RATE_PAGE = "app_pages/rate.py"
FOR_YOU_PAGE = "app_pages/for_you.py"


def page(draw: Callable[Params, None]) -> Callable[Params, None]:
    """Add an outcome, a spinner and error screens to a page.

    The outcome is that of the last action.
    """

    @wraps(draw)
    def draw_safely(*args: Params.args, **kwargs: Params.kwargs) -> None:
        top = st.container()
        with top:
            state.show_outcome()
        try:
            with ExitStack() as waiting:
                with st.container(key=f"wait-{draw.__module__}-{draw.__name__}"):
                    waiting.enter_context(st.spinner("Asking the service", show_time=True))
                draw(*args, **kwargs)
        except Unavailable as error:
            with top:
                show_unavailable(error, f"{draw.__module__}-{draw.__name__}")
        except UnknownMovie as error:
            with top:
                show_unknown_movie(error)
        except MarqueeError as error:
            top.error(f"The service refused that: {error}", icon=":material/error:")

    return draw_safely


def show_unavailable(error: MarqueeError, key: str) -> None:
    """Say that the service does not answer, and offer another try.

    The screen also shows popular movies.
    """
    state.log.warning("unavailable: %s", error)
    st.warning(
        "**The service is away.** What you rated is kept there and comes back with it. "
        f"Meanwhile, what most people watch. ({error.code})",
        icon=":material/cloud_off:",
    )
    st.button("Try again", key=f"again-{key}", type="primary", icon=":material/refresh:")
    movies = api.last_popular()
    if not movies:
        st.info(
            "No list is kept on this machine yet: it is written when the service first answers."
        )
        return
    st.subheader("Popular, as last known")
    with st.container(horizontal=True, key=f"row-{key}"):
        for movie in movies[:MAX_FALLBACK_MOVIES]:
            card(movie, key, linked=False)


def show_unknown_movie(error: MarqueeError) -> None:
    """Say that the catalog lacks the movie, and link to the search."""
    st.warning(f"**That movie is not in this catalog.** {error}", icon=":material/search_off:")
    st.page_link(
        RATE_PAGE, label="Search by title", icon=":material/search:", query_params=state.link()
    )


def show_empty(message: str, page: str = START_PAGE, label: str = "Tell us what you like") -> None:
    """Show a message where a page has nothing to show, and a link that changes that."""
    st.info(message, icon=":material/movie:")
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=state.link())


def row(name: str, movies: Sequence[Movie], key: str, note: str = "", empty: str = "") -> None:
    """Show a heading and movies side by side, in the order given.

    note: stands below the heading. empty: stands in place of movies; "" hides an empty row.
    """
    if not movies and not empty:
        return
    st.subheader(name, anchor=False)
    if note:
        st.caption(note)
    if not movies:
        st.caption(empty)
        return
    with st.container(horizontal=True, key=f"row-{key}"):
        for movie in movies:
            card(movie, key)


def card(movie: Movie, row: str, linked: bool = True) -> None:
    """Show a poster, and title and facts as the link to the movie's page.

    These are two elements, because a page has sixty cards.
    """
    with st.container(key=f"card-{row}-{movie['movie_id']}", width=CARD_PX):
        st.image(posters.poster(movie), alt=posters.alt_text(movie), width="stretch")
        label = f"**{plain(short(movie['title']))}**  \n:small[{plain(facts(movie))}]"
        if linked:
            st.page_link(MOVIE_PAGE, label=label, query_params=movie_link(movie["movie_id"]))
        else:
            st.markdown(label)


def short(title: str) -> str:
    """Cut a title to the length of a card."""
    if len(title) <= MAX_TITLE_CHARS:
        return title
    return f"{title[: MAX_TITLE_CHARS - 1].rstrip()}…"


def movie_link(movie_id: int) -> dict[str, str]:
    """Return the query parameters of a movie's page."""
    return state.link(movie_id)


def facts(movie: Movie) -> str:
    """Return "★ 4.3 · 277 ratings" for an item of a list, else year and genres."""
    stars: Stars | None = movie.get("stars")  # type: ignore[assignment]
    if stars is None:
        return " · ".join([str(movie["year"])] * (movie["year"] is not None) + movie["genres"][:2])
    text = f"★ {stars['expected']:.1f} · {count_ratings(movie['num_ratings'])}"
    return f"{text} · a guess" if movie["num_ratings"] < MIN_RATINGS else text


def count_ratings(count: int) -> str:
    """Return "no ratings yet", "1 rating" or "277 ratings"."""
    return "no ratings yet" if count == 0 else f"{count:,} rating{'s' * (count != 1)}"


def prediction(item: ScoredMovie) -> None:
    """Show expected stars with their interval, as words and as a mark on the scale."""
    stars = item["stars"]
    st.html(scale(stars))
    st.markdown(
        f"**About {stars['expected']:.1f} stars from you**, nine times in ten between "
        f"{stars['low']:.1f} and {stars['high']:.1f}; {stars['p_like']:.0%} that it is 4 or more. "
        f"Behind it: {count_ratings(item['num_ratings'])}."
    )
    if item["num_ratings"] < MIN_RATINGS:
        st.caption(
            "Too few ratings to know this movie by: the guess rests on its genres, its title and "
            "your own scale. A rating from you helps everybody."
        )


def scale(stars: Stars) -> str:
    """Return the HTML of a star scale with the interval and the expected stars."""
    low, high, expected = (100 * stars[key] / 5 for key in ("low", "high", "expected"))
    text = f"{stars['expected']:.1f} of 5 stars, likely {stars['low']:.1f} to {stars['high']:.1f}"
    return (
        f'<div class="scale" role="img" aria-label="{text}">'
        f'<span class="likely" style="left:{low:.0f}%;width:{high - low:.0f}%"></span>'
        f'<span class="expected" style="left:{expected:.0f}%"></span></div>'
        '<div class="ends" aria-hidden="true"><span>½ star</span><span>5 stars</span></div>'
    )


def reasons(item: RecommendedMovie) -> list[str]:
    """Return the explanations, strongest first.

    They are titles of the user's movies, or genres.
    """
    return [entry.get("title", entry.get("genre", "")) for entry in item.get("because", [])]


def movie_ids(history: Iterable[HistoryItem]) -> set[int]:
    """Return the ids of every movie of a history, marks included."""
    return {entry["movie_id"] for entry in history}


def plain(text: str) -> str:
    """Escape the characters that Markdown would read as markup."""
    return "".join(
        "\\" + letter if letter in r"\`*_{}[]()#+-.!|~$:<>" else letter for letter in text
    )


def name_of(entry: Movie | HistoryItem) -> str:
    """Return "Heat (1995)"."""
    return label(entry)


def table(columns: Mapping[str, Sequence[Any]], name: str) -> None:
    """Show the numbers of a chart, folded in."""
    with st.expander(f"The numbers: {name}"):
        st.dataframe(dict(columns), hide_index=True, width="stretch")
