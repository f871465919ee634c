"""Protocols: who is ranked against whom, one pass of scores, the instrument's proof on ml-1m."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.ratings import load_dataset
from datamodules.splits import draw_candidates, histories_of, split_next
from evaluation.baselines import Popularity
from evaluation.protocols import PROTOCOLS, Ints, Scores, Stars, evaluate


def rows(*items: int) -> NDArray[np.int64]:
    return np.array(items, dtype=np.int64)


def fixed(*scores: float) -> Callable[[Sequence[Ints], Stars], Scores]:
    return lambda histories, stars: np.tile(np.array(scores, np.float32), (len(histories), 1))


@pytest.mark.parametrize(
    ("history", "rank"),
    [
        pytest.param(rows(), 3.0, id="nothing-seen"),
        pytest.param(rows(0), 2.0, id="a-better-one-seen"),
        pytest.param(rows(0, 1, 3), 1.0, id="only-the-target-left"),
        pytest.param(rows(2, 1), 2.0, id="target-stays-though-seen"),
    ],
)
def test_next_ranks_what_is_not_in_the_history(history: Ints, rank: float) -> None:
    ranked = evaluate(fixed(4, 3, 2, 1), [history], rows(2))
    assert ranked.keys() == {"next"}
    assert ranked["next"].rank.tolist() == [rank]
    assert ranked["next"].metrics["mrr"] == pytest.approx([1 / rank])


def test_ncf_paper_ranks_the_candidates_alone() -> None:
    candidates = np.array([[1, 4], [0, 1]])
    ranked = evaluate(fixed(5, 4, 3, 2, 1), [rows(), rows()], rows(2, 2), candidates)
    assert ranked["ncf-paper"].rank.tolist() == [2.0, 3.0]


def test_a_candidate_equal_to_its_target_counts_once() -> None:
    # The paper's own file has it for 156 people.
    ranked = evaluate(fixed(5, 4, 3), [rows()], rows(1), np.array([[0, 1, 2]]))
    assert ranked["ncf-paper"].rank.tolist() == [2.0]


def test_a_constant_scorer_gets_one_in_ten() -> None:
    everybody = [rows()] * 7
    candidates = np.tile(np.arange(1, 100), (7, 1))
    ranked = evaluate(fixed(*[0.0] * 200), everybody, np.zeros(7, int), candidates)
    assert ranked["ncf-paper"].metrics["hit_rate@10"].tolist() == [0.10] * 7
    assert ranked["next"].metrics["hit_rate@10"].tolist() == [0.05] * 7
    assert {name: tuple(one.metrics) for name, one in ranked.items()} == PROTOCOLS


def test_blocks_score_everybody_once_and_change_nothing() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(9, size=(10, 40)).astype(np.float32)
    histories = [rng.permutation(40)[:person] for person in range(10)]
    stars = [np.full(person, person, dtype=np.float32) for person in range(10)]
    target, candidates = rng.integers(40, size=10), rng.integers(40, size=(10, 5))
    asked: list[int] = []

    def scorer(part: Sequence[Ints], part_stars: Stars) -> Scores:
        assert part_stars is not None
        assert all(
            (given == len(history)).all() for history, given in zip(part, part_stars, strict=True)
        )
        persons = [len(history) for history in part]
        asked.extend(persons)
        return score[persons]

    whole = evaluate(scorer, histories, target, candidates, stars)
    asked.clear()
    blocks = evaluate(scorer, histories, target, candidates, stars, block=3)
    assert asked == list(range(10))
    for name in PROTOCOLS:
        assert np.array_equal(whole[name].rank, blocks[name].rank)


@pytest.mark.parametrize(
    ("scores", "change", "message"),
    [
        pytest.param([3, 2, 1], {"targets": rows(2, 1)}, "'targets': 2", id="lengths"),
        pytest.param([3, 2, 1], {"targets": rows(3)}, "target rows 3..3", id="unknown-target"),
        pytest.param([3, 2, 1], {"targets": rows(-1)}, "target rows -1", id="negative-target"),
        pytest.param([3, 2, 1], {"candidates": np.array([[7]])}, "candidate rows", id="candidate"),
        pytest.param([3, np.nan, 1], {}, "NaN", id="nan"),
        pytest.param([3, 2, 1], {"histories": [], "targets": rows()}, "no person", id="nobody"),
    ],
)
def test_refused(scores: list[float], change: dict[str, Any], message: str) -> None:
    asked: dict[str, Any] = {"histories": [rows(0)], "targets": rows(2)} | change
    with pytest.raises(ValueError, match=message):
        evaluate(fixed(*scores), **asked)


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\) for 1 histories"):
        evaluate(lambda histories, stars: np.zeros(3, np.float32), [rows(0)], rows(2))


ML_1M = Path(os.environ.get("DATA_ROOT", "data")) / "ml-1m"


@pytest.mark.skipif(not ML_1M.is_dir(), reason=f"no {ML_1M}: set DATA_ROOT to try the real data")
def test_instrument_popularity_on_ml_1m() -> None:
    """.459 / .253; one draw of the 99 strays by .0021 (sd of hit_rate), the mean of 5 by .001."""
    dataset = load_dataset("ml-1m")
    histories = histories_of(dataset, ties="file")
    split = split_next(histories, len(dataset.movies)).refit("validation")
    length, start = histories.length, histories.indptr
    user = np.repeat(np.arange(len(length)), length)
    is_train = np.arange(len(user)) - start[user] < split.train_end[user]
    model = Popularity().fit(user[is_train], histories.item[is_train], len(length), split.num_items)
    end = start[split.test_user] + split.test_pos
    before = [histories.item[start[u] : stop] for u, stop in zip(split.test_user, end, strict=True)]
    means = []
    for seed in range(5):
        drawn = draw_candidates(split, num=99, seed=seed)
        found = evaluate(model.score, before, histories.item[end], drawn)["ncf-paper"].metrics
        means.append([found["hit_rate@10"].mean(), found["ndcg@10"].mean()])
    assert np.mean(means, axis=0) == pytest.approx([0.459, 0.253], abs=0.004)
