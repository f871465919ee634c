"""Profile: a name, the key to it, and a way out with everything or with nothing left behind."""

import streamlit as st

from app_pages import api, rating_scale, state, widgets


@widgets.page
def show() -> None:
    st.title("Profile", anchor=False)
    history = api.service().history(state.me())["items"]
    st.markdown(
        f"**{widgets.plain(state.name()) or 'A visitor without a name'}**, "
        f"{widgets.counted(len(rating_scale.rated(history)))}."
    )
    named()
    st.subheader("The key to it", anchor=False)
    st.markdown(
        "No account, no password: whoever has this id, or the address of your pages, sees and "
        "changes your ratings. Keep a bookmark; give it to friends for a movie night."
    )
    st.code(state.me(), language=None)
    entered()
    st.subheader("Leave", anchor=False)
    st.page_link(widgets.RATE, label="Export my ratings", query_params=state.link())
    deleted()


def named() -> None:
    with st.form("named", border=False):
        name = st.text_input(
            "Name", state.name(), key="name", max_chars=state.MAX_NAME, placeholder="e.g. Ana"
        )
        if st.form_submit_button("Use this name", key="use-name"):
            state.call_me(name or "")
            st.rerun()


def entered() -> None:
    with st.expander("Open another profile, or begin a new one"):
        given = st.text_input("Its id, or the address of its page", key="enter")
        user_id, name = state.profile_of(given or "")
        if st.button("Open", disabled=not 0 < len(user_id) <= state.MAX_ID):
            state.become(user_id)
            state.call_me(name)
            st.rerun()
        if st.button("Begin a new one"):
            state.become("")
            st.rerun()


def deleted() -> None:
    """Asked twice, since nobody can bring it back."""
    sure = st.checkbox(
        "Delete everything that is stored of me; it cannot be brought back", key="sure"
    )
    if st.button("Delete my profile", key="delete", disabled=not sure, icon=":material/delete:"):
        count = api.service().forget(state.me())["deleted"]
        state.become("")
        st.session_state["said"] = f"Deleted: {count} events. This is a new, empty profile."
        st.rerun()


show()
