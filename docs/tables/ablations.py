"""The tables of docs/ablations.md: the full model first, then the variants of `marquee ablate`.

The verdict is that of ndcg@10:

    better, worse         the interval of variant minus full lies on one side of 0
    no difference shown   it holds 0, which is not to say that there is none
    compare again         the full model's result was made anew since; run ablate
"""

from collections import defaultdict
from pathlib import Path
from typing import Any, TypeAlias

from docs.tables.markdown import interval_cell, table
from marquee.core.files import read_json
from marquee.evaluation.report import verdict
from marquee.evaluation.results import results_path

HEAD = (
    *("", "hit_rate@10", "ndcg@10", "ndcg@10 minus full", "verdict"),
    *("ndcg@10, history shuffled", "commit", "seeds"),
)
MAX_ROUNDING_ERROR = 2e-5
"""Results keep six digits: the sum of two of them is that exact."""

Result: TypeAlias = dict[str, Any]


def ablation_tables(results: Path) -> str:
    """Return a table for every data set and protocol that has variants in the folder."""
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
    return "\n" + ("\n".join(tables) or "None has been published yet.\n") + "\n"


def variants_table(full: Result, variants: list[Result]) -> str:
    """Return the full model, then a row a variant, worst first."""
    rows = [variant_row("**full model**", full, "", "")]
    for variant in sorted(variants, key=lambda each: ndcg_difference(each)["diff"] or 0):
        difference = ndcg_difference(variant)
        means = [each["metrics"]["ndcg@10"]["mean"] for each in (variant, full)]
        if None in means:
            rows.append(variant_row(variant["variant"]["name"], variant, "n/a", "n/a"))
            continue
        gap = means[0] - means[1]
        is_outdated = abs(gap - difference["diff"]) > MAX_ROUNDING_ERROR
        conclusion = "compare again" if is_outdated else verdict("ndcg@10", difference)
        interval = "{diff:+.3f} [{low:+.3f}, {high:+.3f}]".format(**difference).replace("0.", ".")
        rows.append(variant_row(variant["variant"]["name"], variant, interval, conclusion))
    return table(HEAD, rows)


def ndcg_difference(variant: Result) -> dict[str, float]:
    difference: dict[str, float] = variant["paired"]["full"]["ndcg@10"]
    return difference


def variant_row(name: str, result: Result, difference: str, conclusion: str) -> list[str]:
    """Return one row; the control with shuffled histories only if it was measured."""
    cells = [interval_cell(result["metrics"][metric]) for metric in ("hit_rate@10", "ndcg@10")]
    control = result.get("order_shuffled")
    shuffled = interval_cell(control["ndcg@10"]) if control else ""
    seeds = ", ".join(map(str, result["seeds"]))
    return [name, *cells, difference, conclusion, shuffled, result["commit"][:7], seeds]
