"""Start: three of eight tastes, or five ratings, or neither. No visitor needs an account."""

import streamlit as st

from app_pages import address, api, parameters, rating_panel, state, widgets
from app_pages.genre_mix import Group, make_groups

MIN_TASTES = 3
GOAL = 5


@widgets.page
def show() -> None:
    st.title("Movies you will want to watch", anchor=False)
    change = widgets.worded("every star you give", "every movie you mark")
    st.html(
        '<p class="lead">Say a little about your taste, and the list is yours. It changes with '
        f"{change}, and tells you why each movie is on it.</p>"
    )
    if len(make_groups(api.genres(), api.chart("popular"))) < MIN_TASTES:  # no genres to pick
        rating_panel.show("start", GOAL)
        widgets.link(widgets.FOR_YOU_PAGE, "Skip: just show me movies")
        return
    rate = widgets.worded("Or rate five movies", "Or mark five you have seen")
    names = ["Pick three tastes", rate]
    tab = address.bound("start-tab", names[0], parameters.one_of(names))
    tastes, ratings = st.tabs(names, **tab)
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
    mix = {genre: 1.0 for group in selection for genre in group.genres}
    with st.container(key="show"):  # a link: `st.switch_page` would add two steps of Back
        st.page_link(
            f"app_pages/{widgets.FOR_YOU_PAGE}.py",
            label="Show me movies",
            icon=":material/arrow_forward:",
            disabled=is_incomplete,
            help="Pick three tastes first" if is_incomplete else None,
            query_params=state.link_to(widgets.FOR_YOU_PAGE) | {"mix": parameters.mix_text(mix)},
        )


def is_picked(group: Group) -> bool:
    with st.container(border=True, key=f"poster-taste-{group.key}"):
        columns = st.columns(3, gap="small", wrap=False)
        for column, movie in zip(columns, group.movies, strict=False):
            with column:
                widgets.poster(movie)
        name = f"**{group.name}**  \n{', '.join(map(widgets.plain, group.genres))}"
        is_bound = address.bound(f"taste-{group.key}", False, parameters.switch)
        return st.checkbox(name, **is_bound)


show()
