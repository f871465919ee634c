"""From scores to the parts of a results file: metrics with intervals, comparisons, seeds averaged.

    ours = [measured(scorer, asked, catalogue)["next"] for scorer in one_a_seed]
    ease = measured(baseline.score, asked, catalogue)["next"]
    metrics_part(ours, num_items), metrics_part([ease], num_items), paired_part(ours, ease)

A person's figure is the mean over seeds, an interval that of the mean over persons; coverage, which
no person has, gets an interval of its own (beyond.py) and no comparison.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import summarise, summarise_paired
from marquee.evaluation.metrics.beyond_accuracy import Catalogue, coverage, of_lists
from marquee.evaluation.ranker import PROTOCOLS, Asked, Ranked, Scorer, evaluate

Part = dict[str, dict[str, float]]
LISTED = ("next", "time", "new-users")
"""Protocols that rank all movies for a person: their ten best are a list to look at."""


def measured(scorer: Scorer, asked: Asked, catalogue: Catalogue) -> dict[str, Ranked]:
    """evaluate, and for LISTED protocols the figures of each person's list beside the others."""
    found = evaluate(scorer, asked, lists=asked.protocol in LISTED)
    if asked.protocol in LISTED:
        main = found[asked.protocol]
        lists = of_lists(main.top, asked.histories, catalogue)
        found[asked.protocol] = main._replace(metrics=main.metrics | lists)
    return found


def metrics_part(found: Sequence[Ranked], num_items: int) -> Part:
    """{"ndcg@10": {"mean", "low", "high"}, …} of the same persons under one or more seeds."""
    part = summarise(_by_seed(found))
    if found[0].top.size:
        part["coverage"] = vars(coverage([each.top for each in found], num_items))
    return part


def paired_part(ours: Sequence[Ranked], theirs: Ranked) -> Part:
    """{"ndcg@10": {"diff", "low", "high"}, …}: ours, averaged over seeds, minus theirs."""
    return summarise_paired(_by_seed(ours), theirs.metrics)


def means(found: Ranked, num_items: int) -> dict[str, float]:
    """Every figure of one seed, without intervals."""
    values = {name: float(value.mean()) for name, value in found.metrics.items()}
    if found.top.size:
        values["coverage"] = coverage([found.top], num_items).mean
    return values


def _by_seed(found: Sequence[Ranked]) -> dict[str, NDArray[np.float64]]:
    """(S, T) each."""
    return {name: np.stack([each.metrics[name] for each in found]) for name in found[0].metrics}


def flattened(protocol: str, content: Mapping[str, Any]) -> dict[str, float]:
    """Every figure of a results file under a flat name: test/next/ndcg@10, …/low and …/high,
    baseline/ease/next/… and paired/ease/next/… alike."""
    groups = {f"test/{protocol}": content["metrics"]}
    groups |= {f"baseline/{rival}/{protocol}": each for rival, each in content["baselines"].items()}
    groups |= {f"paired/{rival}/{protocol}": each for rival, each in content["paired"].items()}
    return {
        f"{group}/{key}" + ("" if name in ("mean", "diff") else f"/{name}"): figure
        for group, part in groups.items()
        for key, value in part.items()
        for name, figure in value.items()
        if name in ("mean", "diff", "low", "high")
    }


def table(path: Path, content: Mapping[str, Any]) -> str:
    """A results file as lines for the terminal."""
    keys = PROTOCOLS[content["protocol"]]
    lines = [f"{path} ({content['num_users']:,} persons)", " " * 19 + "".join(map(_cell, keys))]
    rows = {"model": content["metrics"]}
    rows |= {name: content[name] for name in ("unrefitted", "order_shuffled") if name in content}
    for name, row in (rows | content["baselines"]).items():
        lines.append(f"  {name:17}" + "".join(_cell(f"{row[key]['mean']:.4f}") for key in keys))
    return "\n".join(lines)


def _cell(text: str) -> str:
    return f"{text:>14}"
