"""Movie night: one list for two to five users.

The best movies of each user are collected, each user orders all of them, and the places are merged.
Nobody's id is stored: guests enter their profile for this evening. An id is the key of a profile.
The address therefore holds the choices alone, and no guest.
"""

import streamlit as st

from app_pages import address, api, merge_lists, parameters, state, widgets
from marquee_client import label
from marquee_client.requests import RecommendRequest
from marquee_client.types import MovieId, ScoredMovie

MAX_GUESTS = 4
MOVIES_PER_USER = 60
LIST_LENGTH = 12
FAIRNESS: dict[str, tuple[str, merge_lists.Fairness]] = {
    "Nobody suffers": ("The person who wants a movie least decides.", "least_misery"),
    "Best on average": ("The average place decides. One person may dislike it.", "average"),
}


@st.fragment
@widgets.page
def show() -> None:
    st.title("Movie night", anchor=False)
    st.html('<p class="lead">Two to five people, one movie. Each person’s own order counts.</p>')
    names = participants()
    default = next(iter(FAIRNESS))
    choice = st.segmented_control(
        "Fair means",
        list(FAIRNESS),
        required=True,
        **address.bound("fair", default, parameters.one_of(FAIRNESS)),
    )
    description, fairness = FAIRNESS[choice or default]
    st.caption(description)
    include_seen = st.toggle(
        "Include movies that someone has seen",
        **address.bound("again-seen", False, parameters.switch),
    )
    if len(names) < 2:
        st.info(
            "Ask the others for their profile. Each finds it on their own Profile page. It is the "
            "key to their ratings, so this page keeps it for your visit alone.",
            icon=":material/groups:",
        )
        return
    orders = orders_of(names, include_seen)
    merged_ids = merge_lists.merge_orders(orders, fairness)
    if merged_ids:
        show_list(merged_ids[:LIST_LENGTH], names, orders)
    else:
        st.info("Every movie was seen by someone. Include those movies, above.")


def participants() -> dict[str, str]:
    """Return user_id -> name; every name is another one, as each heads a column."""
    names = {state.me(): state.name() or "You"}
    columns = [column for _ in range(MAX_GUESTS // 2) for column in st.columns(2, gap="medium")]
    for n, column in enumerate(columns):
        text = column.text_input(
            f"Person {n + 2}{' (optional)' * (n > 0)}",
            key=f"guest-{n}",
            placeholder="their profile: an id, or the address of their page",
            max_chars=parameters.MAX_PROFILE_CHARS,
            persist_state="session",
        )
        profile = parameters.profile(text or "")
        if profile is None:
            if text:
                column.caption("This is no profile id, and no address of a page with one.")
        elif profile.user_id in names:
            column.caption("This profile is on the list already, and counts once.")
        else:
            names[profile.user_id] = profile.name or f"Person {n + 2}"
    return dict(zip(names, parameters.distinct(names.values()), strict=True))


def orders_of(names: dict[str, str], include_seen: bool) -> dict[str, dict[MovieId, ScoredMovie]]:
    """Return user_id -> movie_id -> movie: the best movies of all in each one's order."""
    service = api.service()
    seen_ids: set[MovieId] = set()
    for user_id, name in names.items():
        history = service.history(user_id)["items"]
        seen_ids |= widgets.movie_ids(history)
        if not history:
            rated = "has not rated anything yet, and gets what most people like."
            marked = "has not watched anything yet, and gets what most people watch."
            st.caption(f"{widgets.plain(name)} {widgets.worded(rated, marked)}")
    queries: list[RecommendRequest] = [
        api.user(user_id) | {"k": MOVIES_PER_USER, "exclude_seen": not include_seen}
        for user_id in names
    ]
    responses = api.recommend_batch(queries)
    ids = {item["movie_id"] for response in responses for item in response["items"]}
    ids = ids if include_seen else ids - seen_ids
    if not ids:
        return {}
    return {
        user_id: {
            item["movie_id"]: item
            for item in service.rerank(sorted(ids), **api.user(user_id))["items"]
        }
        for user_id in names
    }


def show_list(
    movie_ids: list[MovieId], names: dict[str, str], orders: dict[str, dict[MovieId, ScoredMovie]]
) -> None:
    movies = [orders[state.me()][movie_id] for movie_id in movie_ids]
    widgets.row("Tonight", movies, "night", "Best for the group first.")
    if not api.scale():
        return
    stars = {
        f"{names[user_id]} would give": [
            f"{order[movie_id]['stars']['expected']:.1f} ★" for movie_id in movie_ids
        ]
        for user_id, order in orders.items()
    }
    st.dataframe(
        {"movie": list(map(label, movies)), **stars},
        hide_index=True,
        alt="Movies for tonight, with the stars that each person would give",
    )


show()
