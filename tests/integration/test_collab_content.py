"""Test the two functions of earlier Streamlit recommenders, and against their errors."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy import collab_content
from deploy.collab_content import collab_model, content_model
from marquee.core.titles import split_title
from marquee.recommender.recommender import Recommender
from marquee_client import Marquee, label
from tests.support.in_process_transport import InProcess
from tests.support.tiny_bundle import MOVIES

TITLES = [
    "Toy Story (1995)",
    "Heat (1995)",
    "GoldenEye (1995)",
    "Twelve Monkeys (1995)",
    "Usual Suspects, The (1995)",
    "Heat of the Day",
    "Amélie (2001)",
    "Pulp Fiction (1994)",
    "Blade Runner (1982)",
    "Blade Runner 2049 (2017)",
]
"""Those of MOVIES, as MovieLens writes them."""
FAVOURITES = ["Heat (1995)", "Toy Story (1995)", "Usual Suspects, The (1995)"]

Model = Callable[..., list[str]]
both = pytest.mark.parametrize("model", [content_model, collab_model])


@pytest.fixture(autouse=True)
def served(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of this process in place of the one that MARQUEE_URL names."""
    monkeypatch.setattr(
        collab_content, "connect", lambda: Marquee("http://testserver", transport=InProcess(client))
    )


@both
def test_models_titles_are_best_first(model: Model, recommender: Recommender) -> None:
    """Those apps sorted the fifty best by row number, and took the first ten."""
    ids = [6, 1, 50]
    if model is content_model:
        items = recommender.similar(ids, k=10)["items"]
    else:
        items = recommender.recommend(history=[(movie_id, 5.0) for movie_id in ids])["items"]
    assert model(FAVOURITES, 5) == [label(item) for item in items][:5]
    assert model(FAVOURITES, top_n=2) == model(FAVOURITES)[:2]


@both
@pytest.mark.parametrize("place", [0, 1, 2])
def test_models_each_favourite_counts(model: Model, place: int) -> None:
    """Those apps added the first favourite twice, and the second never."""
    lists = set()
    for other in ("Amélie (2001)", "Blade Runner (1982)", "Heat of the Day", FAVOURITES[place]):
        chosen = [*FAVOURITES]
        chosen[place] = other
        shared = {"The Usual Suspects (1995)", "Heat (1995)", "Toy Story (1995)"}
        shared |= {"Amélie (2001)", "Blade Runner (1982)", "Heat of the Day"}
        lists.add(tuple(title for title in model(chosen) if title not in shared))
    assert len(lists) > 1


@both
@pytest.mark.parametrize("title", TITLES)
def test_models_accept_every_title_of_the_catalog(model: Model, title: str) -> None:
    """In those apps 570 of 27,000 could be picked."""
    titles = model([title, title, title])
    assert len(titles) == len(MOVIES) - 1
    name, year = split_title(title)
    assert not set(titles) & {title, name, f"{name} ({year})"}
    assert titles == model([title])


@both
def test_models_accept_their_own_titles(model: Model) -> None:
    titles = model(FAVOURITES)
    assert len(titles) == 7 and not set(titles) & {*FAVOURITES, "The Usual Suspects (1995)"}
    for title in titles:
        assert title not in model([title, *FAVOURITES[:2]])


@both
@pytest.mark.parametrize(
    ("title", "nearest"),
    [
        pytest.param("Zzyzx Road (2006)", "no title is like it", id="nothing-like-it"),
        pytest.param("Heat (2013)", r'did you mean "Heat \(1995\)"', id="another-year"),
        pytest.param("", "no title is like it", id="empty"),
    ],
)
def test_models_unknown_title_names_the_nearest(model: Model, title: str, nearest: str) -> None:
    """Those apps caught everything, and said "Oops!"."""
    with pytest.raises(ValueError, match=nearest) as error:
        model([*FAVOURITES[:2], title])
    assert f'"{title}"' in str(error.value)


@both
def test_models_repeated_favourite_counts_once(model: Model) -> None:
    assert model([*FAVOURITES, FAVOURITES[2]]) == model(FAVOURITES)


@both
def test_models_accept_misspelled_titles(model: Model) -> None:
    assert model(["pulp ficton", "heat (1995)", "The Usual Suspects (1995)"]) == model(
        ["Pulp Fiction (1994)", "Heat (1995)", "Usual Suspects, The (1995)"]
    )


@both
def test_models_top_n_is_a_limit_of_1_to_100(model: Model) -> None:
    assert len(model(FAVOURITES[:1], top_n=100)) == 9
    for top_n in (0, 101):
        with pytest.raises(ValueError, match=f"top_n is {top_n}"):
            model(FAVOURITES, top_n)
    with pytest.raises(ValueError, match="expected at least one title"):
        model([])


def movie(movie_id: int, title: str) -> dict[str, Any]:
    return {"movie_id": movie_id, "title": title, "year": 1996, "genres": [], "num_ratings": 1}


@both
def test_models_leave_out_namesakes_of_a_favourite(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MovieLens has several pairs such as Emma (1996), ids 838 and 26958."""

    def answer(request: httpx.Request) -> httpx.Response:
        movies = [movie(838, "Emma"), movie(26958, "Emma"), movie(3, "Fargo"), movie(4, "Fargo")]
        if request.method == "POST":
            assert json.loads(request.content)["k"] == 2  # a namesake may take a place
        items = movies[:1] if request.method == "GET" else movies[1:]
        return httpx.Response(200, json={"items": items, "model_version": "0"})

    monkeypatch.setattr(
        collab_content, "connect", lambda: Marquee(transport=httpx.MockTransport(answer))
    )
    assert model(["Emma (1996)"], top_n=1) == ["Fargo (1996)"]
