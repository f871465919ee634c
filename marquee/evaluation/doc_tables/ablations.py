"""The tables of docs/ablations.md, generated from `results/*.json` so that they cannot drift.

A table per data set and protocol stands between `<!-- ablations -->` and `<!-- /ablations -->`: the
full model first, then the variants of `marquee ablate`. The verdict is that of ndcg@10:

    better, worse         the interval of variant minus full lies on one side of 0
    no difference shown   it holds 0, which is not to say that there is none
    compare again         the full model's result was made anew since; run ablate
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, TypeAlias

from marquee.core.files import read_json
from marquee.evaluation.doc_tables.readme import metric_cell
from marquee.evaluation.results import results_path

MARKED = re.compile(r"(<!-- ablations -->\n).*?(<!-- /ablations -->)", re.DOTALL)
HEAD = (
    "",
    "hit_rate@10",
    "ndcg@10",
    "ndcg@10 minus full",
    "verdict",
    "ndcg@10, history shuffled",
    "commit",
    "seeds",
)
MAX_ROUNDING_ERROR = 2e-5
"""Results keep six digits: the sum of two of them is that exact."""

Result: TypeAlias = dict[str, Any]


def render_ablations(page: str, results: Path) -> str:
    """Return the document with a table of every base that has variants in the folder."""
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for path in sorted(results.glob("*.json")):
        content = read_json(path)
        if "variant" in content and content["data"] != "demo":
            groups[content["variant"]["of"], content["protocol"]].append(content)
    tables = [
        f"## {base} `{protocol}`\n\n"
        + variants_table(read_json(results_path(results, base, protocol)), variants)
        for (base, protocol), variants in sorted(groups.items())
    ]
    body = "\n".join(tables) or "None has been published yet.\n"
    return MARKED.sub(lambda marks: f"{marks[1]}\n{body}\n{marks[2]}", page)


def _ndcg_difference(variant: Result) -> float:
    return float(variant["paired"]["full"]["ndcg@10"]["diff"])


def variants_table(full: Result, variants: list[Result]) -> str:
    """Return Markdown: the full model, then a row a variant, worst first."""
    rows = [variant_row("**full model**", full, "", "")]
    for variant in sorted(variants, key=_ndcg_difference):
        difference = variant["paired"]["full"]["ndcg@10"]
        gap = variant["metrics"]["ndcg@10"]["mean"] - full["metrics"]["ndcg@10"]["mean"]
        is_outdated = abs(gap - difference["diff"]) > MAX_ROUNDING_ERROR
        conclusion = "compare again" if is_outdated else verdict(difference)
        interval = "{diff:+.3f} [{low:+.3f}, {high:+.3f}]".format(**difference).replace("0.", ".")
        rows.append(variant_row(variant["variant"]["name"], variant, interval, conclusion))
    lines = [" | ".join(cells) for cells in (HEAD, ["---"] * len(HEAD), *rows)]
    return "".join(f"| {line} |\n" for line in lines)


def variant_row(name: str, result: Result, difference: str, conclusion: str) -> list[str]:
    """Return one row; the control with shuffled histories only if it was measured."""
    metrics = (result["metrics"][name] for name in ("hit_rate@10", "ndcg@10"))
    control = result.get("order_shuffled")
    shuffled = metric_cell(control["ndcg@10"], bold=False) if control else ""
    seeds = ", ".join(map(str, result["seeds"]))
    cells = [metric_cell(metric, bold=False) for metric in metrics]
    return [name, *cells, difference, conclusion, shuffled, result["commit"][:7], seeds]


def verdict(difference: dict[str, float]) -> str:
    """Return the conclusion from an interval of variant minus full."""
    if difference["high"] < 0:
        return "worse"
    return "better" if difference["low"] > 0 else "no difference shown"
