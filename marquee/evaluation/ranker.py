"""Rank the targets of queries from one pass of scores, in validation as at test.

    ranked = evaluate(scorer, queries, "next")["next"]     # at test: numpy, user by user
    rank_batch(network.score(batch), batch)                # in validation: a batch on any device

Scoring is the expensive part, so each block of users is scored once, and where there are drawn
candidates ranked both ways. A block of 256 users holds some 10 MB. Local letter: N targets.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from marquee.core.arrays import Float32, Float64, Int64
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.metrics.beyond_accuracy import top_lists
from marquee.evaluation.metrics.many_targets import METRICS_MULTI, rank_counts_multi
from marquee.evaluation.metrics.ranking import (
    METRICS,
    auc,
    candidate_counts,
    expected_rank,
    rank_counts,
)
from marquee.evaluation.protocols import PROTOCOLS, Protocol

Scorer: TypeAlias = Callable[[EvalQueries], Float32]
"""scorer(queries) -> (B, I): a score for each of B users and every item, higher is better."""
Batch: TypeAlias = Mapping[str, Any]  # EvalQueries.ranking_arrays, of numpy or torch
Metrics: TypeAlias = dict[str, Float64]


class Ranked(NamedTuple):
    metrics: Metrics  # name -> expected value of each user, (U,)
    rank: Float64  # expected position of each target, 1 is the best, (N,), user by user
    top: Int64
    """The ten best unseen items of each user, (U, K), -1 after the end; no column without lists."""
    num_candidates: Int64  # ranked items of each user, the targets among them, (U,)


def evaluate(
    scorer: Scorer, queries: EvalQueries, protocol: str, *, block: int = 256, lists: bool = False
) -> dict[str, Ranked]:
    """Score each user once and rank the targets.

    scorer: called with `block` queries at a time, in their order. protocol: a name of PROTOCOLS.
    lists: keep the ten best of each user, too. An item of the context is not ranked, a target
    always is; a drawn candidate that equals its target counts once. Nothing is drawn here.
    Returns {protocol: Ranked}, and "ncf-paper" if the queries hold candidates. Raises ValueError
    for queries of another kind than the protocol's, unknown rows and NaN scores.
    """
    _check(queries, PROTOCOLS[protocol])
    blocks = [_rank_block(scorer, part, protocol, lists) for part in queries.blocks(block)]
    return {name: _joined([ranked[name] for ranked in blocks]) for name in blocks[0]}


def rank_batch(score_BI: Any, batch: Batch) -> Metrics:
    """Return the metrics of a batch, (B,), among drawn candidates if it has them."""
    if "candidate_BC" in batch:
        return _rank_candidates(score_BI, batch)[0]
    return _rank_items(score_BI, batch, not_ranked(score_BI, batch))[0]


def not_ranked(score_BI: Any, batch: Batch) -> Any:
    """Return bool (B, I), True for items that are not ranked, False for targets."""
    excluded_BI = mask_pairs(score_BI, batch["seen_row_N"], batch["seen_item_N"])
    if "ranked_item_C" in batch:
        outside_BI = score_BI == score_BI  # True everywhere
        outside_BI[:, batch["ranked_item_C"]] = excluded_BI[:, batch["ranked_item_C"]]
        excluded_BI = outside_BI
    if "target_row_N" in batch:
        targets = batch["target_row_N"], batch["target_item_N"]
    else:
        targets = list(range(len(batch["target_B"]))), batch["target_B"]
    excluded_BI[targets] = False
    return excluded_BI


def mask_pairs(score_BI: Any, row_N: Any, item_N: Any) -> Any:
    """Return bool (B, I) of the scores' kind, True at the pairs; -1 marks nothing."""
    mask_BI = score_BI != score_BI  # False everywhere: metrics refuse NaN
    is_item_N = item_N >= 0
    mask_BI[row_N[is_item_N], item_N[is_item_N]] = True
    return mask_BI


def shuffle_contexts(queries: EvalQueries, seed: int = 0) -> EvalQueries:
    """Shuffle each context with a seed; ratings stay with their items.

    The drop in a metric measures the value of order. A model that reads only the latest L entries
    now reads any L of them.
    """
    rng, shuffled = np.random.default_rng(seed), queries.compact()
    columns = [shuffled.item_N, shuffled.rating_N, shuffled.timestamp_N]
    columns += [] if shuffled.strength_N is None else [shuffled.strength_N]
    for start, end in zip(shuffled.context_start, shuffled.context_end, strict=True):
        order = start + rng.permutation(end - start)
        for column_N in columns:
            column_N[start:end] = column_N[order]
    return shuffled


def _rank_block(
    scorer: Scorer, queries: EvalQueries, protocol: str, lists: bool
) -> dict[str, Ranked]:
    batch, score_BI = queries.ranking_arrays(), _score(scorer, queries)
    excluded_BI = not_ranked(score_BI, batch)
    no_list_BK = np.empty((len(score_BI), 0), np.int64)
    top_BK = top_lists(score_BI, excluded_BI) if lists else no_list_BK
    num_ranked_B = np.count_nonzero(~excluded_BI, axis=1)
    ranked = {protocol: Ranked(*_rank_items(score_BI, batch, excluded_BI), top_BK, num_ranked_B)}
    if queries.candidate_BC is not None:
        num_ranked_B = np.full(len(queries), 1 + queries.candidate_BC.shape[1])
        ranks = _rank_candidates(score_BI, batch)
        ranked["ncf-paper"] = Ranked(*ranks, no_list_BK, num_ranked_B)
    return {
        name: ranks._replace(metrics={key: ranks.metrics[key] for key in PROTOCOLS[name].metrics})
        for name, ranks in ranked.items()
    }


def _rank_items(score_BI: Any, batch: Batch, excluded_BI: Any) -> tuple[Metrics, Float64]:
    if "target_row_N" in batch:
        row_N = _as_array(batch["target_row_N"])
        item_N = _as_array(batch["target_item_N"])
        counts = rank_counts_multi(_as_array(score_BI), row_N, item_N, _as_array(excluded_BI))
        metrics = {name: metric(*counts, row_N) for name, metric in METRICS_MULTI.items()}
        return metrics, expected_rank(*counts)
    num_better, num_tied = map(_as_array, rank_counts(score_BI, batch["target_B"], excluded_BI))
    metrics, rank = _single_target(num_better, num_tied)
    if "ranked_item_C" in batch:
        num_others = _as_array((~excluded_BI).sum(1)) - 1  # a target is not beside itself
        area = auc(num_better, num_tied, num_others)
        metrics = {"hit_rate@10": metrics["hit_rate@10"], "auc": area}
    return metrics, rank


def _rank_candidates(score_BI: Any, batch: Batch) -> tuple[Metrics, Float64]:
    counts = candidate_counts(score_BI, batch["target_B"], batch["candidate_BC"])
    return _single_target(*map(_as_array, counts))


def _single_target(num_better: Int64, num_tied: Int64) -> tuple[Metrics, Float64]:
    metrics = {name: metric(num_better, num_tied) for name, metric in METRICS.items()}
    return metrics, expected_rank(num_better, num_tied)


def _joined(parts: list[Ranked]) -> Ranked:
    names = parts[0].metrics
    metrics = {name: np.concatenate([part.metrics[name] for part in parts]) for name in names}
    rank = np.concatenate([part.rank for part in parts])
    top = np.concatenate([part.top for part in parts])
    return Ranked(metrics, rank, top, np.concatenate([part.num_candidates for part in parts]))


def _as_array(values: Any) -> Any:
    return values.cpu().numpy() if hasattr(values, "cpu") else values


def _score(scorer: Scorer, queries: EvalQueries) -> Float32:
    """Return the scores of a block; ValueError if they or the targets do not fit."""
    score_BI = np.asarray(scorer(queries))
    if score_BI.ndim != 2 or len(score_BI) != len(queries):
        raise ValueError(
            f"scores of shape {score_BI.shape} for {len(queries)} users, expected "
            f"({len(queries)}, number of items)"
        )
    rows_by_kind = {"target": queries.target_pairs()[1], "candidate": queries.candidate_BC}
    num_items = score_BI.shape[1]
    for kind, rows in rows_by_kind.items():
        if rows is not None and (rows.min() < 0 or rows.max() >= num_items):
            raise ValueError(
                f"{kind} rows {rows.min()}..{rows.max()}, expected 0..{num_items - 1}: the scorer "
                f"knows {num_items} items; was it trained on this data set?"
            )
    return score_BI


def _check(queries: EvalQueries, protocol: Protocol) -> None:
    if len(queries) == 0:
        raise ValueError("no user to evaluate, expected at least one; is that part empty?")
    is_multi = protocol.targets == "many"
    number = queries.target_end - queries.context_end
    if number.min() < 1 or (not is_multi and number.max() > 1):
        raise ValueError(
            f"{number.min()} to {number.max()} targets of a user, `{protocol.name}` expected "
            f"{'one or more' if is_multi else 'one'}"
        )
    ranks_all_items = queries.ranked_items is None
    if (queries.has_many_targets, ranks_all_items) != (is_multi, protocol.ranks_all_items):
        raise ValueError(
            f"queries with has_many_targets {queries.has_many_targets} that rank "
            f"{'all' if ranks_all_items else 'some'} items, expected those of `{protocol.name}`"
        )
