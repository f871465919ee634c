"""Profile: the visitor's name, the key to their ratings, export and deletion."""

import streamlit as st

from app_pages import address, api, parameters, state, widgets


@widgets.page
def show() -> None:
    st.title("Profile", anchor=False)
    count = len(api.answers(api.history()))
    heading = widgets.plain(state.name()) or "A visitor without a name"
    marked = f"{count} movie{'s' * (count != 1)} watched"
    st.markdown(f"**{heading}**, {widgets.worded(widgets.count_ratings(count), marked)}.")
    with st.form("named", border=False):
        limit = parameters.MAX_NAME_CHARS
        key = address.draft("name", state.name())
        name = st.text_input("Name", max_chars=limit, key=key, placeholder="e.g. Ana")
        if st.form_submit_button("Use this name", key="use-name"):
            state.set_name(name or "")
            st.rerun()
    st.subheader("Your key", anchor=False)
    st.markdown(
        "There is no account and no password. Anyone who has this id, or the address of your "
        "pages, can see and change your ratings. Bookmark it. Share it with friends for a movie "
        "night."
    )
    st.code(state.me(), language=None)
    switch_form()
    st.subheader("Leave", anchor=False)
    widgets.link(widgets.RATE_PAGE, widgets.worded("Export my ratings", "Export my movies"))
    deletion_form()


def switch_form() -> None:
    with st.expander("Open another profile, or begin a new one"):
        limit = parameters.MAX_PROFILE_CHARS
        text = st.text_input("Its id, or the address of its page", max_chars=limit, key="enter")
        profile = parameters.profile(text or "")
        if text and profile is None:
            st.caption("This is no profile id, and no address of a page with one.")
        if st.button("Open", disabled=profile is None) and profile:
            state.become(*profile)
            st.rerun()
        if st.button("Begin a new one"):
            state.become()
            st.rerun()


def deletion_form() -> None:
    """Ask twice, because a deletion cannot be undone."""
    is_sure = st.checkbox("Delete everything stored about me. This cannot be undone.", key="sure")
    if st.button("Delete my profile", key="delete", disabled=not is_sure, icon=":material/delete:"):
        count = api.service().forget(state.me())["deleted"]
        state.become()
        state.notify(f"Deleted: {count} events. This is a new, empty profile.")
        st.rerun()


show()
