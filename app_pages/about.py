"""About: the origin of the lists, their limits, and the card of the model at work."""

from pathlib import Path

import streamlit as st

from app_pages import api, widgets

LEAD = """
<p class="lead">Marquee reads your ratings in their order and predicts what you may watch next.
A star that you give now counts in your next list: no training is needed.</p>
"""
MOVIELENS_TERMS = """
MovieLens: F. M. Harper and J. A. Konstan, The MovieLens Datasets, ACM TiiS 5(4), 2015. It is for
research, and needs permission for commercial use.
"""
COUNTS = {"Movies": "num_items", "Users": "num_users", "Ratings learned from": "num_ratings"}


@widgets.page
def show() -> None:
    st.title("About", anchor=False)
    st.html(LEAD)
    card = api.model()
    data = card["data"]
    with st.container(horizontal=True, gap="large"):
        for name, key in COUNTS.items():
            if key in data:
                st.metric(name, f"{data[key]:,}")
    st.markdown(Path(__file__).with_suffix(".md").read_text())
    if not api.is_synthetic():
        st.caption(f"Data: {data.get('name', 'unnamed')}. {MOVIELENS_TERMS}")
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
