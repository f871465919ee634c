"""The tables of README.md, generated from `results/*.json` so that they cannot drift.

Between `<!-- results -->` and `<!-- /results -->` stands a table for each pair of metrics: a row
per result and model, with 95% intervals.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.core.files import read_json
from marquee.evaluation.protocols import PROTOCOLS

MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
VARIANTS = {"unrefitted": "unrefitted", "order_shuffled": "order shuffled"}
BASELINES = ("ease", "ials", "svd++", "item-knn", "genre-popularity", "popularity", "biases")


def render_readme(page: str, results: Path) -> str:
    """Return the document with its tables of every quality result in the folder."""
    contents = [read_json(path) for path in sorted(results.glob("*.json"))]
    quality = [content for content in contents if is_shown(content)]
    pairs = dict.fromkeys(protocol.table_metrics for protocol in PROTOCOLS.values())
    groups = [
        [result for result in quality if PROTOCOLS[result["protocol"]].table_metrics == metrics]
        for metrics in pairs
    ]
    tables = "\n".join(results_table(group) for group in groups if group)
    return MARKED.sub(lambda marks: marks[1] + tables + marks[2], page)


def is_shown(content: dict[str, Any]) -> bool:
    """Return whether the README shows this result.

    It shows those that a recipe's `fit` wrote of real data; other results have other documents.
    """
    is_fit = content.get("protocol") in PROTOCOLS and "baselines" in content
    return is_fit and "variant" not in content and content["data"] != "demo"


def results_table(results: list[dict[str, Any]]) -> str:
    """Return Markdown: the results of protocols with the same metrics."""
    metrics = PROTOCOLS[results[0]["protocol"]].table_metrics
    head = ["result", "", *metrics, "commit", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for result in results:
        stem = Path(result["recipe"]).stem.removesuffix("." + result["protocol"])
        tail = [result["commit"][:7], ", ".join(map(str, result["seeds"]))]
        lines += result_rows(f"{stem} `{result['protocol']}`", tail, result, metrics)
        if "random_holdout" in result:
            holdout = result["random_holdout"]
            lines += result_rows("the same, a random 20%", ["", ""], holdout, metrics)
    return "\n".join(lines) + "\n"


def result_rows(
    name: str, tail: list[str], result: dict[str, Any], metrics: tuple[str, str]
) -> Iterator[str]:
    """Yield the model, its variants, then the baselines."""
    baselines = result["baselines"]
    sections = {"model": result["metrics"]}
    sections |= {VARIANTS[key]: result[key] for key in VARIANTS if result.get(key)}
    sections |= {baseline: baselines[baseline] for baseline in BASELINES if baseline in baselines}
    for row, section in sections.items():
        is_model = row == "model"
        cells = [metric_cell(section[metric], bold=is_model) for metric in metrics]
        first, last = name if is_model else "", tail if is_model else ["", ""]
        yield "| " + " | ".join([first, row, *cells, *last]) + " |"


def metric_cell(value: dict[str, float], *, bold: bool) -> str:
    """Return `.347 [.335, .359]`, the mean and its interval."""
    mean, low, high = (f"{value[key]:.3f}".lstrip("0") for key in ("mean", "low", "high"))
    return f"{f'**{mean}**' if bold else mean} [{low}, {high}]"
