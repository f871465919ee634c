"""My taste: genres of the ratings and of the lists, and a genre mix to set by hand."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app_pages import address, api, charts, genre_mix, rating_scale, state, widgets
from marquee_client.requests import RecommendRequest
from marquee_client.types import HistoryItem

LIST_LENGTH = 50
"""Movies of the list whose mix is compared."""
MAX_SLIDERS = 8
MAX_GENRES = 10
MAX_WEIGHT = 10.0


@widgets.page
def show() -> None:
    st.title("My taste", anchor=False)
    ratings = api.answers(api.history())
    verb = widgets.worded("Rate", "Mark")
    if not ratings:
        st.info(f"{verb} a few movies to see your taste here.", icon=":material/movie:")
        widgets.link(widgets.RATE_PAGE, f"{verb} movies", ":material/arrow_forward:")
        return
    if len(ratings) < widgets.MIN_RATINGS:
        rated = f"{len(ratings)} {widgets.worded('rated', 'watched')} so far"
        st.info(f"{rated}: too few to say much. {verb} {widgets.MIN_RATINGS}.")
    if api.genres():
        genres(ratings)
    parts = [stars] * bool(api.scale()) + [decades] * api.has_years()
    for part, column in zip(parts, st.columns(2, gap="large"), strict=False):
        with column:
            part(ratings)
    if not parts and not api.genres():
        st.caption("This catalog knows neither genres nor years nor ratings.")


@st.fragment
@widgets.page
def genres(ratings: Sequence[HistoryItem]) -> None:
    """Show the user's mix, or the one they set, next to the mixes of their list."""
    rated_mix = genre_mix.mix(ratings)
    st.subheader("Your genres, and those of your list", anchor=False)
    with st.expander("Set a mix of your own", icon=":material/tune:", key="mix"):
        edit_mix(rated_mix)
    own_mix = api.genre_profile().get("genre_profile") or {}
    target = genre_mix.normalize(own_mix) or rated_mix
    query: RecommendRequest = api.user() | {"k": LIST_LENGTH}
    calibrated: RecommendRequest = {**query, "calibration": 1.0, **api.genre_profile()}
    responses = api.recommend_batch([query, calibrated])
    plain, matched = (genre_mix.mix(response["items"]) for response in responses)
    answers = widgets.worded("what you rated", "what you watched")
    name = "the mix you set" if own_mix else answers
    st.markdown(
        f"Your list shares **{genre_mix.overlap(target, plain):.0%}** of its genres with {name}. "
        f"With “Match my mix” at its fullest, it shares "
        f"**{genre_mix.overlap(target, matched):.0%}**."
    )
    names = list(target)[:MAX_GENRES]
    mixes = {name: target, "your list": plain, "matched list": matched}
    shares = {name: [mix.get(genre, 0.0) for genre in names] for name, mix in mixes.items()}
    axis = {"format": ".0%", "tickCount": 6}
    st.vega_lite_chart(charts.spec({"genre": names, **shares}, bar_px=16, axis=axis))
    percents = {name: [f"{share:.0%}" for share in column] for name, column in shares.items()}
    charts.table({"genre": names, **percents}, "genres")


def edit_mix(rated_mix: Mapping[str, float]) -> None:
    st.caption("0 leaves a genre to chance. The address of your pages holds the mix.")
    own_mix = state.mix()
    known = api.genres()
    largest = [genre for genre in (*own_mix, *rated_mix) if genre in known]
    key = address.draft("mix-genres", list(dict.fromkeys(largest))[:MAX_SLIDERS])
    selection = st.multiselect("Genres in the mix", known, key=key)
    start = {genre: round(10 * share, 1) for genre, share in rated_mix.items()} | own_mix
    columns = st.columns(4, gap="medium")
    weights = {}
    for n, genre in enumerate(selection):
        key = address.draft(f"mix-{genre}", min(start.get(genre, 1.0), MAX_WEIGHT))
        weights[genre] = columns[n % 4].slider(
            widgets.plain(genre), 0.0, MAX_WEIGHT, step=0.5, key=key
        )
    with st.container(horizontal=True):
        widgets.action("Use this mix", "use-mix", state.set_mix, weights, kind="primary")
        if own_mix:
            back = widgets.worded("Back to what I rated", "Back to what I watched")
            widgets.action(back, "drop-mix", state.set_mix, {})


def stars(ratings: Sequence[HistoryItem]) -> None:
    st.subheader("Your use of the scale", anchor=False)
    values, scale = [entry["stars"] for entry in ratings], api.scale()
    count_chart("stars", rating_scale.counts(values, scale))
    num_used, num_steps = len(set(values)), len(scale)
    average = f"{sum(values) / len(values):.1f} stars on average"
    st.markdown(f"{average}, {num_used} of {num_steps} steps used.")
    if num_used < 4 < num_steps and len(ratings) >= 10:
        st.caption("Rate movies you did not like: they show where your scale begins.")


def decades(ratings: Sequence[HistoryItem]) -> None:
    st.subheader("When they were made", anchor=False)
    if counts := genre_mix.decades(ratings):
        count_chart("decade", counts)
    else:
        st.caption("The catalog knows no year of the movies you rated.")


def count_chart(name: str, counts: Mapping[str, int]) -> None:
    columns: charts.Columns = {name: list(counts), "movies": list(counts.values())}
    bar = charts.BAR | {"size": 26}
    st.vega_lite_chart(charts.spec(columns, mark=bar, horizontal=False, axis={"tickMinStep": 1}))
    charts.table(columns, name)


show()
