"""The app: recommendations that change with every rating, each with a reason that can be checked.

    make app BUNDLE=bundles/ml-latest-small           # service and app, and the address
    MARQUEE_URL=http://127.0.0.1:3000 streamlit run app.py     # for a running service

This file holds looks, identity and navigation. Each page is a file of app_pages/. All of them use
the service through its client (clients/python/marquee_client) only.
"""

from pathlib import Path

import streamlit as st

from app_pages import api, state
from marquee_client import MarqueeError

STYLE = Path(__file__).parent / "app_pages" / "style.css"
ICON = str(STYLE.with_name("icon.svg"))
LOGO = str(STYLE.with_name("logo.svg"))


def pages() -> dict[str, list[st.Page]]:
    """Return the pages by section.

    The movie page has no entry, because movies link to it.
    """
    file = "app_pages/{}.py".format
    return {
        "": [
            st.Page(file("start"), title="Start", icon=":material/waving_hand:", default=True),
            st.Page(file("for_you"), title="For you", icon=":material/movie:"),
            st.Page(file("rate"), title="Rate", icon=":material/star:"),
            st.Page(file("taste"), title="My taste", icon=":material/palette:"),
            st.Page(file("night"), title="Movie night", icon=":material/groups:"),
        ],
        "More": [
            st.Page(file("profile"), title="Profile", icon=":material/person:"),
            st.Page(file("findings"), title="Findings", icon=":material/insights:"),
            st.Page(file("about"), title="About", icon=":material/info:"),
            st.Page(file("movie"), title="Movie", visibility="hidden"),
        ],
    }


def label_synthetic() -> None:
    """Say where movies are generated; nothing while the service does not answer."""
    try:
        is_synthetic = api.is_synthetic()
    except MarqueeError:
        return
    if is_synthetic:
        st.caption(":material/science: Synthetic: movies and ratings here are generated.")


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Marquee", page_icon=ICON, layout="wide")
    st.html(STYLE)
    st.logo(LOGO, icon_image=ICON, size="large")
    state.begin()
    page = st.navigation(pages(), position="top")
    label_synthetic()
    page.run()


main()
