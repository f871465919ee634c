"""Movie night: one list for two to five users.

The best movies of each user are collected, each user orders all of them, and the places are merged.
Nobody's id is stored: guests enter their profile for this evening.
"""

import streamlit as st

from app_pages import api, merge_lists, state, widgets
from marquee_client.requests import RecommendRequest
from marquee_client.types import ScoredMovie

MAX_GUESTS = 4
MOVIES_PER_USER = 60
LIST_LENGTH = 12
FAIRNESS: dict[str, tuple[str, merge_lists.Fairness]] = {
    "Nobody suffers": (
        "A movie counts as much as it does for whoever wants it least.",
        merge_lists.least_misery,
    ),
    "Best on average": (
        "The average place counts: one person may have to bear with a movie that the others love.",
        merge_lists.average,
    ),
}


@widgets.page
def show() -> None:
    st.title("Movie night", anchor=False)
    st.html('<p class="lead">Two to five people, one movie. Everybody’s own order counts.</p>')
    night()


@st.fragment
@widgets.page
def night() -> None:
    names = participants()
    default = next(iter(FAIRNESS))
    choice = st.segmented_control("Fair means", list(FAIRNESS), default=default, required=True)
    description, fairness = FAIRNESS[choice or default]
    st.caption(description)
    include_seen = st.toggle("Movies that somebody has seen may come", key="again-seen")
    if len(names) < 2:
        st.info(
            "Ask the others for their profile: it stands on their page “Profile”.",
            icon=":material/groups:",
        )
        return
    orders, items = orders_of(names, include_seen)
    merged = merge_lists.merge_orders(
        {user_id: [item["movie_id"] for item in order] for user_id, order in orders.items()},
        fairness,
    )
    if not merged:
        st.info("There is no movie that nobody has seen. Let seen ones come, above.")
        return
    show_list([items[movie_id] for movie_id in merged[:LIST_LENGTH]], names, orders)


def participants() -> dict[str, str]:
    """Return user_id -> name of all participants, the visitor first."""
    names = {state.me(): state.name() or "You"}
    columns = [column for _ in range(MAX_GUESTS // 2) for column in st.columns(2, gap="medium")]
    for n in range(MAX_GUESTS):
        text = columns[n].text_input(
            f"Person {n + 2}{'' if n == 0 else ' (if there is one)'}",
            key=f"guest-{n}",
            placeholder="their profile: an id, or the address of their page",
            persist_state="session",
        )
        user_id, name = state.profile_of(text or "")
        if user_id and len(user_id) <= state.MAX_USER_ID_CHARS:
            names.setdefault(user_id, name or f"Person {n + 2}")
    return names


def orders_of(
    names: dict[str, str], include_seen: bool
) -> tuple[dict[str, list[ScoredMovie]], dict[int, ScoredMovie]]:
    """Let each user order the best movies of all users.

    Returns user_id -> items in that user's order, and movie_id -> item.
    """
    service = api.service()
    histories = {user_id: service.history(user_id)["items"] for user_id in names}
    for user_id, history in histories.items():
        if not history:
            st.caption(f"{names[user_id]} has rated nothing yet, and gets what most people like.")
    seen_ids = set().union(*(widgets.movie_ids(history) for history in histories.values()))
    queries: list[RecommendRequest] = [
        {"user_id": user_id, "k": MOVIES_PER_USER, "exclude_seen": not include_seen}
        for user_id in names
    ]
    responses = api.recommend_batch(queries)
    ids = {item["movie_id"] for response in responses for item in response["items"]}
    ids = ids if include_seen else ids - seen_ids
    if not ids:
        return {}, {}
    orders = {user_id: service.rerank(sorted(ids), user_id=user_id)["items"] for user_id in names}
    return orders, {item["movie_id"]: item for item in next(iter(orders.values()))}


def show_list(
    items: list[ScoredMovie], names: dict[str, str], orders: dict[str, list[ScoredMovie]]
) -> None:
    """Show the merged list, and the stars that each user would give."""
    widgets.row("Tonight", items, "night", "Best for the group first.")
    stars = {
        user_id: {item["movie_id"]: item["stars"]["expected"] for item in order}
        for user_id, order in orders.items()
    }
    st.dataframe(
        {"movie": [widgets.name_of(item) for item in items]}
        | {
            f"{names[user_id]} would give": [f"{own[item['movie_id']]:.1f} ★" for item in items]
            for user_id, own in stars.items()
        },
        hide_index=True,
        width="stretch",
        alt="Movies for tonight, with the stars that each person would give",
    )


show()
