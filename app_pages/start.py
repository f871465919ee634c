"""Start: three of eight tastes, or five ratings, or neither. No visitor needs an account."""

import streamlit as st

from app_pages import api, rating_panel, state, widgets
from app_pages.genre_mix import Group, make_groups

MIN_TASTES = 3
GOAL = 5


@widgets.page
def show() -> None:
    st.title("Movies you will want to watch", anchor=False)
    st.html(
        '<p class="lead">Say a little about your taste, and the list is yours. It changes with '
        "every star you give, and tells you why each movie is on it.</p>"
    )
    names = ["Pick three tastes", "Or rate five movies"]
    tastes, ratings = st.tabs(names, key="start-tab", on_change="rerun")
    if tastes.open:
        with tastes:
            pick_tastes()
    else:
        with ratings:
            rating_panel.show("start", GOAL)
    widgets.link(widgets.FOR_YOU_PAGE, "Skip: just show me movies")


@st.fragment
@widgets.page
def pick_tastes() -> None:
    groups = make_groups(api.genres(), api.chart("popular"))
    with st.container(key="tastes"):
        selection = [group for group in groups if is_picked(group)]
    is_incomplete = len(selection) < MIN_TASTES
    if is_incomplete:
        st.caption(f"{len(selection)} of {MIN_TASTES} picked.")
    is_clicked = st.button(
        "Show me movies",
        key="show",
        type="primary",
        icon=":material/arrow_forward:",
        disabled=is_incomplete,
        help="Pick three tastes first" if is_incomplete else None,
    )
    if is_clicked:
        state.set_mix({genre: 1.0 for group in selection for genre in group.genres})
        st.switch_page(widgets.FOR_YOU_PAGE, query_params=state.link())


def is_picked(group: Group) -> bool:
    with st.container(border=True, key=f"poster-taste-{group.key}"):
        columns = st.columns(3, gap="small", wrap=False)
        for column, movie in zip(columns, group.movies, strict=False):
            with column:
                widgets.poster(movie)
        name = f"**{group.name}**  \n{', '.join(group.genres)}"
        return st.checkbox(name, key=f"taste-{group.key}")


show()
