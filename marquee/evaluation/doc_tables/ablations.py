"""The tables of docs/ablations.md, generated from `results/*.json` so that they cannot drift.

    marquee doc-tables            # writes them anew
    marquee doc-tables --check    # exit 1 where they differ (part of the tests)

A table a data set and protocol, between `<!-- ablations -->` and `<!-- /ablations -->`: the full
model first, then what `marquee ablate` made of it. The verdict is that of ndcg@10:

    better, worse         the interval of variant minus full lies on one side of 0
    no difference shown   it holds 0, which is not to say that there is none
    compare again         the full model's result was made anew since; run ablate
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from marquee.evaluation.doc_tables.tables import cell, renew
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
ROUNDING = 2e-5
"""Results keep six digits: the sum of two of them is that exact."""

Result = dict[str, Any]


def main(args: list[str]) -> int:
    return renew(args, "ablations", Path("docs/ablations.md"), filled)


def filled(text: str, results: Path) -> str:
    """The document with a table of every base that has variants in the folder."""
    groups = defaultdict(list)
    for path in sorted(results.glob("*.json")):
        content = json.loads(path.read_text())
        if "variant" in content and content["data"] != "demo":
            groups[content["variant"]["of"], content["protocol"]].append(content)
    tables = [
        f"## {base} `{protocol}`\n\n"
        + table(json.loads(results_path(results, base, protocol).read_text()), variants)
        for (base, protocol), variants in sorted(groups.items())
    ]
    made = "\n".join(tables) or "None has been published yet.\n"
    return MARKED.sub(lambda found: f"{found[1]}\n{made}\n{found[2]}", text)


def table(full: Result, variants: list[Result]) -> str:
    """Markdown: the full model, then a row a variant, worst first."""
    rows = [row("**full model**", full, "", "")]
    for each in sorted(variants, key=lambda each: each["paired"]["full"]["ndcg@10"]["diff"]):
        difference = each["paired"]["full"]["ndcg@10"]
        apart = each["metrics"]["ndcg@10"]["mean"] - full["metrics"]["ndcg@10"]["mean"]
        is_old = abs(apart - difference["diff"]) > ROUNDING
        said = "compare again" if is_old else verdict(difference)
        shown = "{diff:+.3f} [{low:+.3f}, {high:+.3f}]".format(**difference)
        rows.append(row(each["variant"]["name"], each, shown.replace("0.", "."), said))
    lines = [" | ".join(cells) for cells in (HEAD, ["---"] * len(HEAD), *rows)]
    return "".join(f"| {line} |\n" for line in lines)


def row(name: str, result: Result, difference: str, said: str) -> list[str]:
    """One model; the control with histories in random order only where it was measured."""
    figures = [cell(result["metrics"][key], bold=False) for key in ("hit_rate@10", "ndcg@10")]
    control = result.get("order_shuffled")
    shuffled = cell(control["ndcg@10"], bold=False) if control else ""
    seeds = ", ".join(map(str, result["seeds"]))
    return [name, *figures, difference, said, shuffled, result["commit"][:7], seeds]


def verdict(difference: dict[str, float]) -> str:
    """What an interval of variant minus full says."""
    if difference["high"] < 0:
        return "worse"
    return "better" if difference["low"] > 0 else "no difference shown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
