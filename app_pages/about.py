"""About: the origin of the lists, their limits, and the card of the model at work."""

import streamlit as st

from app_pages import api, widgets

LIMITS = """
* **Stars, not watching.** MovieLens has no watch time, no record of what was shown and not picked,
  and nobody who left: nothing here says what keeps people watching.
* **People who rate.** They chose what to rate, mostly what they like. Predicted stars are those of
  a movie you would choose to rate.
* **Few ratings.** A movie with less than five is marked “a guess”, and its interval is wide.
* **The newest years are thin.** Movies that came out as the data ends look less liked than they
  are.
* **Order is not a verdict.** Lists say what you may watch next; stars what you would give it. The
  two differ.
"""


@widgets.page
def show() -> None:
    st.title("About", anchor=False)
    st.html(
        '<p class="lead">Marquee reads your ratings in their order and asks: what comes next? '
        "Nothing is trained for you: a star given now counts in the next list.</p>"
    )
    card = api.model()
    data = card["data"]
    if api.is_synthetic():
        st.warning("Synthetic data: these movies, people and ratings are generated.")
    with st.container(horizontal=True, gap="large"):
        for name, key in (
            ("Movies", "num_items"),
            ("People", "num_users"),
            ("Ratings learned from", "num_ratings"),
        ):
            if key in data:
                st.metric(name, f"{data[key]:,}")
    st.subheader("How to read it", anchor=False)
    st.markdown(
        "**★ 4.3** is what you would give a movie, on your own scale; the bar on its page holds "
        "your stars nine times in ten. **Because** names movies of yours without which it would "
        "stand lower, found by taking each away. **Ratings** says how many people it rests on."
    )
    st.subheader("Limits", anchor=False)
    st.markdown(LIMITS)
    if not api.is_synthetic():
        st.caption(
            f"Data: {data.get('name', 'unnamed')}. MovieLens: F. M. Harper and J. A. Konstan, The "
            "MovieLens Datasets, ACM TiiS 5(4), 2015; for research, not for commercial use without "
            "permission."
        )
    st.subheader("The model at work", anchor=False)
    refit = card.get("refit", "")
    facts = {
        "name": card["name"],
        "version": card["model_version"][:12],
        "made": card.get("created", "")[:10],
        "recipe": card.get("recipe", ""),
        "trained on": "train + validation" if refit == "validation" else refit,
    } | {
        name: f"{value:.4f}" for name, value in card["metrics"].items() if isinstance(value, float)
    }
    st.dataframe(
        {"": list(facts), "value": list(facts.values())}, hide_index=True, alt="Facts of the model"
    )
    with st.expander("The whole model card"):
        st.json(card)


show()
