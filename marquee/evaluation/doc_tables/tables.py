"""The tables of README.md, generated from `results/*.json` so that they cannot drift.

    marquee doc-tables            # writes them anew
    marquee doc-tables --check    # exit 1 where they differ (part of the tests)

Between `<!-- results -->` and `<!-- /results -->` stands a table for each pair of figures: a row a
result and model, with 95% intervals.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from marquee.evaluation.protocols import PROTOCOLS

MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
OURS = {"unrefitted": "unrefitted", "order_shuffled": "order shuffled"}
RIVALS = ("ease", "ials", "svd++", "item-knn", "genre-popularity", "popularity", "biases")
SHOWN = {name: protocol.table_metrics for name, protocol in PROTOCOLS.items()}
"""The two metrics of a protocol."""


def main(args: list[str]) -> int:
    return renew(args, "tables", Path("README.md"), filled)


def renew(
    args: list[str],
    module: str,
    document: Path,
    filled: Callable[[str, Path], str],
    beside: Callable[[Path, Path], int] = lambda results, document: 0,
) -> int:
    """Write what a document generates from results anew, or compare it (--check); exit status.

    filled: its text and the folder of results -> its text of today. beside: makes what stands
    beside the document, before it is written; another status than 0 ends there.
    """
    parser = argparse.ArgumentParser(description=f"Write {document} from results/.")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--document", type=Path, default=document)
    chosen = parser.parse_args(args)
    old = chosen.document.read_text()
    new = filled(old, chosen.results)
    if chosen.check:
        if new != old:
            print(
                f"{chosen.document} differs from {chosen.results}; "
                f"run: python -m evaluation.{module}"
            )
        return int(new != old)
    status = beside(chosen.results, chosen.document)
    if status == 0:
        chosen.document.write_text(new)
    return status


def filled(text: str, results: Path) -> str:
    """The document with its tables made from every quality result in the folder."""
    read = [json.loads(path.read_text()) for path in sorted(results.glob("*.json"))]
    quality = [each for each in read if is_shown(each)]
    by_figures = [
        [each for each in quality if SHOWN[each["protocol"]] == shown]
        for shown in dict.fromkeys(SHOWN.values())
    ]
    tables = "\n".join(table(part) for part in by_figures if part)
    return MARKED.sub(lambda found: found[1] + tables + found[2], text)


def is_shown(content: dict[str, Any]) -> bool:
    """What a recipe's `fit` wrote of real data: the others have documents of their own."""
    fitted = content.get("protocol") in SHOWN and "baselines" in content
    return fitted and "variant" not in content and content["data"] != "demo"


def table(results: list[dict[str, Any]]) -> str:
    """Markdown: the results of protocols with the same figures."""
    shown = SHOWN[results[0]["protocol"]]
    head = ["result", "", *shown, "commit", "seeds"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for each in results:
        stem = Path(each["recipe"]).stem.removesuffix("." + each["protocol"])
        tail = [each["commit"][:7], ", ".join(map(str, each["seeds"]))]
        lines += rows(f"{stem} `{each['protocol']}`", tail, each, shown)
        if "random_holdout" in each:
            lines += rows("the same, a random 20%", ["", ""], each["random_holdout"], shown)
    return "\n".join(lines) + "\n"


def rows(
    name: str, tail: list[str], result: dict[str, Any], shown: tuple[str, str]
) -> Iterator[str]:
    """The model, what else was measured of it, then the baselines."""
    parts = {"model": result["metrics"]}
    parts |= {OURS[key]: result[key] for key in OURS if result.get(key)}
    parts |= {rival: result["baselines"][rival] for rival in RIVALS if rival in result["baselines"]}
    for row, part in parts.items():
        first = row == "model"
        cells = [cell(part[figure], bold=first) for figure in shown]
        ends = [name if first else "", row], tail if first else ["", ""]
        yield "| " + " | ".join([*ends[0], *cells, *ends[1]]) + " |"


def cell(value: dict[str, float], *, bold: bool) -> str:
    mean, low, high = (f"{value[key]:.3f}".lstrip("0") for key in ("mean", "low", "high"))
    return f"{f'**{mean}**' if bold else mean} [{low}, {high}]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
