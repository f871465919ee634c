"""Start: three of eight tastes, or five films, or neither. Nobody needs an account."""

import streamlit as st

from app_pages import api, posters, rating_panel, state, widgets
from app_pages.movie_groups import Group, groups

PICKS = 3
GOAL = 5


@widgets.page
def show() -> None:
    st.title("Films you will want to watch", anchor=False)
    st.html(
        '<p class="lead">Say a little about your taste, and the list is yours. It changes with '
        "every star you give, and tells you why each film is on it.</p>"
    )
    names = ["Pick three tastes", "Or rate five films"]
    tastes, films = st.tabs(names, key="start-tab", on_change="rerun")
    if tastes.open:
        with tastes:
            pick_tastes()
    else:
        with films:
            rating_panel.show("start", GOAL)
    st.page_link(
        "app_pages/for_you.py", label="Skip: just show me films", query_params=state.link()
    )


@st.fragment
@widgets.page
def pick_tastes() -> None:
    found = groups(api.genres(), api.chart("popular"))
    with st.container(key="tastes"):
        picked = [group for group in found if choice(group)]
    if len(picked) < PICKS:
        st.caption(f"{len(picked)} of {PICKS} picked.")
    clicked = st.button(
        "Show me films",
        key="show",
        type="primary",
        icon=":material/arrow_forward:",
        disabled=len(picked) < PICKS,
        help="Pick three tastes first" if len(picked) < PICKS else None,
    )
    if clicked:
        state.set_mix({genre: 1.0 for group in picked for genre in group.genres})
        st.switch_page("app_pages/for_you.py", query_params=state.link())


def choice(group: Group) -> bool:
    """Three posters, and whether this is the person's taste."""
    with st.container(border=True, key=f"poster-taste-{group.key}"):
        for column, film in zip(st.columns(3, gap="small", wrap=False), group.films, strict=False):
            column.image(posters.poster(film), alt=posters.says(film), width="stretch")
        return st.checkbox(
            f"**{group.name}**  \n{', '.join(group.genres)}", key=f"taste-{group.key}"
        )


show()
