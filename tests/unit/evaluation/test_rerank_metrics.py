"""Metrics and choices of the re-ranking trade-off, by hand."""

import numpy as np
import pytest

from marquee.core.bootstrap import ratio
from marquee.core.movies import Movies
from marquee.evaluation.metrics.beyond_accuracy import ItemStats
from marquee.evaluation.rerank_tradeoff import (
    against_plain,
    control_metrics,
    edits_followed,
    mean_cosine,
    top_ten,
    weakest_that_halves,
)
from marquee.recommender.query import Controls
from marquee.recommender.rerank.reranker import Reranker
from tests.support.eval_queries import eval_queries


def test_control_metrics_of_one_list() -> None:
    """In 2001 one user is shown movies of 1999, 1998 and one of unknown year."""
    movies = Movies(np.arange(4), list("ABCD"), [1999, 1998, None, 1950], [("Drama",)] * 4)
    reranker = Reranker(movies, np.array([4, 4, 2, 1]), 4, np.eye(4, dtype=np.float32))
    watched, genre_IG = np.repeat(np.arange(4), [4, 4, 2, 1]), movies.genre_matrix()
    queries = eval_queries(contexts=[[3]], targets=[[1]])
    top = top_ten(np.array([[3.0, 2, 1, 9]]), queries.contexts(), reranker, Controls())
    assert top[0, :4].tolist() == [0, 1, 2, -1], "the history is not listed, however good"
    years = np.array([1999.0, 1998, np.nan, 1950])
    metrics = control_metrics(
        top,
        queries,
        stats=ItemStats.from_interactions(watched, num_users=4, genre_IG=genre_IG),
        reranker=reranker,
        year_I=years,
        query_year_U=np.array([2001]),
    )
    assert metrics["fresh"].tolist() == pytest.approx([1 / 3])
    assert metrics["hit_rate@10"].tolist() == [1]
    assert metrics["ndcg@10"].tolist() == pytest.approx([1 / np.log2(3)])
    assert metrics["novelty"].tolist() == pytest.approx([1 / 3])
    assert metrics["alike"].tolist() == [0], "the embeddings are at right angles"


def test_mean_cosine_of_three_vectors() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1]])
    assert mean_cosine(vectors) == pytest.approx((0.6 + 0 + 0.8) / 3)
    assert mean_cosine(vectors[:1]) == 1


def test_edits_of_genre_mix_are_followed() -> None:
    """2,000 movies of ten genres leave enough unseen ones to follow nearly every edit."""
    rng, names = np.random.default_rng(0), tuple("ABCDEFGHIJ")
    genres = [tuple(rng.choice(names, rng.integers(1, 4), replace=False)) for _ in range(2000)]
    movies = Movies(np.arange(2000), ["Film"] * 2000, [None] * 2000, genres)
    reranker = Reranker(movies, np.ones(2000, np.int64), 1, np.ones((2000, 2), np.float32))
    follows = list[bool]()
    for user in range(25):
        history, score_I = rng.choice(2000, 30, replace=False), rng.normal(size=2000) * 2
        follows += edits_followed(score_I, history, reranker, movies.genre_names, user)
    assert len(follows) > 45 and np.mean(follows) >= 0.95


def test_against_plain_gives_ratios_of_means() -> None:
    interval = ratio([1.0, 3.0], [2.0, 6.0])
    assert (interval.mean, interval.low, interval.high) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="a mean of 0"):
        ratio([1.0], [0.0])
    half = {"ndcg@10": np.array([0.0, 1]), "miscalibration": np.array([1.0, 1])}
    plain = {"ndcg@10": np.array([1.0, 1]), "miscalibration": np.array([2.0, 4])}
    shares = against_plain(half, plain)
    assert shares["ndcg@10_ratio"]["mean"] == 0.5
    assert shares["miscalibration_ratio"]["mean"] == pytest.approx(1 / 3)


def test_weakest_that_halves_is_none_without_one() -> None:
    assert weakest_that_halves([(0.1, 0.8), (0.5, 0.4), (0.3, 0.5)]) == 0.3
    assert weakest_that_halves([(1.0, 0.51)]) is None
