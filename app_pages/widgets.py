"""What several pages show: cards and rows of films, stars in words, and the screens for trouble.

    @parts.page("For you")
    def show() -> None: ...

A page or fragment that is drawn through `page` has a screen for everything that the service can
answer: nobody there (the popular films as last known, and a way to try again), or a refusal in its
own words. Errors of the code are not caught: they are shown, and logged.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

from app_pages import api, posters, state
from marquee_client import MarqueeError, Unavailable, UnknownMovie, label
from marquee_client.types import HistoryItem, Item, Movie, Stars

Given = ParamSpec("Given")
WIDTH = 150
TITLE_LETTERS = 54
"""Three lines of a card; a longer title would push its stars out. The poster has more of it."""
FEW = 5
"""Ratings below which predicted stars rest on genres and title."""
FILM = "app_pages/movie.py"
START = "app_pages/start.py"
RATE = "app_pages/rate.py"


def page(draw: Callable[Given, None]) -> Callable[Given, None]:
    """The same, with what the last action came to above it, a sign while it takes long, and a
    screen for each trouble."""

    @wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> None:
        top = st.container()
        with top:
            state.tell()
        try:
            with ExitStack() as waiting:
                with st.container(key=f"wait-{draw.__module__}-{draw.__name__}"):
                    waiting.enter_context(
                        st.spinner("RatingElicitation the service", show_time=True)
                    )
                draw(*args, **kwargs)
        except Unavailable as error:
            with top:
                away(error, f"{draw.__module__}-{draw.__name__}")
        except UnknownMovie as error:
            with top:
                unknown(error)
        except MarqueeError as error:
            top.error(f"The service refused that: {error}", icon=":material/error:")

    return drawn


def away(error: MarqueeError, key: str) -> None:
    """Nobody answers: say so, show what most people watch, and try again on request."""
    state.log.warning("away: %s", error)
    st.warning(
        "**The service is away.** What you rated is kept there and comes back with it. "
        f"Meanwhile, what most people watch. ({error.code})",
        icon=":material/cloud_off:",
    )
    st.button("Try again", key=f"again-{key}", type="primary", icon=":material/refresh:")
    films = api.last_popular()
    if not films:
        st.info(
            "No list is kept on this machine yet: it is written when the service first answers."
        )
        return
    st.subheader("Popular, as last known")
    with st.container(horizontal=True, key=f"row-{key}"):
        for film in films[:24]:
            card(film, key, linked=False)


def unknown(error: MarqueeError) -> None:
    st.warning(f"**That film is not in this catalogue.** {error}", icon=":material/search_off:")
    st.page_link(RATE, label="Search by title", icon=":material/search:", query_params=state.link())


def nothing(said: str, page: str = START, label: str = "Tell us what you like") -> None:
    """An empty place, and the way to fill it."""
    st.info(said, icon=":material/movie:")
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=state.link())


def row(name: str, films: Sequence[Movie], key: str, note: str = "", empty: str = "") -> None:
    """A heading, and films side by side in the order given."""
    if not films and not empty:
        return
    st.subheader(name, anchor=False)
    if note:
        st.caption(note)
    if not films:
        st.caption(empty)
        return
    with st.container(horizontal=True, key=f"row-{key}"):
        for film in films:
            card(film, key)


def card(film: Movie, row: str, linked: bool = True) -> None:
    """Poster, and title and facts as the link to the film's page; two elements, as there are sixty
    of them on a page."""
    with st.container(key=f"card-{row}-{film['movie_id']}", width=WIDTH):
        st.image(posters.poster(film), alt=posters.says(film), width="stretch")
        label = f"**{plain(short(film['title']))}**  \n:small[{plain(facts(film))}]"
        if linked:
            st.page_link(FILM, label=label, query_params=to(film["movie_id"]))
        else:
            st.markdown(label)


def short(title: str) -> str:
    """For a card."""
    return title if len(title) <= TITLE_LETTERS else f"{title[: TITLE_LETTERS - 1].rstrip()}…"


def to(movie_id: int) -> dict[str, str]:
    """Query parameters of a film's page."""
    return state.link(movie=movie_id)


def facts(film: Movie) -> str:
    """Of an item of a list: "★ 4.3 for you · 277 ratings"; else year and genres."""
    stars: Stars | None = film.get("stars")  # type: ignore[assignment]
    if stars is None:
        return " · ".join([str(film["year"])] * (film["year"] is not None) + film["genres"][:2])
    told = f"★ {stars['expected']:.1f} · {counted(film['support'])}"
    return f"{told} · a guess" if film["support"] < FEW else told


def counted(ratings: int) -> str:
    return "no ratings yet" if ratings == 0 else f"{ratings:,} rating{'s' * (ratings != 1)}"


def prediction(item: Item) -> None:
    """Expected stars with their interval: as words, and as a mark on the scale."""
    stars = item["stars"]
    st.html(scale(stars))
    st.markdown(
        f"**About {stars['expected']:.1f} stars from you**, nine times in ten between "
        f"{stars['low']:.1f} and {stars['high']:.1f}; {stars['p_like']:.0%} that it is 4 or more. "
        f"Behind it: {counted(item['support'])}."
    )
    if item["support"] < FEW:
        st.caption(
            "Too few ratings to know this film by: the guess rests on its genres, its title and "
            "your own scale. A rating from you helps everybody."
        )


def scale(stars: Stars) -> str:
    low, high, middle = (100 * stars[k] / 5 for k in ("low", "high", "expected"))
    said = f"{stars['expected']:.1f} of 5 stars, likely {stars['low']:.1f} to {stars['high']:.1f}"
    return (
        f'<div class="scale" role="img" aria-label="{said}">'
        f'<span class="likely" style="left:{low:.0f}%;width:{high - low:.0f}%"></span>'
        f'<span class="expected" style="left:{middle:.0f}%"></span></div>'
        '<div class="ends" aria-hidden="true"><span>½ star</span><span>5 stars</span></div>'
    )


def reasons(item: Item) -> list[str]:
    """What raised it, strongest first: films of the person's own, or genres they asked for."""
    return [entry.get("title", entry.get("genre", "")) for entry in item.get("because", [])]


def seen_ids(history: Iterable[HistoryItem]) -> set[int]:
    return {entry["movie_id"] for entry in history}


def plain(text: str) -> str:
    """Without what Markdown would read as markup."""
    return "".join(
        "\\" + letter if letter in r"\`*_{}[]()#+-.!|~$:<>" else letter for letter in text
    )


def name_of(entry: Movie | HistoryItem) -> str:
    return label(entry)


def table(columns: Mapping[str, Sequence[Any]], said: str) -> None:
    """The numbers of a chart."""
    with st.expander(f"The numbers: {said}"):
        st.dataframe(dict(columns), hide_index=True, width="stretch")
