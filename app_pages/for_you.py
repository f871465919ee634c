"""For you: rows of films, what may be in them, and how they are ordered.

All rows are one request (`/recommend_batch`): the rows that are about other films (like one that
was liked, gems, new ones) ask for the person's own order of those films.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import streamlit as st

from app_pages import api, rating_scale, state, widgets
from marquee_client import MarqueeError
from marquee_client.types import Filters, HistoryItem, Item, Recommendation

K = 12
LIKED = 4.0
DECADES = {"Any time": (None, None), "Before 1960": (None, 1959)} | {
    f"{year}s": (year, year + 9) for year in range(1960, 2030, 10)
}
CONTROLS = {
    "novelty": ("Surprise me", "leaves out the best-known films, away from what everybody watches"),
    "calibration": ("Match my mix", "towards the genres of what you rated"),
    "diversity": ("Variety", "away from films that are alike"),
    "freshness": ("Freshness", "towards the newest years"),
}


@dataclass(frozen=True)
class Row:
    """A row of the page, and what it asks the service beyond the person and the filters."""

    key: str
    name: str
    note: str
    asks: Mapping[str, Any] = field(default_factory=dict)


@st.fragment
@widgets.page
def show() -> None:
    st.title(f"For {widgets.plain(state.name()) or 'you'}", anchor=False)
    history = api.service().history(state.me())["items"]
    filters, controls = chosen()
    welcome(history)
    rows = rows_for(rating_scale.rated(history), filters, controls)
    answers = asked(rows, filters)
    shown: set[int] = set()
    for row, answer in zip(rows, answers, strict=True):
        films = fresh(answer["items"], shown)
        widgets.row(row.name, films, row.key, row.note, empty(row))
        if row.key == "top":
            why(answer)


def chosen() -> tuple[Filters, dict[str, float]]:
    """What the person wants to see: which films, in what order."""
    with st.expander("Filters and controls", icon=":material/tune:", key="controls"):
        left, right = st.columns(2, gap="large")
        genres = left.multiselect("Genres (any of them)", api.genres(), key="genres", **KEPT)
        decade = right.selectbox("From", list(DECADES), key="decade", **KEPT)
        columns = st.columns(len(CONTROLS), gap="medium")
        controls = {
            control: column.slider(name, 0.0, 1.0, 0.0, 0.1, key=control, help=help, **KEPT)
            for column, (control, (name, help)) in zip(columns, CONTROLS.items(), strict=True)
        }
    first, last = DECADES[decade]
    found: Filters = {}
    if genres:
        found["genres"] = genres
    if first is not None:
        found["year_min"] = first
    if last is not None:
        found["year_max"] = last
    return found, {control: strength for control, strength in controls.items() if strength}


KEPT: dict[str, Any] = {"persist_state": "session"}
"""Settings of this page outlive a look at another one."""


def rows_for(
    rated: Sequence[HistoryItem], filters: Filters, controls: Mapping[str, float]
) -> list[Row]:
    """The mix that a person set counts until their ratings say more, and again where asked for."""
    order: dict[str, Any] = {**controls, "exclude_ids": best_known(controls.get("novelty", 0.0))}
    if state.mix() and (len(rated) < widgets.FEW or "calibration" in controls):
        order |= api.mixed()
    rows = [Row("top", "Top picks", "What you are most likely to watch next.", order)]
    for liked in favourites(rated):
        ids = [film["movie_id"] for film in api.similar(liked["movie_id"])]
        note = f"Films like it, in your order; you gave it {liked['stars']:g} ★."
        rows.append(Row("liked", f"Because you liked {liked['title']}", note, {"include_ids": ids}))
    stretch: dict[str, Any] = {"novelty": 1.0, "diversity": 0.5, "exclude_ids": best_known(1.0)}
    if len(rated) < widgets.FEW:
        stretch |= api.mixed()
    return [
        *rows,
        Row("stretch", "A stretch", "Further from the beaten track, still yours.", stretch),
        Row("gems", "Hidden gems", "Loved by the few who saw them.", _of("hidden_gems", filters)),
        Row("new", "New to the catalogue", "The newest years.", _of("new", filters)),
    ]


def favourites(rated: Sequence[HistoryItem]) -> list[HistoryItem]:
    """The best-liked film, the newest of equal ones; nobody is told they liked a poor one."""
    named = [entry for entry in rated if "title" in entry and entry["stars"] >= LIKED]
    return [max(named, key=lambda entry: entry["stars"])] if named else []


def best_known(strength: float) -> list[int]:
    """What is left out to surprise: up to a hundred of the films that most people watched. The
    order alone moves little where few people have rated."""
    films = api.chart("popular")
    return [film["movie_id"] for film in films[: round(strength * len(films))]]


def fresh(items: Sequence[Item], shown: set[int]) -> list[Item]:
    """Those that no row above has, in their order."""
    found = [item for item in items if item["movie_id"] not in shown][:K]
    shown |= {item["movie_id"] for item in found}
    return found


def _of(kind: Any, filters: Filters) -> dict[str, Any]:
    return {"include_ids": [film["movie_id"] for film in api.chart(kind, filters=filters)]}


def asked(rows: Sequence[Row], filters: Filters) -> list[Recommendation]:
    """One answer a row, in their order; what the service refuses of one is raised."""
    questions = [
        {"user_id": state.me(), "k": K * (n + 1), "filters": filters, "explain": row.key == "top"}
        | {**row.asks}
        for n, row in enumerate(rows)
    ]
    answers = api.service().recommend_batch(cast(Any, questions))["results"]
    for answer in answers:
        if fault := cast(Any, answer).get("error"):
            raise MarqueeError(fault["message"], code=fault["code"])
    return answers


def welcome(history: Sequence[HistoryItem]) -> None:
    """What the lists rest on, while that is little."""
    rated = len(rating_scale.rated(history))
    if rated >= widgets.FEW:
        return
    left = widgets.FEW - rated
    told = "your tastes" if state.mix() else "what most people like"
    st.info(
        f"Your lists rest on {told} so far. **Rate {left} more film{'s' * (left > 1)}** to make "
        "them yours.",
        icon=":material/star:",
    )
    st.page_link(widgets.RATE, label="Rate films you have seen", query_params=state.link())


def why(answer: Recommendation) -> None:
    """The reasons of the whole row, to be checked: taken away, the film would score less."""
    if answer["strategy"] == "popular" or not answer["items"]:
        return
    with st.expander("Because: what put these films here", icon=":material/help:", key="because"):
        for item in answer["items"]:
            because = ", ".join(map(widgets.plain, widgets.reasons(item)))
            st.markdown(
                f"**{widgets.plain(widgets.name_of(item))}**: "
                + (f"because of {because}" if because else "your taste as a whole, no single film")
            )


def empty(row: Row) -> str:
    if row.key == "top":
        return "No film fits these filters. Widen the years or take a genre away."
    return ""


show()
