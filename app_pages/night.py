"""Movie night: one list for two to five people.

Each person's best films are put together, each person orders all of them, and the places are
merged. Nobody's address is kept: who joins gives their profile, for this evening.
"""

from typing import Any, cast

import streamlit as st

from app_pages import api, merge_lists, state, widgets
from marquee_client.types import Item

OTHERS = 4
EACH = 60
SHOWN = 12
FAIR: dict[str, tuple[str, merge_lists.Fairness]] = {
    "Nobody suffers": (
        "A film counts as much as it does for whoever wants it least.",
        merge_lists.least_misery,
    ),
    "Best on average": (
        "The average place counts: one person may have to bear with a film that the others love.",
        merge_lists.average,
    ),
}


@widgets.page
def show() -> None:
    st.title("Movie night", anchor=False)
    st.html('<p class="lead">Two to five people, one film. Everybody’s own order counts.</p>')
    night()


@st.fragment
@widgets.page
def night() -> None:
    people = company()
    way = st.segmented_control("Fair means", list(FAIR), default=next(iter(FAIR)), required=True)
    words, fairness = FAIR[way or next(iter(FAIR))]
    st.caption(words)
    again = st.toggle("Films that somebody has seen may come", key="again-seen")
    if len(people) < 2:
        st.info(
            "Ask the others for their profile: it stands on their page “Profile”.",
            icon=":material/groups:",
        )
        return
    orders, items = tonight(people, again)
    best = merge_lists.merged(
        {key: [film["movie_id"] for film in o] for key, o in orders.items()}, fairness
    )
    if not best:
        st.info("There is no film that nobody has seen. Let seen ones come, above.")
        return
    shown([items[movie_id] for movie_id in best[:SHOWN]], people, orders)


def company() -> dict[str, str]:
    """id -> name of everybody who is there, this person first."""
    people = {state.me(): state.name() or "You"}
    columns = [column for _ in range(OTHERS // 2) for column in st.columns(2, gap="medium")]
    for n in range(OTHERS):
        given = columns[n].text_input(
            f"Person {n + 2}{'' if n == 0 else ' (if there is one)'}",
            key=f"guest-{n}",
            placeholder="their profile: an id, or the address of their page",
            persist_state="session",
        )
        user_id, name = state.profile_of(given or "")
        if user_id and len(user_id) <= state.MAX_ID:
            people.setdefault(user_id, name or f"Person {n + 2}")
    return people


def tonight(people: dict[str, str], again: bool) -> tuple[dict[str, list[Item]], dict[int, Item]]:
    """Everybody's order of the films that are somebody's best, and the films by id."""
    service = api.service()
    histories = {one: service.history(one)["items"] for one in people}
    for one, history in histories.items():
        if not history:
            st.caption(f"{people[one]} has rated nothing yet, and gets what most people like.")
    seen = set().union(*(widgets.seen_ids(history) for history in histories.values()))
    asked = [{"user_id": one, "k": EACH, "exclude_seen": not again} for one in people]
    answers = service.recommend_batch(cast(Any, asked))["results"]
    ids = {film["movie_id"] for answer in answers for film in answer["items"]}
    ids = ids if again else ids - seen
    if not ids:
        return {}, {}
    orders = {one: service.rerank(sorted(ids), user_id=one)["items"] for one in people}
    return orders, {film["movie_id"]: film for film in next(iter(orders.values()))}


def shown(best: list[Item], people: dict[str, str], orders: dict[str, list[Item]]) -> None:
    """The list, and what each person would give each film."""
    widgets.row("Tonight", cast(Any, best), "night", "Best for the group first.")
    stars = {
        one: {film["movie_id"]: film["stars"]["expected"] for film in order}
        for one, order in orders.items()
    }
    st.dataframe(
        {"film": [widgets.name_of(film) for film in best]}
        | {
            f"{people[one]} would give": [f"{own[film['movie_id']]:.1f} ★" for film in best]
            for one, own in stars.items()
        },
        hide_index=True,
        width="stretch",
        alt="Films for tonight, with the stars that each person would give",
    )


show()
