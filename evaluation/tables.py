"""The tables of README.md, generated from `results/*.json` so that they cannot drift.

    python -m evaluation.tables            # writes them anew
    python -m evaluation.tables --check    # exit 1 where they differ (part of the tests)

A table stands between `<!-- results -->` and `<!-- /results -->`.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
ORDER = ("model", "unrefitted", "ease", "item-knn", "popularity")
SHOWN = ("hit_rate@10", "ndcg@10")


def main(args: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Write the tables of a document from results/.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--document", type=Path, default=Path("README.md"))
    chosen = parser.parse_args(args)
    old = chosen.document.read_text()
    new = filled(old, chosen.results)
    if chosen.check and new != old:
        print(f"{chosen.document} differs from {chosen.results}; run: python -m evaluation.tables")
        return 1
    if not chosen.check:
        chosen.document.write_text(new)
    return 0


def filled(text: str, results: Path) -> str:
    """The document with its table made from every quality result in the folder."""
    read = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    quality = [each for each in read if "metrics" in each and each["data"] != "demo"]
    return MARKED.sub(lambda found: found[1] + table(quality) + found[2], text)


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: a row a result and model, hit_rate@10 and ndcg@10 with their 95% intervals."""
    head = ["result", "", *SHOWN, "commit", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for each in results:
        rows = {"model": each["metrics"], "unrefitted": each["unrefitted"], **each["baselines"]}
        name = f"{Path(each['recipe']).stem.removesuffix('.' + each['protocol'])}"
        for row in ORDER:
            cells = [cell(rows[row][metric], bold=row == "model") for metric in SHOWN]
            first = row == "model"
            lead = [f"{name} `{each['protocol']}`" if first else "", row]
            seeds = ", ".join(map(str, each["seeds"]))
            tail = [f"{each['commit'][:7]}", seeds] if first else ["", ""]
            lines.append("| " + " | ".join([*lead, *cells, *tail]) + " |")
    return "\n".join(lines) + "\n"


def cell(value: dict[str, float], *, bold: bool) -> str:
    mean, low, high = (f"{value[key]:.3f}".lstrip("0") for key in ("mean", "low", "high"))
    return f"{f'**{mean}**' if bold else mean} [{low}, {high}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
