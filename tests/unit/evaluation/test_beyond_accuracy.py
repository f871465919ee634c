"""Beyond accuracy: lists as the service makes them, their metrics by hand, coverage's interval."""

from math import log, log2

import numpy as np
import pytest

from marquee.core.item_stats import SMOOTHING
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, coverage, list_metrics, top_lists


def test_top_lists_hold_best_unseen_ties_by_row() -> None:
    score = np.array([[1.0, 3.0, 2.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    seen = np.array([[False] * 5, [True, False, False, False, False]])
    assert top_lists(score, seen, k=3).tolist() == [[1, 3, 2], [1, 2, 3]]


def test_top_lists_pad_short_list_with_minus_one() -> None:
    seen = np.array([[True, True, False, False]])
    assert top_lists(np.array([[9.0, 8.0, 1.0, 2.0]]), seen, k=3).tolist() == [[3, 2, -1]]
    assert top_lists(np.array([[1.0, 2.0]]), np.zeros((1, 2), bool), k=10).tolist() == [[1, 0]]


def test_top_lists_sort_by_score_then_row() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(8, size=(20, 50)).astype(np.float32)
    seen = rng.random((20, 50)) < 0.3
    for row, items in enumerate(top_lists(score, seen)):
        unseen = np.flatnonzero(~seen[row])
        order = np.lexsort((unseen, -score[row, unseen]))
        assert items.tolist() == unseen[order][:10].tolist()


# Four users; item 0 rated by all of them, 1 by two, 2 and 3 by one.
GENRES = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32)
STATS = ItemStats.from_interactions(
    np.array([0, 0, 0, 0, 1, 1, 2, 3]), num_users=4, genre_IG=GENRES
)


def list_metrics_of(top: list[int], history: list[int]) -> dict[str, float]:
    metrics = list_metrics(np.array([top]), [np.array(history)], STATS)
    return {name: float(value[0]) for name, value in metrics.items()}


def test_novelty_is_mean_self_information() -> None:
    assert STATS.novelty_I.tolist() == [0, -log2(2 / 4), -log2(1 / 4), -log2(1 / 4)]
    metrics = list_metrics_of([0, 2], [1])
    assert metrics["novelty"] == (0 + 2) / 2
    assert metrics["popularity_bias"] == 1 - 1
    assert list_metrics_of([0, -1], [2])["popularity_bias"] == 2 - 0  # the list is the more popular


@pytest.mark.parametrize(
    ("top", "history", "expected"),
    [
        pytest.param([0, 1], [2], 0.0, id="the-same-shares"),
        pytest.param([1, -1], [0], log(1 / SMOOTHING), id="none-of-the-taste"),
        pytest.param(
            [0, -1],
            [0, 1],  # p = (.5, .5), q = (1, 0)
            0.5 * log(0.5 / (0.99 + 0.01 * 0.5)) + 0.5 * log(0.5 / (0.01 * 0.5)),
            id="half-of-it",
        ),
        pytest.param([0, -1], [3], 0.0, id="no-taste-known"),
        pytest.param([3, 0], [0], 0.0, id="a-movie-without-genres-says-nothing"),
    ],
)
def test_miscalibration_is_divergence_of_genre_shares(
    top: list[int], history: list[int], expected: float
) -> None:
    assert list_metrics_of(top, history)["miscalibration"] == pytest.approx(expected, abs=1e-9)


def test_list_metrics_of_users_are_independent() -> None:
    metrics = list_metrics(np.array([[0, 2], [1, -1]]), [np.array([1]), np.array([0, 2])], STATS)
    first, second = list_metrics_of([0, 2], [1]), list_metrics_of([1, -1], [0, 2])
    for name, values in metrics.items():
        assert values.tolist() == pytest.approx([first[name], second[name]])


def test_coverage_counts_items_in_any_list() -> None:
    assert coverage([np.array([[0, 1], [1, 2]])], 6).mean == 3 / 6
    seeds = [np.array([[0, 1], [1, 2]]), np.array([[0, 0], [0, -1]])]
    assert coverage(seeds, 6).mean == pytest.approx((3 / 6 + 1 / 6) / 2)


def test_coverage_interval_is_empty_for_equal_users() -> None:
    interval = coverage([np.arange(40).reshape(20, 2)], 100)
    assert [interval.low, interval.mean, interval.high] == pytest.approx([0.4, 0.4, 0.4])


def test_coverage_interval_holds_expectation() -> None:
    """Lists of one item, drawn by 200 users from 300 items of unequal popularity."""
    rng = np.random.default_rng(0)
    weight = 1 / np.arange(1, 301)
    probability_I = weight / weight.sum()
    expected = (1 - (1 - probability_I) ** 200).mean()
    intervals = [coverage([rng.choice(300, (200, 1), p=probability_I)], 300) for _ in range(300)]
    share_holding = np.mean([each.low <= expected <= each.high for each in intervals])
    assert share_holding >= 0.94


def test_coverage_bootstrap_would_be_biased_low() -> None:
    """The reason for a jackknife: draws with replacement miss a third of the users."""
    rng = np.random.default_rng(0)
    lists = rng.integers(300, size=200)
    bootstrap_draws = [len(set(rng.choice(lists, 200).tolist())) / 300 for _ in range(500)]
    assert max(bootstrap_draws) < len(set(lists.tolist())) / 300
