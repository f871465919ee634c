"""Rows of a benchmark, and the file in results/ that holds them.

{"rows": [{"name", "what", "value": median, "unit", "spread": max - min}, …], "commit", "machine"}
"""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marquee.evaluation.results import code_commit

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY / "results"
Row = dict[str, Any]


def row(name: str, what: str, values: Sequence[float], unit: str) -> Row:
    """Return a row with the median of some values, and their spread."""
    return {
        "name": name,
        "what": what,
        "value": round(statistics.median(values), 3),
        "unit": unit,
        "spread": round(max(values) - min(values), 3),
    }


def report(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows with the commit and the machine that they were measured on."""
    return {"rows": list(rows), "commit": code_commit(), "machine": machine()}


def write_report(file: str, content: dict[str, Any]) -> None:
    """Write a report to a file of results/."""
    (RESULTS / file).write_text(json.dumps(content, indent=1) + "\n")


def update_report(file: str, rows: Sequence[Row]) -> None:
    """Replace rows of a report by their names, and append those that are new."""
    content = json.loads((RESULTS / file).read_text())
    measured = {each["name"]: each for each in rows}
    content["rows"] = [measured.pop(each["name"], each) for each in content["rows"]]
    content["rows"] += measured.values()
    write_report(file, content)


def machine() -> str:
    load = os.getloadavg()[1]
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"5-minute load {load:.1f}"
    )


def on_one_thread() -> dict[str, str]:
    """Return the environment of a child that computes on one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return os.environ | threads | {"PYTHONPATH": str(REPOSITORY)}


def last_json_line(output: str) -> dict[str, Any]:
    """Return what a child printed last."""
    content: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return content
