"""My taste: what the ratings say, what the lists make of it, and a mix to set by hand.

Charts are Vega-Lite as it is written: altair looks at pandas while another person's page still
imports it, and the first to come after a start saw an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import streamlit as st

from app_pages import api, genre_mix, rating_scale, state, widgets
from marquee_client.types import HistoryItem

LISTED = 50
"""Films of the list whose mix is compared."""
SLIDERS = 8
TOP = 5.0


@widgets.page
def show() -> None:
    st.title("My taste", anchor=False)
    rated = rating_scale.rated(api.service().history(state.me())["items"])
    if not rated:
        widgets.nothing(
            "Rate a few films, and your taste is drawn here.", widgets.RATE, "Rate films"
        )
        return
    if len(rated) < widgets.FEW:
        st.info(f"{len(rated)} rated so far: too few to say much. {widgets.FEW} make a start.")
    genres(rated)
    left, right = st.columns(2, gap="large")
    with left:
        stars(rated)
    with right:
        decades(rated)


@st.fragment
@widgets.page
def genres(rated: Sequence[HistoryItem]) -> None:
    """The person's mix, the one they set, and that of their list, side by side."""
    own = genre_mix.mix(rated)
    st.subheader("Your genres, and those of your list", anchor=False)
    with st.expander("Set a mix of your own", icon=":material/tune:", key="mix"):
        edit(own)
    wanted = genre_mix.normal(state.mix()) or own
    plain, matched = lists()
    name = "the mix you set" if state.mix() else "what you rated"
    st.markdown(
        f"Your list shares **{genre_mix.overlap(wanted, plain):.0%}** of its genres with {name}; with "
        f"“Match my mix” at its fullest, **{genre_mix.overlap(wanted, matched):.0%}**."
    )
    columns = {name: wanted, "your list": plain, "matched list": matched}
    grouped(columns, list(wanted)[:10])


def edit(own: Mapping[str, float]) -> None:
    """Sliders for the person's largest genres and for others that they choose."""
    st.caption("0 leaves a genre to chance. The mix is kept in the address of your pages.")
    set_by_hand = state.mix()
    known = api.genres()
    largest = [genre for genre in (*set_by_hand, *own) if genre in known]
    chosen = st.multiselect(
        "Genres in the mix", known, default=list(dict.fromkeys(largest))[:SLIDERS], key="mix-genres"
    )
    start = {genre: round(10 * share, 1) for genre, share in own.items()} | set_by_hand
    columns = st.columns(4, gap="medium")
    weights = {
        genre: columns[n % 4].slider(
            genre, 0.0, 10.0, min(start.get(genre, 1.0), 10.0), 0.5, key=f"mix-{genre}"
        )
        for n, genre in enumerate(chosen)
    }
    with st.container(horizontal=True):
        st.button(
            "Use this mix", key="use-mix", type="primary", on_click=state.set_mix, args=(weights,)
        )
        if set_by_hand:
            st.button("Back to what I rated", on_click=state.set_mix, args=({},))


def lists() -> tuple[dict[str, float], dict[str, float]]:
    """The mixes of the list as it is, and as it is with calibration at 1."""
    person: dict[str, Any] = {"user_id": state.me(), "k": LISTED}
    follow = {"calibration": 1.0} | api.mixed()
    answers = api.service().recommend_batch(cast(Any, [person, person | follow]))["results"]
    plain, matched = (genre_mix.mix(answer["items"]) for answer in answers)
    return plain, matched


def grouped(columns: Mapping[str, Mapping[str, float]], genres: Sequence[str]) -> None:
    rows = [
        {"genre": genre, "of": name, "share": shares.get(genre, 0.0)}
        for genre in genres
        for name, shares in columns.items()
    ]
    of = {"field": "of", "type": "nominal", "sort": list(columns)}
    encoding = {
        "x": {"field": "share", "type": "quantitative", "axis": {"format": "%", "tickCount": 6}},
        "y": {"field": "genre", "type": "nominal", "sort": list(genres), "title": None},
        "yOffset": of,
        "color": of | {"title": None, "legend": {"orient": "bottom"}},
        "tooltip": [{"field": "genre"}, {"field": "of"}, {"field": "share", "format": ".0%"}],
    }
    drawn(rows, encoding, height=44 * len(genres))
    widgets.table(
        {"genre": genres}
        | {
            name: [f"{shares.get(genre, 0.0):.0%}" for genre in genres]
            for name, shares in columns.items()
        },
        "genres",
    )


def drawn(
    rows: Sequence[Mapping[str, Any]], encoding: Mapping[str, Any], height: int, **look: int
) -> None:
    mark = {"type": "bar", "cornerRadiusEnd": 3} | look
    spec = {"data": {"values": rows}, "mark": mark, "encoding": encoding, "height": height}
    st.vega_lite_chart(spec, width="stretch")


def stars(rated: Sequence[HistoryItem]) -> None:
    """How much of the scale is used, and what that means for predictions."""
    st.subheader("Your use of the scale", anchor=False)
    counts = [sum(entry["stars"] == value for entry in rated) for value in rating_scale.HALVES]
    mean = sum(entry["stars"] for entry in rated) / len(rated)
    used = sum(count > 0 for count in counts)
    bars("stars", [f"{value:g}" for value in rating_scale.HALVES], counts)
    st.markdown(f"{mean:.1f} stars on average, {used} of 10 steps used.")
    if used < 4 and len(rated) >= 10:
        st.caption("Films you did not like help most now: they show where your scale begins.")


def decades(rated: Sequence[HistoryItem]) -> None:
    st.subheader("When they were made", anchor=False)
    counts = genre_mix.decades(rated)
    if not counts:
        st.caption("No year is known of the films you rated.")
        return
    bars("decade", list(counts), list(counts.values()))


def bars(name: str, values: Sequence[str], counts: Sequence[int]) -> None:
    rows = [{name: v, "films": n} for v, n in zip(values, counts, strict=True)]
    along = {"field": name, "type": "nominal", "sort": list(values), "axis": {"labelAngle": 0}}
    films = {"field": "films", "type": "quantitative", "axis": {"tickMinStep": 1}}
    tooltip = [{"field": name}, {"field": "films"}]
    drawn(rows, {"x": along, "y": films, "tooltip": tooltip}, height=240, size=26)
    widgets.table({name: values, "films": counts}, f"{name}")


show()
