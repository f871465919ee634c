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


def page(name: str, title: str, icon: str, *, url_path: str | None = None) -> st.Page:
    return st.Page(
        f"app_pages/{name}.py",
        title=title,
        icon=f":material/{icon}:",
        url_path=url_path,
        default=name == "start",
    )


st.set_page_config(page_title="Marquee", page_icon=ICON, layout="wide")
st.html(FOLDER / "style.css")
st.logo(str(FOLDER / "logo.svg"), icon_image=ICON, size="large")
try:
    has_ratings, is_synthetic = bool(api.scale()), api.is_synthetic()
except MarqueeError:
    has_ratings, is_synthetic = True, False  # the page says that the service is away
pages = [
    page("start", "Start", "waving_hand"),
    page("for_you", "For you", "movie"),
    page("rate", "Rate", "star") if has_ratings else page("rate", "Watched", "visibility"),
    page("taste", "My taste", "palette"),
    page("night", "Movie night", "groups"),
    page("profile", "Profile", "person"),
    page("findings", "Findings", "insights"),
    page("about", "About", "info"),
]
movie_pages = [
    page("movie", "Movie", "movie"),
    page("movie", "Movie", "movie", url_path="film"),  # the address that older bookmarks hold
]
current_page = st.navigation([*pages, *movie_pages], position="hidden")
state.begin(current_page.url_path)
with st.container(horizontal=True, key="nav"):  # links of Streamlit's own would hold no identity
    for linked_page in pages:
        query = state.link_to(linked_page.url_path)
        st.page_link(linked_page, query_params=query)
if is_synthetic:
    st.caption(":material/science: Synthetic data: movies and ratings are generated.")
current_page.run()
