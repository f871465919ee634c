"""Two runs compared user by user, from the test rows that each run holds.

    a, b = (pd.read_parquet(run / "test-next.parquet") for run in folders)
    paired_difference(a, b, "next")["ndcg@10"]      # {"diff", "low", "high"} of a - b

Nothing is scored again: the metrics of a user follow from the ranks, or the ratings, in the rows.
Every bootstrap draw holds the same users of both runs. What makes a user hard to predict therefore
cancels out, and small differences show.

The rows do not tell the `auc` of new-movies, which needs the number of candidates. Nor do they show
a tie of more than two items: an expected rank is read as a tie with one item or none.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from marquee.core.bootstrap import Section, summarise_paired
from marquee.core.columns import Columns
from marquee.evaluation.metrics.ranking import METRICS, METRICS_MULTI
from marquee.evaluation.metrics.rating import (
    MetricSums,
    compare_ratings,
    point_estimates,
    rating_metrics,
)
from marquee.evaluation.protocols import LOWER_IS_BETTER, PROTOCOLS
from marquee.training.evaluate_ratings import predictions_of

TARGET_COLUMNS = [Columns.USER_ID, Columns.MOVIE_ID]


def user_metrics(rows: pd.DataFrame, protocol: str = "next") -> pd.DataFrame:
    """Return the metrics of each user from the expected ranks, means over seeds.

    The index is user and item, or the user alone in `new-users`, where a user has several targets.
    """
    num_better = np.floor(rows["rank"]).astype(int).to_numpy() - 1
    # A rank of 2.5 is one item above and one tied. A longer tie, which the float32 logits of a
    # trained network hardly produce, is read as a tie with one item or none.
    num_tied = (2 * (rows["rank"] % 1)).astype(int).to_numpy()
    if PROTOCOLS[protocol].targets == "many":
        groups = rows.groupby(["seed", Columns.USER_ID])
        row = np.asarray(groups.ngroup(), dtype=np.int64)
        values = {name: metric(num_better, num_tied, row) for name, metric in METRICS_MULTI.items()}
        user_id = groups.size().index.get_level_values(Columns.USER_ID)
        return pd.DataFrame(values).groupby(user_id).mean()
    names = [name for name in PROTOCOLS[protocol].metrics if name in METRICS]
    values = {name: METRICS[name](num_better, num_tied) for name in names}
    return pd.DataFrame(values).groupby([rows[name].to_numpy() for name in TARGET_COLUMNS]).mean()


def mean_metrics(rows: pd.DataFrame, protocol: str) -> dict[str, float]:
    """Return the means over users, to be checked against the results beside the rows."""
    if PROTOCOLS[protocol].targets == "ratings":
        return point_estimates(rating_sums(rows))
    metrics = user_metrics(rows, protocol)
    return {str(name): float(values.mean()) for name, values in metrics.items()}


def same_targets(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Return whether both runs were tested on the same items of the same users."""
    targets_a, targets_b = (
        rows[TARGET_COLUMNS].drop_duplicates().sort_values(TARGET_COLUMNS).to_numpy()
        for rows in (a, b)
    )
    return bool(np.array_equal(targets_a, targets_b))


def paired_difference(a: pd.DataFrame, b: pd.DataFrame, protocol: str) -> Section:
    """Return {"ndcg@10": {"diff", "low", "high"}, …} of a - b, with 95% intervals.

    a, b: test rows with the same targets (see same_targets). Seeds are averaged per user first, and
    the bootstrap draws users.
    """
    if PROTOCOLS[protocol].targets == "ratings":
        part = compare_ratings(rating_sums(a), rating_sums(b))
        return {name: interval for name, interval in part.items() if name in LOWER_IS_BETTER}
    metrics_a, metrics_b = user_metrics(a, protocol), user_metrics(b, protocol)
    assert metrics_a.index.equals(metrics_b.index), "same_targets holds"
    names = [str(name) for name in metrics_a]
    return summarise_paired(
        {name: metrics_a[name] for name in names}, {name: metrics_b[name] for name in names}
    )


def rating_sums(rows: pd.DataFrame) -> dict[str, MetricSums]:
    """Return the sums of each user, in one order whatever the order of the rows."""
    return rating_metrics(predictions_of(rows.sort_values(["seed", *TARGET_COLUMNS])))


def verdict(name: str, interval: Mapping[str, float]) -> str:
    """Return better or worse if the interval of a metric lies on one side of 0."""
    if interval["low"] <= 0 <= interval["high"]:
        return "no difference shown"
    return "better" if (interval["low"] > 0) != (name in LOWER_IS_BETTER) else "worse"
