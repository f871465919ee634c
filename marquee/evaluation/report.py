"""From ranks to the sections of a results file: metrics with intervals, comparisons, mean of seeds.

The metric of a user is the mean over seeds, an interval that of the mean over users. Coverage,
which no user has, gets an interval of its own (metrics/beyond_accuracy.py) and no comparison.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Section, figure_text, summarise, summarise_paired
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, coverage, list_metrics
from marquee.evaluation.protocols import LOWER_IS_BETTER, PROTOCOLS
from marquee.evaluation.ranker import Ranked, Scorer, evaluate
from marquee.evaluation.too_small import reasons_too_small, without_too_small


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
    """Return {"ndcg@10": {"mean", "low", "high"}, …} over seeds of the same users.

    A figure that says nothing (too_small.py) is null.
    """
    section = summarise(_by_seed(seeds))
    if seeds[0].top.size:
        section["coverage"] = vars(coverage([ranked.top for ranked in seeds], num_items))
    return without_too_small(section, _too_small(seeds[0], section))


def paired_section(seeds: Sequence[Ranked], baseline: Ranked) -> Section:
    """Return {"ndcg@10": {"diff", "low", "high"}, …}, mean of seeds minus baseline."""
    section = summarise_paired(_by_seed(seeds), baseline.metrics)
    return without_too_small(section, _too_small(seeds[0], section))


def _too_small(ranked: Ranked, names: Iterable[str]) -> dict[str, str]:
    return reasons_too_small(names, len(ranked.num_candidates), ranked.num_candidates)


def verdict(metric: str, difference: Mapping[str, Any]) -> str:
    """Return better or worse if the interval of a difference lies on one side of 0."""
    if difference["low"] is None:
        return "n/a"
    if difference["low"] <= 0 <= difference["high"]:
        return "no difference shown"
    return "better" if (difference["low"] > 0) != (metric in LOWER_IS_BETTER) else "worse"


def mean_metrics(ranked: Ranked, num_items: int) -> dict[str, float | None]:
    values = {name: float(value.mean()) for name, value in ranked.metrics.items()}
    if ranked.top.size:
        values["coverage"] = coverage([ranked.top], num_items).mean
    return values | dict.fromkeys(_too_small(ranked, values))


def _by_seed(seeds: Sequence[Ranked]) -> dict[str, Float64]:  # (seeds, U) each
    return {name: np.stack([ranked.metrics[name] for ranked in seeds]) for name in seeds[0].metrics}


def measured_section(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the part of a results file with `metrics`, `baselines` and `paired`.

    `new-users` of a data set without an order holds them under `random_holdout` alone.
    """
    section: Mapping[str, Any] = content if "metrics" in content else content["random_holdout"]
    return section


def flatten_results(protocol: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Return every number of a results file under a flat name, for logging.

    test/next/ndcg@10, test/next/ndcg@10/low, …/high; baseline/ease/next/… and paired/ease/next/…
    """
    content = measured_section(content)
    sections = {f"test/{protocol}": content["metrics"]}
    for kind, key in (("baseline", "baselines"), ("paired", "paired")):
        sections |= {f"{kind}/{name}/{protocol}": each for name, each in content[key].items()}
    suffixes = {"mean": "", "diff": "", "low": "/low", "high": "/high"}
    return {
        f"{prefix}/{metric}{suffixes[name]}": number
        for prefix, section in sections.items()
        for metric, value in section.items()
        for name, number in value.items()
        if name in suffixes and number is not None
    }


def format_table(path: Path, content: Mapping[str, Any]) -> str:
    metrics, section = PROTOCOLS[content["protocol"]].metrics, measured_section(content)
    head = " " * 19 + "".join(f"{metric:>14}" for metric in metrics)
    title = f"{path} ({content['num_users']:,} users)"
    lines = [title if section is content else f"{title[:-1]}, a random 20% of their history)", head]
    rows = {"model": section["metrics"]}
    rows |= {name: content[name] for name in ("unrefitted", "order_shuffled") if name in content}
    for name, row in (rows | section["baselines"]).items():
        cells = "".join(f"{figure_text(row[metric]['mean']):>14}" for metric in metrics)
        lines.append(f"  {name:17}{cells}")
    reasons = [row["too_small"] for row in rows["model"].values() if "too_small" in row]
    return "\n".join([*lines, *(f"  n/a: {reason}" for reason in dict.fromkeys(reasons))])
