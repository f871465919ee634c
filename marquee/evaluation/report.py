"""From ranks to the sections of a results file: metrics with intervals, comparisons, mean of seeds.

    seeds = [measure(scorer, queries, "next", stats)["next"] for scorer in one_a_seed]
    ease = measure(baseline.score, queries, "next", stats)["next"]
    metrics_section(seeds, stats.num_items)
    metrics_section([ease], stats.num_items)
    paired_section(seeds, ease)

The metric of a user is the mean over seeds, an interval that of the mean over users. Coverage,
which no user has, gets an interval of its own (metrics/beyond_accuracy.py) and no comparison.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Section, summarise, summarise_paired
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, coverage, list_metrics
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Ranked, Scorer, evaluate


def measure(
    scorer: Scorer, queries: EvalQueries, protocol: str, stats: ItemStats
) -> dict[str, Ranked]:
    """Evaluate, and add the metrics of each user's list if the protocol has lists."""
    has_lists = PROTOCOLS[protocol].has_lists
    ranked = evaluate(scorer, queries, protocol, lists=has_lists)
    if has_lists:
        result = ranked[protocol]
        of_lists = list_metrics(result.top, queries.contexts(), stats)
        ranked[protocol] = result._replace(metrics=result.metrics | of_lists)
    return ranked


def metrics_section(seeds: Sequence[Ranked], num_items: int) -> Section:
    """Return {"ndcg@10": {"mean", "low", "high"}, …} of one or more seeds.

    The seeds have the same users.
    """
    section = summarise(_by_seed(seeds))
    if seeds[0].top.size:
        section["coverage"] = vars(coverage([ranked.top for ranked in seeds], num_items))
    return section


def paired_section(seeds: Sequence[Ranked], baseline: Ranked) -> Section:
    """Return {"ndcg@10": {"diff", "low", "high"}, …}.

    A difference is the mean of the seeds minus the baseline.
    """
    return summarise_paired(_by_seed(seeds), baseline.metrics)


def mean_metrics(ranked: Ranked, num_items: int) -> dict[str, float]:
    """Return every metric of one seed, without intervals."""
    values = {name: float(value.mean()) for name, value in ranked.metrics.items()}
    if ranked.top.size:
        values["coverage"] = coverage([ranked.top], num_items).mean
    return values


def _by_seed(seeds: Sequence[Ranked]) -> dict[str, Float64]:
    """(seeds, U) each."""
    return {name: np.stack([ranked.metrics[name] for ranked in seeds]) for name in seeds[0].metrics}


def flatten_results(protocol: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Return every number of a results file under a flat name, for logging.

    test/next/ndcg@10, test/next/ndcg@10/low, …/high; baseline/ease/next/… and paired/ease/next/…
    alike.
    """
    sections = {f"test/{protocol}": content["metrics"]}
    for kind, key in (("baseline", "baselines"), ("paired", "paired")):
        sections |= {f"{kind}/{name}/{protocol}": each for name, each in content[key].items()}
    return {
        f"{prefix}/{metric}" + ("" if name in ("mean", "diff") else f"/{name}"): number
        for prefix, section in sections.items()
        for metric, value in section.items()
        for name, number in value.items()
        if name in ("mean", "diff", "low", "high")
    }


def format_table(path: Path, content: Mapping[str, Any]) -> str:
    """Return a results file as lines for the terminal."""
    metrics = PROTOCOLS[content["protocol"]].metrics
    lines = [f"{path} ({content['num_users']:,} users)", " " * 19 + "".join(map(_cell, metrics))]
    rows = {"model": content["metrics"]}
    rows |= {name: content[name] for name in ("unrefitted", "order_shuffled") if name in content}
    for name, row in (rows | content["baselines"]).items():
        cells = [_cell(f"{row[metric]['mean']:.4f}") for metric in metrics]
        lines.append(f"  {name:17}" + "".join(cells))
    return "\n".join(lines)


def _cell(text: str) -> str:
    return f"{text:>14}"
