"""Our results beside published figures: README.md and docs/evaluation.md.

headline_table(Path("results"))      # six rows: ours, the best baseline, the best published
results_tables(Path("results"))      # every result that a recipe's `fit` wrote
published_table(Path("results"))     # published.yaml: figures, conditions, sources
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from docs.tables.markdown import decimal, interval_cell, table
from marquee.core.files import read_json
from marquee.evaluation.protocols import LOWER_IS_BETTER, PROTOCOLS
from marquee.evaluation.results import results_path

Result: TypeAlias = dict[str, Any]

DEFAULT_METRICS = ("hit_rate@10", "ndcg@10")
METRICS = {
    "new-users": ("ndcg@100", "recall@20"),
    "new-movies": ("auc", "hit_rate@10"),
    "stars": ("rmse", "mae"),
    "fixed": ("precision@10", "map@10"),
}
"""The two metrics that docs/evaluation.md shows of a protocol, if not DEFAULT_METRICS."""
UNREFITTED = "not trained on the validation item"
VARIANTS = {"unrefitted": "unrefitted", "order_shuffled": "order shuffled"}
BASELINES = (
    *("rp3beta-tuned", "rp3beta", "ease", "ials", "svd++", "item-knn"),
    *("genre-popularity", "popularity", "biases"),
)
HEADLINE = (
    ("ml-1m", "next", "hit_rate@10"),
    ("ml-1m", "next", "ndcg@10"),
    ("ml-1m", "ncf-paper", "ndcg@10"),
    ("ml-1m", "time", "ndcg@10"),
    ("ml-1m", "stars", "rmse"),
    ("ml-100k", "stars", "rmse"),
)
"""Data set, protocol and metric of each row of README.md."""


@dataclass(frozen=True, kw_only=True)
class PublishedFigure:
    """An entry of results/published.yaml, whose head explains the fields."""

    data: str
    protocol: str
    model: str
    metrics: dict[str, float]
    source: str
    condition: str = ""
    comparable: bool = True


def read_published(results: Path) -> list[PublishedFigure]:
    text = (results / "published.yaml").read_text()
    return [PublishedFigure(**entry) for entry in yaml.safe_load(text)]


def headline_table(results: Path) -> str:
    """Return a row for each of HEADLINE: ours, best baseline, best published."""
    published, rows = read_published(results), []
    for data, protocol, metric in HEADLINE:
        result = read_json(results_path(results, data, protocol))
        baselines = {name: each[metric]["mean"] for name, each in result["baselines"].items()}
        best = _best(metric)(baselines, key=lambda name: baselines[name])
        figures = [each for each in published if (each.data, each.protocol) == (data, protocol)]
        marquee = interval_cell(result["metrics"][metric], bold=True)
        cells = [f"{data} `{protocol}`", metric, marquee, f"{decimal(baselines[best])} ({best})"]
        rows.append([*cells, best_published(figures, metric), result["commit"][:7]])
    head = ("data, protocol", "metric", "Marquee [95% interval]", "best baseline")
    return table((*head, "best published (condition)", "commit"), rows)


def best_published(figures: list[PublishedFigure], metric: str) -> str:
    """Return the best figure under our conditions, and the best under others."""
    cells = []
    comparable = [each for each in figures if each.comparable]
    for has_condition in (False, True):
        group = [each for each in comparable if bool(each.condition) == has_condition]
        if group:
            best = _best(metric)(group, key=lambda each: each.metrics[metric])
            note = f": {best.condition}" if has_condition else ""
            cells.append(f"{decimal(best.metrics[metric])} ({best.model}{note})")
    return "; ".join(cells) or "none"


def published_table(results: Path) -> str:
    """Return every published figure with its condition and source, after ours."""
    rows, published = [], read_published(results)
    for (data, protocol), figures in groupby(published, lambda each: (each.data, each.protocol)):
        path = results_path(results, data, protocol)
        group, result = list(figures), read_json(path)
        metrics = {name: result["metrics"][name]["mean"] for name in group[0].metrics}
        name = f"{data} `{protocol}`"
        rows.append([name, "**Marquee**", figures_cell(metrics), "", f"`results/{path.name}`"])
        if any(each.condition == UNREFITTED for each in group):
            metrics = {name: result["unrefitted"][name]["mean"] for name in metrics}
            rows.append(["", "**Marquee**", figures_cell(metrics), UNREFITTED, "the same"])
        for each in group:
            rows.append(["", each.model, figures_cell(each.metrics), each.condition, each.source])
    return table(("data, protocol", "model", "figures", "condition", "source"), rows)


def figures_cell(metrics: dict[str, float]) -> str:
    """Return `hit_rate@10 .3642, ndcg@10 .2164`."""
    return ", ".join(f"{name} {f'{value:.4g}'.lstrip('0')}" for name, value in metrics.items())


def results_tables(results: Path) -> str:
    """Return a table for each pair of metrics: a row per result and model."""
    contents = [read_json(path) for path in sorted(results.glob("*.json"))]
    fits = [content for content in contents if is_fit(content)]
    tables = []
    for metrics in (DEFAULT_METRICS, *METRICS.values()):
        rows = [
            row
            for result in fits
            if METRICS.get(result["protocol"], DEFAULT_METRICS) == metrics
            for row in result_rows(result, metrics)
        ]
        if rows:
            tables.append(table(("result", "", *metrics, "commit", "seeds"), rows))
    return "\n".join(tables)


def is_fit(content: Result) -> bool:
    """Return whether a recipe's `fit` wrote this of real data."""
    has_baselines = "baselines" in content or "baselines" in content.get("random_holdout", {})
    is_measured = content.get("protocol") in PROTOCOLS and has_baselines
    return is_measured and "variant" not in content and content["data"] != "demo"


def result_rows(result: Result, metrics: tuple[str, str]) -> Iterator[list[str]]:
    """Yield model, variants and baselines, then those of the random holdout."""
    stem = Path(result["recipe"]).stem.removesuffix("." + result["protocol"])
    tail = [result["commit"][:7], ", ".join(map(str, result["seeds"]))]
    name = f"{stem} `{result['protocol']}`"
    if "metrics" not in result:  # a data set without an order
        section = result["random_holdout"] | {"unrefitted": result["unrefitted"]}
        yield from section_rows(f"{name}, a random 20%", tail, section, metrics)
        return
    yield from section_rows(name, tail, result, metrics)
    if "random_holdout" in result:
        holdout = result["random_holdout"]
        yield from section_rows("the same, a random 20%", ["", ""], holdout, metrics)


def section_rows(
    name: str, tail: list[str], result: Result, metrics: tuple[str, str]
) -> Iterator[list[str]]:
    baselines = result["baselines"]
    yield [name, "model", *(interval_cell(result["metrics"][m], bold=True) for m in metrics), *tail]
    sections = {VARIANTS[key]: result[key] for key in VARIANTS if result.get(key)}
    sections |= {baseline: baselines[baseline] for baseline in BASELINES if baseline in baselines}
    for row, section in sections.items():
        yield ["", row, *(interval_cell(section[metric]) for metric in metrics), "", ""]


def _best(metric: str) -> Any:
    return min if metric in LOWER_IS_BETTER else max
