"""Profile: the visitor's name, the key to their ratings, export and deletion."""

import streamlit as st

from app_pages import api, rating_scale, state, widgets


@widgets.page
def show() -> None:
    st.title("Profile", anchor=False)
    history = api.service().history(state.me())["items"]
    st.markdown(
        f"**{widgets.plain(state.name()) or 'A visitor without a name'}**, "
        f"{widgets.count_ratings(len(rating_scale.rated_items(history)))}."
    )
    name_form()
    st.subheader("The key to it", anchor=False)
    st.markdown(
        "No account, no password: whoever has this id, or the address of your pages, sees and "
        "changes your ratings. Keep a bookmark; give it to friends for a movie night."
    )
    st.code(state.me(), language=None)
    switch_form()
    st.subheader("Leave", anchor=False)
    st.page_link(widgets.RATE_PAGE, label="Export my ratings", query_params=state.link())
    deletion_form()


def name_form() -> None:
    with st.form("named", border=False):
        name = st.text_input(
            "Name", state.name(), key="name", max_chars=state.MAX_NAME_CHARS, placeholder="e.g. Ana"
        )
        if st.form_submit_button("Use this name", key="use-name"):
            state.set_name(name or "")
            st.rerun()


def switch_form() -> None:
    with st.expander("Open another profile, or begin a new one"):
        text = st.text_input("Its id, or the address of its page", key="enter")
        user_id, name = state.profile_of(text or "")
        if st.button("Open", disabled=not 0 < len(user_id) <= state.MAX_USER_ID_CHARS):
            state.become(user_id)
            state.set_name(name)
            st.rerun()
        if st.button("Begin a new one"):
            state.become("")
            st.rerun()


def deletion_form() -> None:
    """Ask twice, because a deletion cannot be undone."""
    is_sure = st.checkbox(
        "Delete everything that is stored of me; it cannot be brought back", key="sure"
    )
    if st.button("Delete my profile", key="delete", disabled=not is_sure, icon=":material/delete:"):
        count = api.service().forget(state.me())["deleted"]
        state.become("")
        state.notify(f"Deleted: {count} events. This is a new, empty profile.")
        st.rerun()


show()
