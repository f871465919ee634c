"""Validation ranks a batch as the protocols do at test."""

import numpy as np
import pytest
import torch

from datamodules.loaders import EvalLoader
from datamodules.splits import draw_candidates, split_new_movies, split_new_users, split_next
from marquee.core.arrays import Int64, Sizes
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories
from marquee.evaluation.ranker import evaluate, rank_batch
from models.config import LearningConfig, NetworkConfig
from models.lightning_module import RankingModule

NUM_ITEMS = 60
SCALE = (1.0,)


def histories() -> UserHistories:
    """80 users with 6 to 40 items each."""
    rng = np.random.default_rng(0)
    items = [rng.permutation(NUM_ITEMS)[: rng.integers(6, 40)] for _ in range(80)]
    lengths = [len(history) for history in items]
    return UserHistories(
        user_id=np.arange(80),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        item=np.concatenate(items),
        rating=np.ones(sum(lengths), np.float32),
        timestamp=np.concatenate([np.arange(n) for n in lengths]),
    )


SPLITS = {
    "next": split_next(histories(), NUM_ITEMS),
    "new-users": split_new_users(histories(), NUM_ITEMS),
    "new-movies": split_new_movies(histories(), NUM_ITEMS),
}
# A score for every user and item, with ties.
SCORE_UI = np.random.default_rng(1).integers(9, size=(80, NUM_ITEMS)).astype(np.float32)


def validated(
    eval_queries: EvalQueries, protocol: str, candidates: Int64 | None
) -> dict[str, float]:
    batches = EvalLoader(
        eval_queries.with_candidates(candidates), SCALE, history_length=5, batch_size=7
    )
    metrics_of_batches = [
        rank_batch(torch.from_numpy(SCORE_UI)[batch["user_B"]], batch) for batch in batches
    ]
    return {
        name: np.concatenate([metrics[name] for metrics in metrics_of_batches]).mean()
        for name in metrics_of_batches[0]
    }


def evaluated(queries: EvalQueries, protocol: str) -> dict[str, dict[str, float]]:
    ranked = evaluate(lambda part: SCORE_UI[part.user], queries, protocol).items()
    return {name: {key: v.mean() for key, v in ranks.metrics.items()} for name, ranks in ranked}


@pytest.mark.parametrize("protocol", SPLITS)
def test_rank_batch_equals_evaluate_of_protocol(protocol: str) -> None:
    eval_queries = SPLITS[protocol].test
    expected = evaluated(eval_queries, protocol)[protocol]
    metrics = validated(eval_queries, protocol, None)
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_rank_batch_of_candidates_equals_evaluate() -> None:
    split = SPLITS["next"]
    candidate_BC = draw_candidates(split, num=15)
    expected = evaluated(split.test.with_candidates(candidate_BC), "next")["ncf-paper"]
    metrics = validated(split.test, "next", candidate_BC)
    assert {name: metrics[name] for name in expected} == pytest.approx(expected)


def test_validation_averages_over_users_not_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = Sizes(num_users=80, num_items=NUM_ITEMS, num_genres=1, num_periods=1, num_rating_bins=1)
    small = NetworkConfig(embedding_dim=8, history_length=5, hidden_dims=[4], features=[])
    module = RankingModule(sizes, small, LearningConfig()).eval()
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **options: logged.update({name: value}))
    valid = SPLITS["new-movies"].valid
    for batch_size in (1000, 50):  # one batch; several, of unequal size
        for batch in EvalLoader(valid, SCALE, history_length=5, batch_size=batch_size):
            module.validation_step(batch, 0)
        before = dict(logged)
        module.on_validation_epoch_end()
        assert logged == pytest.approx(before or logged)
    assert logged.keys() == {"val/hit_rate@10", "val/auc"}
