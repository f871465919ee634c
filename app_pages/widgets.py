"""Elements that several pages show: cards and rows of movies, stars in words, error screens.

    @widgets.page
    def show() -> None: ...

A page or fragment drawn through `page` has a screen for every answer of the service: popular movies
and another try where it does not answer, its own message where it refuses. Errors of the code are
not caught: they are shown and logged.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any, Literal, ParamSpec, cast

import streamlit as st

from app_pages import address, api, parameters, posters, rating_scale, state
from marquee_client import MarqueeError, Unavailable, UnknownMovie
from marquee_client.types import HistoryItem, Movie, MovieId, RecommendedMovie, ScoredMovie

Params = ParamSpec("Params")
plain = parameters.plain
CARD_PX = 150
MAX_TITLE_CHARS = 54
"""Three lines of a card; a longer title would push its stars out. The poster has more of it."""
MAX_HEADING_CHARS = 200
MIN_RATINGS = 5
"""With fewer ratings a movie's predicted stars rest on genres and title. It is also the number of
the visitor's own ratings from which their lists count as their own."""
MAX_FALLBACK_MOVIES = 24
FOR_YOU_PAGE = "for_you"
RATE_PAGE = "rate"


def page(draw: Callable[Params, None]) -> Callable[Params, None]:
    """Add the last action's outcome, notes, a spinner and error screens to a page."""
    key = f"{draw.__module__}-{draw.__name__}"

    @wraps(draw)
    def draw_safely(*args: Params.args, **kwargs: Params.kwargs) -> None:
        top = st.container()
        with top:
            state.show_outcome()
        try:
            with ExitStack() as spinner:
                with st.container(key=f"wait-{key}"):
                    spinner.enter_context(st.spinner("Asking the service", show_time=True))
                draw(*args, **kwargs)
        except Unavailable as error:
            with top:
                show_unavailable(error, key)
        except UnknownMovie:
            with top:
                message = "**This movie is not in the catalog.** Search for it by title."
                st.warning(message, icon=":material/search_off:")
                link(RATE_PAGE, "Search by title", ":material/search:")
        except MarqueeError as error:
            message = f"The service refused this request: {plain(str(error))}."
            top.error(f"{message} Change it, or reload the page.", icon=":material/error:")
        address.remember(state.ADDRESS_KEYS)
        with top:
            address.show_notes()

    return draw_safely


def show_unavailable(error: MarqueeError, key: str) -> None:
    state.log.warning("unavailable: %s", error)
    st.warning(
        f"**The service does not answer** ({error.code}). Your ratings are safe there. Try again "
        "in a moment; until then, here is what most people watch.",
        icon=":material/cloud_off:",
    )
    st.button("Try again", key=f"again-{key}", type="primary", icon=":material/refresh:")
    movies = api.last_popular()[:MAX_FALLBACK_MOVIES]
    empty = "This machine has no list to show yet. It saves one when the service answers."
    row("Popular, as last known", movies, key, empty=empty, linked=False)


def link(page: str, label: str, icon: str | None = None) -> None:
    """Show a link to a page, by its path in an address."""
    query = state.link_to(page)
    st.page_link(f"app_pages/{page}.py", label=label, icon=icon, query_params=query)


def action(
    label: str,
    key: str,
    call: Callable[..., Any],
    *args: Any,
    kind: Literal["primary", "secondary", "tertiary"] = "secondary",
    icon: str | None = None,
) -> None:
    """Show a button that runs the call before the page is drawn again."""
    st.button(label, key=key, on_click=call, args=args, type=kind, icon=icon)


def row(
    name: str,
    movies: Sequence[Movie],
    key: str,
    note: str = "",
    *,
    empty: str = "",
    linked: bool = True,
) -> None:
    """Show a heading, a note and movies side by side, in the order given.

    empty: the text in place of movies; "" hides an empty row.
    """
    if not movies and not empty:
        return
    st.subheader(plain(short(name, MAX_HEADING_CHARS)), anchor=False)
    for text in filter(None, (note, "" if movies else empty)):
        st.caption(text)
    with st.container(horizontal=True, key=f"row-{key}"):
        for movie in movies:
            card(movie, key, linked)


def card(movie: Movie, row: str, linked: bool = True) -> None:
    """Show a poster and a link: two elements only, as a page has sixty cards."""
    with st.container(key=f"card-{row}-{movie['movie_id']}", width=CARD_PX):
        poster(movie)
        label = f"**{plain(short(movie['title']))}**  \n:small[{plain(facts(movie))}]"
        if linked:
            query = state.identity() | {"movie": str(movie["movie_id"])}
            st.page_link("app_pages/movie.py", label=label, query_params=query)
        else:
            st.markdown(label)


def poster(movie: Movie) -> None:
    alt = f"Poster of {movie['title']}: {', '.join(movie['genres']) or 'no genres listed'}"
    st.image(posters.poster(movie), alt=alt, width="stretch")


def short(title: str, max_chars: int = MAX_TITLE_CHARS) -> str:
    if len(title) <= max_chars:
        return title
    return f"{title[: max_chars - 1].rstrip()}…"


def heading(movie: Movie) -> str:
    """Return title and year for a heading, as plain text of Markdown."""
    year = movie["year"]
    title = short(movie["title"], MAX_HEADING_CHARS)
    return plain(title if year is None else f"{title} ({year})")


def facts(movie: Movie) -> str:
    """Return "★ 4.3 · 277 ratings"; without stars year and genres, or plays."""
    if "stars" not in movie:
        year = [str(movie["year"])] * (movie["year"] is not None)
        return " · ".join(year + movie["genres"][:2]) or count_plays(movie["num_ratings"])
    expected = cast(ScoredMovie, movie)["stars"]["expected"]
    text = f"★ {expected:.1f} · {count_ratings(movie['num_ratings'])}"
    return f"{text} · a guess" if movie["num_ratings"] < MIN_RATINGS else text


def count_ratings(count: int) -> str:
    """Return "no ratings yet", "1 rating" or "277 ratings"."""
    return "no ratings yet" if count == 0 else f"{count:,} rating{'s' * (count != 1)}"


def count_plays(count: int) -> str:
    """Return "no plays yet", "1 play" or "277 plays", for data without ratings."""
    return "no plays yet" if count == 0 else f"{count:,} play{'s' * (count != 1)}"


def worded(with_ratings: str, without: str) -> str:
    """Return the text for catalogs with ratings, or that for others."""
    return with_ratings if api.scale() else without


def prediction(item: ScoredMovie) -> None:
    """Show expected stars with their interval, as a mark on the scale and as words."""
    stars, count, scale = item["stars"], item["num_ratings"], api.scale()
    expected, low, high = stars["expected"], stars["low"], stars["high"]
    bottom, top = min(0.0, scale[0]), scale[-1]
    left, right, mark = (100 * (n - bottom) / (top - bottom) for n in (low, high, expected))
    first = "½ star" if scale[0] == 0.5 else f"{scale[0]:g}"
    st.html(
        f'<div class="scale" role="img" aria-label="{expected:.1f} of {top:g} stars, likely '
        f'{low:.1f} to {high:.1f}"><span class="likely" style="left:{left:.0f}%;'
        f'width:{right - left:.0f}%"></span>'
        f'<span class="expected" style="left:{mark:.0f}%"></span></div>'
        f'<div class="ends" aria-hidden="true"><span>{first}</span><span>{top:g} stars</span></div>'
    )
    of_top = "" if top == rating_scale.HALF_STARS[-1] else f" of {top:g}"
    st.markdown(
        f"**About {expected:.1f}{of_top} stars from you**, nine times in ten between {low:.1f} and "
        f"{high:.1f}. The chance of {rating_scale.liked(scale):g} or more is "
        f"{stars['p_like']:.0%}. Behind it: {count_ratings(count)}."
    )
    if count < MIN_RATINGS:
        st.caption(
            "Too few ratings to know this movie by. The guess rests on its genres, its title and "
            "your own scale. A rating from you helps every user."
        )


def reasons(item: RecommendedMovie) -> list[str]:
    """Return titles of the user's movies, or genres, the strongest reason first."""
    return [entry.get("title", entry.get("genre", "")) for entry in item.get("because", [])]


def movie_ids(movies: Iterable[Movie | HistoryItem]) -> set[MovieId]:
    return {movie["movie_id"] for movie in movies}
