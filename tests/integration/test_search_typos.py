"""Mistyped titles of the demo data are found: the measured set of results/search.json in small."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.serving.mistyped_titles import KINDS, draw_queries
from marquee.core.movies import Movies
from marquee.data.dataset import load_dataset
from marquee.data.demo_data import write_demo
from marquee.recommender.search import trigram_index
from marquee.recommender.search.title_search import TitleSearch
from marquee.recommender.search.trigram_index import TrigramIndex

QUERIES_PER_KIND = 20


@pytest.fixture(scope="module")
def demo_movies(tmp_path_factory: pytest.TempPathFactory) -> Movies:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo")
    return load_dataset("demo", root).movies


def hit_rate(movies: Movies) -> float:
    """Share of queries with a relevant movie among the first five."""
    search = TitleSearch(movies, np.zeros(len(movies)))
    hits = [
        not query.relevant.isdisjoint(search.find(query.text, 5).tolist())
        for query in draw_queries(movies, QUERIES_PER_KIND, seed=0)
    ]
    return sum(hits) / len(hits)


def test_title_search_finds_mistyped_titles(demo_movies: Movies) -> None:
    kinds = {query.kind for query in draw_queries(demo_movies, QUERIES_PER_KIND, seed=0)}
    assert len(kinds) >= len(KINDS) - 3
    assert hit_rate(demo_movies) > 0.98


def first_keys(index: TrigramIndex, key: str, count: int, *_: object) -> np.ndarray:
    return np.arange(count)


@pytest.mark.parametrize(
    ("owner", "name", "replacement"),
    [
        pytest.param(TrigramIndex, "nearest", first_keys, id="candidates"),
        pytest.param(trigram_index, "to_key", str, id="normalization"),
    ],
)
def test_title_search_without_a_part_misses_titles(
    demo_movies: Movies,
    monkeypatch: pytest.MonkeyPatch,
    owner: object,
    name: str,
    replacement: Callable[..., object],
) -> None:
    """The set above can fail: with the wrong candidates, and with titles left as they are."""
    monkeypatch.setattr(owner, name, replacement)
    assert hit_rate(demo_movies) < 0.9
