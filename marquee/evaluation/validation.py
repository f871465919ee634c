"""What validation asks of a batch's scores: the metrics of each person, ties fair.

    metrics = rank(network.score(batch), batch)     # {"hit_rate@10": (B,), "ndcg@10": …}

The batch tells the question (datamodules/loaders.py, `cases`): one movie among all unseen ones or
beside drawn ones, several movies among all unseen ones, or one among a few that are held out.

Shapes: B rows, I movies, C candidates, N movies to be found.
"""

import numpy as np
import torch
from torch import Tensor

from marquee.evaluation.metrics.ranking import (
    METRICS,
    METRICS_EACH,
    auc,
    hit_rate,
    rank_counts,
    rank_counts_each,
)

Batch = dict[str, Tensor]
Metrics = dict[str, np.ndarray]


def rank(score_BI: Tensor, batch: Batch) -> Metrics:
    """The metrics of the batch's protocol, float64 (B,) each."""
    seen_BI = marked(batch["seen_row_N"], batch["seen_item_N"], *score_BI.shape)
    if "found_row_N" in batch:
        return several_found(score_BI, seen_BI, batch)
    if "among_C" in batch:
        return found_among(score_BI, seen_BI, batch)
    return one_found(score_BI, seen_BI, batch)


def one_found(score_BI: Tensor, seen_BI: Tensor, batch: Batch) -> Metrics:
    """The movie that came next, among all unseen movies or beside the ones drawn for it."""
    if "candidate_BC" in batch:
        column_BC = torch.cat([batch["candidate_BC"], batch["target_B"][:, None]], 1)
        last_B = torch.full_like(batch["target_B"], column_BC.shape[1] - 1)
        counts = rank_counts(score_BI.gather(1, column_BC), last_B)
    else:
        counts = rank_counts(score_BI, batch["target_B"], seen_BI)
    greater, ties = map(as_array, counts)
    return {name: metric(greater, ties) for name, metric in METRICS.items()}


def several_found(score_BI: Tensor, seen_BI: Tensor, batch: Batch) -> Metrics:
    """All the movies that a person watched later, among all unseen movies."""
    row_N, item_N = as_array(batch["found_row_N"]), as_array(batch["found_item_N"])
    counts = rank_counts_each(as_array(score_BI), row_N, item_N, as_array(seen_BI))
    return {name: metric(*counts, row_N) for name, metric in METRICS_EACH.items()}


def found_among(score_BI: Tensor, seen_BI: Tensor, batch: Batch) -> Metrics:
    """One movie among those that are held out, the ones watched earlier left out."""
    left_out_BI = torch.ones_like(seen_BI)
    left_out_BI[:, batch["among_C"]] = seen_BI[:, batch["among_C"]]
    greater, ties = map(as_array, rank_counts(score_BI, batch["target_B"], left_out_BI))
    others = as_array((~left_out_BI).sum(1)) - 1  # the target is no candidate beside itself
    return {"hit_rate@10": hit_rate(greater, ties, 10), "auc": auc(greater, ties, others)}


def marked(row_N: Tensor, column_N: Tensor, rows: int, columns: int) -> Tensor:
    """bool (rows, columns), True at the listed places; a column of -1 marks nothing."""
    kept_N = column_N >= 0
    mask = torch.zeros(rows, columns, dtype=torch.bool, device=row_N.device)
    mask[row_N[kept_N], column_N[kept_N]] = True
    return mask


def as_array(tensor: Tensor) -> np.ndarray:
    return tensor.cpu().numpy()
