"""What earlier Streamlit recommenders got wrong must not return (named at each test)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from deploy import collab_content
from deploy.collab_content import collab_model, content_model
from marquee.core.titles import split_title
from marquee.recommender.recommender import Recommender
from marquee_client import Marquee, label
from tests.support.in_process_transport import InProcess
from tests.support.tiny_bundle import FILMS

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
"""Those of FILMS, as MovieLens writes them."""
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
def test_titles_come_best_first(model: Model, recommender: Recommender) -> None:
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
def test_each_favourite_counts(model: Model, place: int) -> None:
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
def test_every_title_of_the_catalogue_can_be_given(model: Model, title: str) -> None:
    """In those apps 570 of 27,000 could be picked."""
    found = model([title, title, title])
    assert len(found) == len(FILMS) - 1
    name, year = split_title(title)
    assert not set(found) & {title, name, f"{name} ({year})"}
    assert found == model([title])


@both
def test_what_comes_out_can_go_in_and_does_not_come_back(model: Model) -> None:
    found = model(FAVOURITES)
    assert len(found) == 7 and not set(found) & {*FAVOURITES, "The Usual Suspects (1995)"}
    for title in found:
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
def test_an_unknown_title_is_told(model: Model, title: str, nearest: str) -> None:
    """Those apps caught everything, and said "Oops!"."""
    with pytest.raises(ValueError, match=nearest) as error:
        model([*FAVOURITES[:2], title])
    assert f'"{title}"' in str(error.value)


@both
def test_a_favourite_given_twice_counts_once(model: Model) -> None:
    assert model([*FAVOURITES, FAVOURITES[2]]) == model(FAVOURITES)


@both
def test_slips_are_forgiven(model: Model) -> None:
    assert model(["pulp ficton", "heat (1995)", "The Usual Suspects (1995)"]) == model(
        ["Pulp Fiction (1994)", "Heat (1995)", "Usual Suspects, The (1995)"]
    )


@both
def test_how_many(model: Model) -> None:
    assert len(model(FAVOURITES[:1], top_n=100)) == 9
    for top_n in (0, 101):
        with pytest.raises(ValueError, match=f"top_n is {top_n}"):
            model(FAVOURITES, top_n)
    with pytest.raises(ValueError, match="expected at least one title"):
        model([])


def film(movie_id: int, title: str) -> dict[str, Any]:
    return {"movie_id": movie_id, "title": title, "year": 1996, "genres": [], "num_ratings": 1}


@both
def test_namesakes_of_a_favourite_stay_out(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """MovieLens has several pairs such as Emma (1996), ids 838 and 26958."""

    def answer(request: httpx.Request) -> httpx.Response:
        found = [film(838, "Emma"), film(26958, "Emma"), film(3, "Fargo"), film(4, "Fargo")]
        if request.method == "POST":
            assert json.loads(request.content)["k"] == 2  # a namesake may take a place
        kept = found[:1] if request.method == "GET" else found[1:]
        return httpx.Response(200, json={"items": kept, "model_version": "0"})

    monkeypatch.setattr(
        collab_content, "connect", lambda: Marquee(transport=httpx.MockTransport(answer))
    )
    assert model(["Emma (1996)"], top_n=1) == ["Fargo (1996)"]


def test_the_exact_title_goes_before_what_the_search_puts_first() -> None:
    hits = [film(110, "Heat of the Day"), film(6, "Heat")]
    answer = httpx.Response(200, json={"items": hits, "model_version": "0"})
    with Marquee(transport=httpx.MockTransport(lambda _: answer)) as marquee:
        assert collab_content.find(marquee, "heat (1996)")["movie_id"] == 6
        assert collab_content.find(marquee, "Heet (1996)")["movie_id"] == 110


def test_what_is_searched_for() -> None:
    """Without its brackets the year hid the article: 2% of ml-latest-small were not found."""
    asked: list[str] = []

    def nothing(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["q"])
        return httpx.Response(200, json={"items": [], "model_version": "0"})

    with Marquee(transport=httpx.MockTransport(nothing)) as marquee:
        for title in ("Net, The (1995)", "Fawlty Towers (1975-1979)", "Heat ", "x" * 300):
            with pytest.raises(ValueError, match="no title is like it"):
                collab_content.find(marquee, title)
    assert asked == ["Net, The (1995)", "Fawlty Towers (1975)", "Heat", "x" * 200]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.undo()  # the real connect
    yield monkeypatch


def test_the_environment_says_where_the_service_is(environment: pytest.MonkeyPatch) -> None:
    with collab_content.connect() as marquee:
        assert str(marquee._http.base_url) == "http://127.0.0.1:3000"
        assert "Authorization" not in marquee._http.headers
    environment.setenv("MARQUEE_URL", "https://films.example.org")
    environment.setenv("MARQUEE_KEY", "k")
    with collab_content.connect() as marquee:
        assert marquee._http.base_url == "https://films.example.org"
        assert marquee._http.headers["Authorization"] == "Bearer k"
