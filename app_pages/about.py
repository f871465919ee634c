"""About: the origin of the lists, their limits, and the card of the model at work."""

from pathlib import Path

import streamlit as st

from app_pages import api, widgets

LEAD = """
<p class="lead">Marquee reads your {ratings} in their order and predicts what you may watch next.
{star} now counts in your next list: no training is needed.</p>
"""
MOVIELENS_TERMS = """
MovieLens: F. M. Harper and J. A. Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015. It is for
research, and needs permission for commercial use.
"""
COUNTS = {"Movies": "num_items", "Users": "num_users"}


@widgets.page
def show() -> None:
    st.title("About", anchor=False)
    ratings = widgets.worded("ratings", "movies")
    star = widgets.worded("A star that you give", "A movie that you mark")
    st.html(LEAD.format(ratings=ratings, star=star))
    card = api.model()
    data = card["data"]
    with st.container(horizontal=True, gap="large"):
        learned = widgets.worded("Ratings learned from", "Plays learned from")
        for name, key in (COUNTS | {learned: "num_ratings"}).items():
            if key in data:
                st.metric(name, f"{data[key]:,}")
    st.markdown(Path(__file__).with_name(widgets.worded("about.md", "about_plays.md")).read_text())
    if not api.is_synthetic():
        name = str(data.get("name", "unnamed"))
        terms = MOVIELENS_TERMS if name.startswith("ml-") else ""
        st.caption(f"Data: {widgets.plain(name)}. {terms}")
    st.subheader("The model at work", anchor=False)
    refit = card.get("refit", "")
    facts = {
        "name": card["name"],
        "version": card["model_version"][:12],
        "created": card.get("created", "")[:10],
        "recipe": card.get("recipe", ""),
        "trained on": "train + validation" if refit == "validation" else refit,
    } | {
        name: f"{value:.4f}" for name, value in card["metrics"].items() if isinstance(value, float)
    }
    st.dataframe(
        {"": list(facts), "value": list(facts.values())}, hide_index=True, alt="Facts of the model"
    )
    with st.expander("The full model card"):
        st.json(card)


show()
