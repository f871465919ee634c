"""Protocols: who is ranked against whom, one pass of scores, the instrument's proof on ml-1m."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.loaders import training_ratings
from datamodules.splits.leave_one_out import draw_candidates, split_next
from marquee.data.dataset import load_dataset
from marquee.data.interactions import build_histories
from marquee.evaluation.baselines.neighbors import Popularity
from marquee.evaluation.ranker import (
    CHOSEN_BY,
    PROTOCOLS,
    Asked,
    Ints,
    Scores,
    Stars,
    evaluate,
    shuffled,
)


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
    ranked = evaluate(fixed(4, 3, 2, 1), Asked("next", [history], [rows(2)]))
    assert ranked.keys() == {"next"}
    assert ranked["next"].rank.tolist() == [rank]
    assert ranked["next"].metrics["mrr"] == pytest.approx([1 / rank])


def test_ncf_paper_ranks_the_candidates_alone() -> None:
    candidates = np.array([[1, 4], [0, 1]])
    asked = Asked("next", [rows(), rows()], [rows(2), rows(2)], candidates=candidates)
    ranked = evaluate(fixed(5, 4, 3, 2, 1), asked)
    assert ranked["ncf-paper"].rank.tolist() == [2.0, 3.0]


def test_a_candidate_equal_to_its_target_counts_once() -> None:
    # The paper's own file has it for 156 people.
    asked = Asked("next", [rows()], [rows(1)], candidates=np.array([[0, 1, 2]]))
    ranked = evaluate(fixed(5, 4, 3), asked)
    assert ranked["ncf-paper"].rank.tolist() == [2.0]


def test_a_constant_scorer_gets_what_chance_gives() -> None:
    everybody, constant = [rows()] * 7, fixed(*[0.0] * 200)
    candidates = np.tile(np.arange(1, 100), (7, 1))
    ranked = evaluate(constant, Asked("next", everybody, [rows(0)] * 7, candidates=candidates))
    assert ranked["ncf-paper"].metrics["hit_rate@10"].tolist() == [0.10] * 7
    assert ranked["next"].metrics["hit_rate@10"].tolist() == [0.05] * 7
    ranked |= evaluate(constant, Asked("time", everybody, [rows(0)] * 7))
    ranked |= evaluate(constant, Asked("new-users", everybody, [np.arange(5)] * 7))
    assert ranked["new-users"].metrics["recall@20"] == pytest.approx([20 / 200] * 7)
    ranked |= evaluate(constant, Asked("new-movies", everybody, [rows(0)] * 7, among=rows(0, 3, 9)))
    assert ranked["new-movies"].metrics["auc"].tolist() == [0.5] * 7
    assert {name: tuple(one.metrics) for name, one in ranked.items()} == PROTOCOLS
    assert all(CHOSEN_BY[name] in PROTOCOLS[name] for name in PROTOCOLS)


def test_new_users_rank_every_movie_to_be_found() -> None:
    asked = Asked("new-users", [rows(0), rows()], [rows(3, 1), rows(2)])
    ranked = evaluate(fixed(9, 8, 7, 6), asked)["new-users"]
    assert ranked.rank.tolist() == [3.0, 1.0, 3.0]  # movie by movie, in the order given
    gain = 1 / np.log2(np.arange(2, 5))
    best = gain[0] + gain[1]
    assert ranked.metrics["ndcg@100"] == pytest.approx([(gain[2] + gain[0]) / best, gain[2]])


def test_new_movies_rank_what_is_held_out_but_what_was_watched_earlier() -> None:
    asked = Asked(
        "new-movies",
        [rows(0), rows(0)],
        [rows(3), rows(3)],
        among=rows(1, 2, 3, 4),
        watched=[rows(), rows(1)],
    )
    ranked = evaluate(fixed(9, 8, 7, 6, 5), asked)["new-movies"]
    assert ranked.rank.tolist() == [3.0, 2.0]
    assert ranked.metrics["auc"] == pytest.approx([1 / 3, 1 / 2])


def test_lists_are_the_ten_best_unseen() -> None:
    asked = Asked("next", [rows(0), rows(11)], [rows(5), rows(6)])
    top = evaluate(fixed(*range(12, 0, -1)), asked, lists=True)["next"].top
    assert top.tolist() == [list(range(1, 11)), list(range(10))]
    assert evaluate(fixed(*range(12)), asked)["next"].top.shape == (2, 0)


def test_shuffled_histories_keep_their_movies_stars_and_questions() -> None:
    rng = np.random.default_rng(0)
    histories = [rng.permutation(50)[:n] for n in (1, 20, 40)]
    stars = [history.astype(np.float32) for history in histories]
    asked = Asked("next", histories, [rows(0)] * 3, stars)
    mixed = shuffled(asked, seed=1)
    assert mixed.stars is not None
    for old, new, given in zip(histories, mixed.histories, mixed.stars, strict=True):
        assert sorted(new) == sorted(old)
        assert (given == new).all()
    assert (mixed.histories[2] != histories[2]).any()
    assert all(map(np.array_equal, mixed.histories, shuffled(asked, seed=1).histories))
    assert mixed.found is asked.found
    assert shuffled(asked._replace(stars=None)).stars is None


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

    questions = Asked("next", histories, list(target[:, None]), stars, candidates)
    whole = evaluate(scorer, questions, lists=True)
    asked.clear()
    blocks = evaluate(scorer, questions, block=3, lists=True)
    assert asked == list(range(10))
    for name in ("next", "ncf-paper"):
        assert np.array_equal(whole[name].rank, blocks[name].rank)
        assert np.array_equal(whole[name].top, blocks[name].top)


@pytest.mark.parametrize(
    ("scores", "change", "message"),
    [
        pytest.param([3, 2, 1], {"found": [rows(2), rows(1)]}, "'found': 2", id="lengths"),
        pytest.param([3, 2, 1], {"found": [rows(3)]}, "target rows 3..3", id="unknown-target"),
        pytest.param([3, 2, 1], {"found": [rows(-1)]}, "target rows -1", id="negative-target"),
        pytest.param([3, 2, 1], {"found": [rows(1, 2)]}, "`next` needs one", id="two-targets"),
        pytest.param([3, 2, 1], {"found": [rows()]}, "0 to 0 movies to be found", id="no-target"),
        pytest.param([3, 2, 1], {"candidates": np.array([[7]])}, "candidate rows", id="candidate"),
        pytest.param([3, np.nan, 1], {}, "NaN", id="nan"),
        pytest.param([3, 2, 1], {"histories": [], "found": []}, "no person", id="nobody"),
    ],
)
def test_refused(scores: list[float], change: dict[str, Any], message: str) -> None:
    asked = Asked("next", [rows(0)], [rows(2)])._replace(**change)
    with pytest.raises(ValueError, match=message):
        evaluate(fixed(*scores), asked)


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\) for 1 histories"):
        asked = Asked("next", [rows(0)], [rows(2)])
        evaluate(lambda histories, stars: np.zeros(3, np.float32), asked)


ML_1M = Path(os.environ.get("DATA_ROOT", "data")) / "ml-1m"


@pytest.mark.skipif(not ML_1M.is_dir(), reason=f"no {ML_1M}: set DATA_ROOT to try the real data")
def test_instrument_popularity_on_ml_1m() -> None:
    """.459 / .253; one draw of the 99 strays by .0021 (sd of hit_rate), the mean of 5 by .001."""
    dataset = load_dataset("ml-1m")
    histories = build_histories(dataset, ties="file")
    split = split_next(histories, len(dataset.movies)).refit("validation")
    user, item, _ = training_ratings(split)
    model = Popularity().fit(user, item, len(histories), split.num_items)
    end = split.test.start + split.test.given
    before = [histories.item[a:b] for a, b in zip(split.test.start, end, strict=True)]
    means = []
    for seed in range(5):
        drawn = draw_candidates(split, num=99, seed=seed)
        asked = Asked("next", before, list(histories.item[end, None]), candidates=drawn)
        found = evaluate(model.score, asked)["ncf-paper"].metrics
        means.append([found["hit_rate@10"].mean(), found["ndcg@10"].mean()])
    assert np.mean(means, axis=0) == pytest.approx([0.459, 0.253], abs=0.004)
