"""The instrument on foreign data: published figures of polimi-tv-2022, to all printed digits.

Source: MatteoPancini/Recsys-Challenge-2022, train_init against test. 2 minutes on one core.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from datamodules.splits import split_fixed
from marquee.data.user_histories import UserHistories
from marquee.evaluation.ranker import evaluate
from marquee.evaluation.tuning import CLASSES, fit_scorer
from marquee.training.evaluate import interactions

FOLDER = Path(os.environ.get("DATA_ROOT", "data")) / "polimi-tv-2022"
NUM_ITEMS = 24_507
PUBLISHED = {  # precision, recall, hit rate, MAP at 10
    "popularity": (0.0215, 0.0368, 0.1771, 0.00969),
    "rp3beta": (0.0532, 0.0816, 0.3483, 0.02620),
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no {FOLDER}: set DATA_ROOT"),
]


def read_histories() -> UserHistories:
    names = ("train0", "val0", "test")
    parts = [sparse.load_npz(FOLDER / f"FinalURM_{name}.npz").tocoo() for name in names]
    user, item, strength = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "col", "data")
    )
    order = np.argsort(user, kind="stable")
    user_id, length = np.unique(user, return_counts=True)
    return UserHistories(
        user_id=user_id.astype(np.int64),
        indptr=np.concatenate([[0], np.cumsum(length)]),
        item=item[order].astype(np.int32),
        rating=np.full(len(order), np.nan, np.float32),
        timestamp=np.zeros(len(order), np.int64),
        strength=strength[order].astype(np.float32),
        part=np.repeat([0, 1, 2], [part.nnz for part in parts])[order].astype(np.int8),
    )


def test_fixed_reproduces_published_figures() -> None:
    split = split_fixed(read_histories(), NUM_ITEMS, "polimi")
    train = interactions(split.with_refit("validation"))
    assert len(split.test) == 40_704
    for name, (precision, recall, hit_rate, average_precision) in PUBLISHED.items():
        ranked = evaluate(fit_scorer(CLASSES[name], {}, train), split.test, "fixed")["fixed"]
        means = {metric: value.mean() for metric, value in ranked.metrics.items()}
        assert round(means["precision@10"], 4) == precision
        assert round(means["recall@10"], 4) == recall
        assert round(means["hit_rate@10"], 4) == hit_rate
        assert round(means["map@10"], 5) == average_precision
