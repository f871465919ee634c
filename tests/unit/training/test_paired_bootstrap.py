"""Paired bootstrap of two runs: metrics of users, and rows that may be paired."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from marquee.evaluation.results import write_ranks
from marquee.training.compare.paired_bootstrap import (
    mean_metrics,
    paired_difference,
    same_targets,
    user_metrics,
)

SECOND = 1 / math.log2(3)
"""The ndcg of the second place."""


def test_user_metrics_average_seeds_of_expected_ranks(tmp_path: Path) -> None:
    """Ranks 1 and 2 in the two seeds; 2.5 is a tie for the second place; 11 earns nothing."""
    ranks = {0: np.array([1.0, 2.5, 11.0]), 7: np.array([2.0, 2.5, 11.0])}
    write_ranks(tmp_path / "rows", np.array([1, 2, 3]), np.array([9, 9, 9]), ranks)
    metrics = user_metrics(pd.read_parquet(tmp_path / "rows"))
    third = 1 / math.log2(4)
    assert metrics["ndcg@10"].tolist() == pytest.approx([(1 + SECOND) / 2, (SECOND + third) / 2, 0])
    assert metrics["hit_rate@10"].tolist() == [1, 1, 0]


def test_user_metrics_of_several_targets_count_user_once() -> None:
    """new-users: ranks 1 and 30 of the first user, 1 of the second: recall@20 of 1/2 and 1."""
    rows = pd.DataFrame({"user_id": [7, 7, 9], "movie_id": [1, 2, 1], "rank": [30.0, 1.0, 1.0]})
    metrics = user_metrics(rows.assign(seed=0), "new-users")
    assert metrics["recall@20"].to_dict() == {7: 0.5, 9: 1.0}
    assert mean_metrics(rows.assign(seed=0), "new-users")["recall@20"] == 0.75


def test_paired_difference_of_ratings_ignores_row_order() -> None:
    """One run is off by 1 star and 0, the other by 2 and 0: no draw of users favours the other."""
    rows = pd.DataFrame({"user_id": [1, 2], "movie_id": [5, 5], "stars": [4.0, 3.0], "seed": 0})
    columns: dict[str, Any] = {
        "p_like": [0.9, 0.1],
        "place": [0.5, 0.5],
        "support": [3, 3],
        "rater": [3, 3],
    }
    run = rows.assign(predicted=[5.0, 3.0], **columns)
    other = rows.assign(predicted=[2.0, 3.0], **columns)
    difference = paired_difference(run, other.iloc[::-1], "stars")["mae"]
    assert (difference["diff"], difference["low"], difference["high"]) == (-0.5, -1.0, 0.0)


def test_same_targets_ignores_order_and_seeds() -> None:
    rows = pd.DataFrame({"user_id": [1, 2], "movie_id": [5, 6]})
    twice = pd.concat([rows.iloc[::-1], rows])
    assert same_targets(rows, twice)
    assert not same_targets(rows, rows.assign(movie_id=[6, 5]))
    assert not same_targets(rows, rows.head(1))
