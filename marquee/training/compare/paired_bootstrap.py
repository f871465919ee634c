"""Two runs compared user by user, from the test rows that each run holds.

Every bootstrap draw holds the same users of both runs. What makes a user hard to predict therefore
cancels out, and small differences show. The rows do not tell the `auc` of new-movies, which needs
the number of candidates.
"""

import numpy as np
import pandas as pd

from marquee.core.arrays import Columns
from marquee.core.bootstrap import Section, summarise_paired
from marquee.evaluation.metrics.many_targets import METRICS_MULTI
from marquee.evaluation.metrics.ranking import METRICS
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

    The index is user and item, or the user alone where a user has several targets.
    """
    num_better = np.floor(rows["rank"]).astype(int).to_numpy() - 1
    # A rank of 2.5 is one item above and one tied; float32 logits hardly produce longer ties.
    num_tied = (2 * (rows["rank"] % 1)).astype(int).to_numpy()
    if PROTOCOLS[protocol].targets == "many":
        groups = rows.groupby(["seed", Columns.USER_ID])
        row = np.asarray(groups.ngroup(), dtype=np.int64)
        values = {
            name: METRICS_MULTI[name](num_better, num_tied, row)
            for name in PROTOCOLS[protocol].metrics
        }
        user_id = groups.size().index.get_level_values(Columns.USER_ID)
        return pd.DataFrame(values).groupby(user_id).mean()
    names = [name for name in PROTOCOLS[protocol].metrics if name in METRICS]
    values = {name: METRICS[name](num_better, num_tied) for name in names}
    return pd.DataFrame(values).groupby([rows[name].to_numpy() for name in TARGET_COLUMNS]).mean()


def mean_metrics(rows: pd.DataFrame, protocol: str) -> dict[str, float]:
    """Return the means over users, to be checked against the results beside the rows."""
    if PROTOCOLS[protocol].targets == "ratings":
        return point_estimates(rating_sums(rows))
    return {str(name): value for name, value in user_metrics(rows, protocol).mean().items()}


def same_targets(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    indexes = [rows.set_index(TARGET_COLUMNS).index.unique().sort_values() for rows in (a, b)]
    return indexes[0].equals(indexes[1])


def paired_difference(a: pd.DataFrame, b: pd.DataFrame, protocol: str) -> Section:
    """Return {"ndcg@10": {"diff", "low", "high"}, …} of a - b, with 95% intervals.

    a, b: test rows with the same targets. Seeds are averaged per user first.
    """
    if PROTOCOLS[protocol].targets == "ratings":
        section = compare_ratings(rating_sums(a), rating_sums(b))
        return {name: interval for name, interval in section.items() if name in LOWER_IS_BETTER}
    metrics_a, metrics_b = user_metrics(a, protocol), user_metrics(b, protocol)
    assert metrics_a.index.equals(metrics_b.index), "same_targets holds"
    return summarise_paired(
        {str(name): metrics_a[name] for name in metrics_a},
        {str(name): metrics_b[name] for name in metrics_b},
    )


def rating_sums(rows: pd.DataFrame) -> dict[str, MetricSums]:
    """Return the sums of each user, in one order whatever the order of the rows."""
    return rating_metrics(predictions_of(rows.sort_values(["seed", *TARGET_COLUMNS])))
