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

FOLDER = Path(__file__).parent / "app_pages"
ICON = str(FOLDER / "icon.svg")


def page(name: str, title: str, icon: str) -> st.Page:
    return st.Page(
        f"app_pages/{name}.py",
        title=title,
        icon=f":material/{icon}:",
        default=name == "start",
        visibility="hidden" if name == "movie" else "visible",  # each movie links to its page
    )


st.set_page_config(page_title="Marquee", page_icon=ICON, layout="wide")
st.html(FOLDER / "style.css")
st.logo(str(FOLDER / "logo.svg"), icon_image=ICON, size="large")
state.begin()
pages = [
    page("start", "Start", "waving_hand"),
    page("for_you", "For you", "movie"),
    page("rate", "Rate", "star"),
    page("taste", "My taste", "palette"),
    page("night", "Movie night", "groups"),
]
more = [
    page("profile", "Profile", "person"),
    page("findings", "Findings", "insights"),
    page("about", "About", "info"),
    page("movie", "Movie", "movie"),
]
current_page = st.navigation({"": pages, "More": more}, position="top")
try:
    if api.is_synthetic():
        st.caption(":material/science: Synthetic data: movies and ratings are generated.")
except MarqueeError:
    pass  # the page says so
current_page.run()
