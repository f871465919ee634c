"""Protocols: who is ranked against whom, one pass of scores, the instrument's proof on ml-1m."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from datamodules.splits import draw_candidates, split_next, training_ratings
from marquee.core.eval_queries import EvalQueries
from marquee.data.dataset import load_dataset
from marquee.data.user_histories import build_histories
from marquee.evaluation.baselines.base import Interactions
from marquee.evaluation.baselines.popularity import Popularity
from marquee.evaluation.baselines.rating import GRIDS
from marquee.evaluation.protocols import PROTOCOLS, protocols_of_split, ranking_protocols
from marquee.evaluation.ranker import Scorer, evaluate, shuffle_contexts
from marquee.evaluation.tuning import MANY_TARGETS


def rows(*items: int) -> NDArray[np.int64]:
    return np.array(items, dtype=np.int64)


def fixed(*scores: float) -> Scorer:
    return lambda queries: np.tile(np.array(scores, np.float32), (len(queries), 1))


def queries(contexts: Sequence[Any], targets: Sequence[Any], **more: Any) -> EvalQueries:
    return EvalQueries.from_lists(contexts=contexts, targets=targets, **more)


@pytest.mark.parametrize(
    ("history", "rank"),
    [
        pytest.param(rows(), 3.0, id="nothing-seen"),
        pytest.param(rows(0), 2.0, id="a-better-one-seen"),
        pytest.param(rows(0, 1, 3), 1.0, id="only-the-target-left"),
        pytest.param(rows(2, 1), 2.0, id="target-stays-though-seen"),
    ],
)
def test_next_ranks_what_is_not_in_the_history(history: NDArray[np.int64], rank: float) -> None:
    ranked = evaluate(fixed(4, 3, 2, 1), queries([history], [rows(2)]), "next")
    assert ranked.keys() == {"next"}
    assert ranked["next"].rank.tolist() == [rank]
    assert ranked["next"].metrics["mrr"] == pytest.approx([1 / rank])


def test_ncf_paper_ranks_the_candidates_alone() -> None:
    candidates = np.array([[1, 4], [0, 1]])
    asked = queries([rows(), rows()], [rows(2), rows(2)], candidate_BC=candidates)
    ranked = evaluate(fixed(5, 4, 3, 2, 1), asked, "next")
    assert ranked["ncf-paper"].rank.tolist() == [2.0, 3.0]


def test_a_candidate_equal_to_its_target_counts_once() -> None:
    # The paper's own file has it for 156 people.
    asked = queries([rows()], [rows(1)], candidate_BC=np.array([[0, 1, 2]]))
    ranked = evaluate(fixed(5, 4, 3), asked, "next")
    assert ranked["ncf-paper"].rank.tolist() == [2.0]


def test_a_constant_scorer_gets_what_chance_gives() -> None:
    everybody, constant = [rows()] * 7, fixed(*[0.0] * 200)
    candidates = np.tile(np.arange(1, 100), (7, 1))
    one = queries(everybody, [rows(0)] * 7, candidate_BC=candidates)
    ranked = evaluate(constant, one, "next")
    assert ranked["ncf-paper"].metrics["hit_rate@10"].tolist() == [0.10] * 7
    assert ranked["next"].metrics["hit_rate@10"].tolist() == [0.05] * 7
    ranked |= evaluate(constant, one.with_candidates(None), "time")
    many = queries(everybody, [np.arange(5)] * 7, has_many_targets=True)
    ranked |= evaluate(constant, many, "new-users")
    assert ranked["new-users"].metrics["recall@20"] == pytest.approx([20 / 200] * 7)
    few = queries(everybody, [rows(0)] * 7, ranked_items=rows(0, 3, 9))
    ranked |= evaluate(constant, few, "new-movies")
    assert ranked["new-movies"].metrics["auc"].tolist() == [0.5] * 7
    expected = {name: protocol.metrics for name, protocol in ranking_protocols().items()}
    assert {name: tuple(one.metrics) for name, one in ranked.items()} == expected
    assert all(each.headline in each.metrics for each in PROTOCOLS.values())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_is_registered_as_a_whole(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert protocol.name == name
    assert PROTOCOLS[protocol.split].is_split
    assert name in protocols_of_split(protocol.split)
    assert {protocol.headline, *protocol.table_metrics} <= set(protocol.metrics)
    known = GRIDS if protocol.targets == "ratings" else {**MANY_TARGETS, "genre-popularity": 0}
    assert set(protocol.baselines) <= set(known)


def test_one_split_answers_next_and_ncf_paper() -> None:
    assert protocols_of_split("next") == ["ncf-paper", "next"]
    assert [name for name, each in PROTOCOLS.items() if each.has_lists] == [
        "next",
        "time",
        "new-users",
    ]


def test_new_users_rank_every_movie_to_be_found() -> None:
    asked = queries([rows(0), rows()], [rows(3, 1), rows(2)], has_many_targets=True)
    ranked = evaluate(fixed(9, 8, 7, 6), asked, "new-users")["new-users"]
    assert ranked.rank.tolist() == [3.0, 1.0, 3.0]  # movie by movie, in the order given
    gain = 1 / np.log2(np.arange(2, 5))
    best = gain[0] + gain[1]
    assert ranked.metrics["ndcg@100"] == pytest.approx([(gain[2] + gain[0]) / best, gain[2]])


def test_new_movies_rank_what_is_held_out_but_what_was_watched_earlier() -> None:
    asked = queries(
        [rows(0), rows(0)],
        [rows(3), rows(3)],
        ranked_items=rows(1, 2, 3, 4),
        excluded=[rows(), rows(1)],
    )
    ranked = evaluate(fixed(9, 8, 7, 6, 5), asked, "new-movies")["new-movies"]
    assert ranked.rank.tolist() == [3.0, 2.0]
    assert ranked.metrics["auc"] == pytest.approx([1 / 3, 1 / 2])


def test_lists_are_the_ten_best_unseen() -> None:
    asked = queries([rows(0), rows(11)], [rows(5), rows(6)])
    top = evaluate(fixed(*range(12, 0, -1)), asked, "next", lists=True)["next"].top
    assert top.tolist() == [list(range(1, 11)), list(range(10))]
    assert evaluate(fixed(*range(12)), asked, "next")["next"].top.shape == (2, 0)


def test_shuffled_histories_keep_their_movies_stars_and_questions() -> None:
    rng = np.random.default_rng(0)
    histories = [rng.permutation(50)[:n] for n in (1, 20, 40)]
    stars = [history.astype(np.float32) for history in histories]
    asked = queries(histories, [rows(0)] * 3, ratings=stars, excluded=[rows(7), rows(), rows(8)])
    mixed = shuffle_contexts(asked, seed=1)
    lists = zip(histories, mixed.contexts(), mixed.context_ratings(), strict=True)
    for old, new, given in lists:
        assert sorted(new) == sorted(old)
        assert (given == new).all()
    assert (mixed.contexts()[2] != histories[2]).any()
    assert all(map(np.array_equal, mixed.contexts(), shuffle_contexts(asked, seed=1).contexts()))
    for name, values in asked.ranking_arrays().items():
        if name != "seen_item_N":
            assert np.array_equal(mixed.ranking_arrays()[name], values)
    assert [each.tolist() for each in asked.contexts()] == [each.tolist() for each in histories]
    unrated = shuffle_contexts(queries(histories, [rows(0)] * 3))
    assert np.isnan(np.concatenate(unrated.context_ratings())).all()


def test_blocks_score_everybody_once_and_change_nothing() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(9, size=(10, 40)).astype(np.float32)
    histories = [rng.permutation(40)[:person] for person in range(10)]
    stars = [np.full(person, person, dtype=np.float32) for person in range(10)]
    target, candidates = rng.integers(40, size=10), rng.integers(40, size=(10, 5))
    asked: list[int] = []

    def scorer(part: EvalQueries) -> NDArray[np.float32]:
        for history, given in zip(part.contexts(), part.context_ratings(), strict=True):
            assert (given == len(history)).all()
        persons = part.context_length.tolist()
        assert persons == part.user.tolist()
        asked.extend(persons)
        return score[persons]

    questions = queries(histories, list(target[:, None]), ratings=stars, candidate_BC=candidates)
    whole = evaluate(scorer, questions, "next", lists=True)
    asked.clear()
    blocks = evaluate(scorer, questions, "next", block=3, lists=True)
    assert asked == list(range(10))
    for name in ("next", "ncf-paper"):
        assert np.array_equal(whole[name].rank, blocks[name].rank)
        assert np.array_equal(whole[name].top, blocks[name].top)


@pytest.mark.parametrize(
    ("scores", "change", "message"),
    [
        pytest.param([3, 2, 1], {"targets": [rows(2), rows(1)]}, "'targets': 2", id="lengths"),
        pytest.param([3, 2, 1], {"targets": [rows(3)]}, "target rows 3..3", id="unknown-target"),
        pytest.param([3, 2, 1], {"targets": [rows(-1)]}, "target rows -1", id="negative-target"),
        pytest.param([3, 2, 1], {"targets": [rows(1, 2)]}, "`next` expected one", id="two-targets"),
        pytest.param([3, 2, 1], {"targets": [rows()]}, "0 to 0 targets of a user", id="no-target"),
        pytest.param(
            [3, 2, 1], {"candidate_BC": np.array([[7]])}, "candidate rows", id="candidate"
        ),
        pytest.param(
            [3, 2, 1], {"candidate_BC": np.ones((2, 1), int)}, "'candidates': 2", id="candidates"
        ),
        pytest.param([3, 2, 1], {"ranked_items": rows(2)}, "rank some items", id="other-protocol"),
        pytest.param([3, np.nan, 1], {}, "NaN", id="nan"),
        pytest.param([3, 2, 1], {"contexts": [], "targets": []}, "no user", id="nobody"),
    ],
)
def test_refused(scores: list[float], change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asked = queries(**({"contexts": [rows(0)], "targets": [rows(2)]} | change))
        evaluate(fixed(*scores), asked, "next")


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3,\) for 1 users"):
        asked = queries([rows(0)], [rows(2)])
        evaluate(lambda queries: np.zeros(3, np.float32), asked, "next")


ML_1M = Path(os.environ.get("DATA_ROOT", "data")) / "ml-1m"


@pytest.mark.skipif(not ML_1M.is_dir(), reason=f"no {ML_1M}: set DATA_ROOT to try the real data")
def test_instrument_popularity_on_ml_1m() -> None:
    """.459 / .253; one draw of the 99 strays by .0021 (sd of hit_rate), the mean of 5 by .001."""
    dataset = load_dataset("ml-1m")
    histories = build_histories(dataset, ties="file")
    split = split_next(histories, len(dataset.movies)).with_refit("validation")
    user, item, _ = training_ratings(split)
    train = Interactions(user=user, item=item, num_users=len(histories), num_items=split.num_items)
    model = Popularity().fit(train)
    means = []
    for seed in range(5):
        asked = split.test.with_candidates(draw_candidates(split, num=99, seed=seed))
        found = evaluate(model.score, asked, "next")["ncf-paper"].metrics
        means.append([found["hit_rate@10"].mean(), found["ndcg@10"].mean()])
    assert np.mean(means, axis=0) == pytest.approx([0.459, 0.253], abs=0.004)
