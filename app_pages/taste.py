"""My taste: genres of the ratings and of the lists, and a genre mix to set by hand.

Charts are plain Vega-Lite. Altair would import pandas in one session while it looks at pandas in
another, and the first visitor after a start saw an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app_pages import api, genre_mix, rating_scale, state, widgets
from marquee_client.requests import RecommendRequest
from marquee_client.types import HistoryItem

LIST_LENGTH = 50
"""Movies of the list whose mix is compared."""
MAX_SLIDERS = 8
MAX_GENRES = 10
MAX_WEIGHT = 10.0


@widgets.page
def show() -> None:
    st.title("My taste", anchor=False)
    ratings = rating_scale.rated_items(api.service().history(state.me())["items"])
    if not ratings:
        widgets.show_empty(
            "Rate a few movies, and your taste is drawn here.", widgets.RATE_PAGE, "Rate movies"
        )
        return
    if len(ratings) < widgets.MIN_RATINGS:
        st.info(
            f"{len(ratings)} rated so far: too few to say much. {widgets.MIN_RATINGS} make a start."
        )
    genres(ratings)
    left, right = st.columns(2, gap="large")
    with left:
        stars(ratings)
    with right:
        decades(ratings)


@st.fragment
@widgets.page
def genres(ratings: Sequence[HistoryItem]) -> None:
    """Show the user's mix, or the one they set, next to the mixes of their list."""
    rated_mix = genre_mix.mix(ratings)
    st.subheader("Your genres, and those of your list", anchor=False)
    with st.expander("Set a mix of your own", icon=":material/tune:", key="mix"):
        edit_mix(rated_mix)
    target = genre_mix.normalize(state.mix()) or rated_mix
    plain, matched = list_mixes()
    name = "the mix you set" if state.mix() else "what you rated"
    st.markdown(
        f"Your list shares **{genre_mix.overlap(target, plain):.0%}** of its genres with {name}; "
        f"with “Match my mix” at its fullest, **{genre_mix.overlap(target, matched):.0%}**."
    )
    columns = {name: target, "your list": plain, "matched list": matched}
    genre_chart(columns, list(target)[:MAX_GENRES])


def edit_mix(rated_mix: Mapping[str, float]) -> None:
    """Show sliders for the user's largest genres and for others that they add."""
    st.caption("0 leaves a genre to chance. The mix is kept in the address of your pages.")
    own_mix = state.mix()
    known = api.genres()
    largest = [genre for genre in (*own_mix, *rated_mix) if genre in known]
    selection = st.multiselect(
        "Genres in the mix",
        known,
        default=list(dict.fromkeys(largest))[:MAX_SLIDERS],
        key="mix-genres",
    )
    start = {genre: round(10 * share, 1) for genre, share in rated_mix.items()} | own_mix
    columns = st.columns(4, gap="medium")
    weights = {
        genre: columns[n % 4].slider(
            genre, 0.0, MAX_WEIGHT, min(start.get(genre, 1.0), MAX_WEIGHT), 0.5, key=f"mix-{genre}"
        )
        for n, genre in enumerate(selection)
    }
    with st.container(horizontal=True):
        st.button(
            "Use this mix", key="use-mix", type="primary", on_click=state.set_mix, args=(weights,)
        )
        if own_mix:
            st.button("Back to what I rated", on_click=state.set_mix, args=({},))


def list_mixes() -> tuple[dict[str, float], dict[str, float]]:
    """Return the genre mixes of the list as it is, and as it is with calibration at 1."""
    query: RecommendRequest = {"user_id": state.me(), "k": LIST_LENGTH}
    calibrated: RecommendRequest = {**query, "calibration": 1.0, **api.genre_profile()}
    responses = api.recommend_batch([query, calibrated])
    plain, matched = (genre_mix.mix(response["items"]) for response in responses)
    return plain, matched


def genre_chart(columns: Mapping[str, Mapping[str, float]], genres: Sequence[str]) -> None:
    """Draw a group of bars for each genre. columns: name -> genre -> share."""
    rows = [
        {"genre": genre, "of": name, "share": shares.get(genre, 0.0)}
        for genre in genres
        for name, shares in columns.items()
    ]
    series = {"field": "of", "type": "nominal", "sort": list(columns)}
    encoding = {
        "x": {"field": "share", "type": "quantitative", "axis": {"format": "%", "tickCount": 6}},
        "y": {"field": "genre", "type": "nominal", "sort": list(genres), "title": None},
        "yOffset": series,
        "color": series | {"title": None, "legend": {"orient": "bottom"}},
        "tooltip": [{"field": "genre"}, {"field": "of"}, {"field": "share", "format": ".0%"}],
    }
    draw_bars(rows, encoding, height=44 * len(genres))
    widgets.table(
        {"genre": genres}
        | {
            name: [f"{shares.get(genre, 0.0):.0%}" for genre in genres]
            for name, shares in columns.items()
        },
        "genres",
    )


def draw_bars(
    rows: Sequence[Mapping[str, Any]],
    encoding: Mapping[str, Any],
    height: int,
    bar_px: int | None = None,
) -> None:
    mark: dict[str, Any] = {"type": "bar", "cornerRadiusEnd": 3}
    if bar_px is not None:
        mark["size"] = bar_px
    spec = {"data": {"values": rows}, "mark": mark, "encoding": encoding, "height": height}
    st.vega_lite_chart(spec, width="stretch")


def stars(ratings: Sequence[HistoryItem]) -> None:
    """Show how much of the scale is used, and a hint where that is little."""
    st.subheader("Your use of the scale", anchor=False)
    counts = [
        sum(entry["stars"] == value for entry in ratings) for value in rating_scale.HALF_STARS
    ]
    mean = sum(entry["stars"] for entry in ratings) / len(ratings)
    num_used = sum(count > 0 for count in counts)
    count_chart("stars", [f"{value:g}" for value in rating_scale.HALF_STARS], counts)
    st.markdown(f"{mean:.1f} stars on average, {num_used} of 10 steps used.")
    if num_used < 4 and len(ratings) >= 10:
        st.caption("Movies you did not like help most now: they show where your scale begins.")


def decades(ratings: Sequence[HistoryItem]) -> None:
    """Show the decades of the rated movies."""
    st.subheader("When they were made", anchor=False)
    counts = genre_mix.decades(ratings)
    if not counts:
        st.caption("No year is known of the movies you rated.")
        return
    count_chart("decade", list(counts), list(counts.values()))


def count_chart(name: str, values: Sequence[str], counts: Sequence[int]) -> None:
    """Draw the number of movies for each value, and its table."""
    rows = [{name: value, "movies": count} for value, count in zip(values, counts, strict=True)]
    x = {"field": name, "type": "nominal", "sort": list(values), "axis": {"labelAngle": 0}}
    y = {"field": "movies", "type": "quantitative", "axis": {"tickMinStep": 1}}
    tooltip = [{"field": name}, {"field": "movies"}]
    draw_bars(rows, {"x": x, "y": y, "tooltip": tooltip}, height=240, bar_px=26)
    widgets.table({name: values, "movies": counts}, name)


show()
