"""Rows of the serving benchmark, and the shape of the committed ones."""

import json
from typing import Any

from benchmarks.serving.results_table import PARTS, table
from tests.support.paths import ROOT

REQUIRED_ROWS = {
    *("ours-served-parts-ratio", "large-served-parts-ratio"),
    *("ours-parts-ratio", "ours-in-turn-ratio", "large-parts-ratio", "large-in-turn-ratio"),
    *("known-cpu-ratio", "known-p99-ratio", "history-p99-ratio", "batch-ratio"),
    *("ours-ready-start-ratio", "ours-memory-over", "ours-after-10000", "ours-after-100000"),
    *("growth-movies-1000000-whole", "growth-history-1000-whole"),
}


def load_run(cpu_us: float) -> list[dict[str, Any]]:
    return [{"cpu_us": cpu_us, "rate": 100.0, "p50_ms": 1.0, "p99_ms": cpu_us / 100}]


def one_round(service: float, noop: float, part: float) -> dict[str, list[dict[str, Any]]]:
    """Runs with the CPU microseconds of a request to each program."""
    each_part = dict.fromkeys(PARTS, part)
    in_process = [each_part | {"in_turn": 5 * part, "whole": 6 * part}]
    runs = {f"{program}-parts": in_process for program in ("ours", "large")}
    for kind in ("history", "known", "large"):
        runs[f"noop-{kind}-8"] = load_run(noop)
    runs |= {"ours-history-8": load_run(service), "ours-known-8": load_run(service)}
    runs |= {"large-large-8": load_run(1), "largeparts-large-8": load_run(1)}
    runs |= {"parts-history-8": load_run(2 * noop)}
    for name in PARTS:
        runs |= {f"{name}-history-8": load_run(noop + 2 * part)}
        runs |= {f"large{name}-large-8": load_run(noop + part)}
    runs["ours-batch"] = [{"cpu_us": 256 * service / 4, "users": 256}]
    for program in ("ours", "large", "noop", "fastapi"):
        is_noop = program == "noop"
        runs[f"{program}-start"] = [{"ready_s": 2.0 if is_noop else 3.0, "cpu_s": 1.0}]
        runs[f"{program}-memory"] = [{"memory_mb": 100.0 if is_noop else 290.0}]
        runs[f"{program}-arrays"] = [{"memory_mb": 50.0}]
    return runs | {"growth-movies-100": [each_part | {"whole": 9.0}]}


def test_serving_table_divides_round_by_round() -> None:
    rows = {row["name"]: row for row in table(one_round(service=1000, noop=200, part=150))}
    assert rows["ours-parts-ratio"]["value"] == 1000 / (200 + 4 * 150)
    assert rows["ours-in-turn-ratio"]["value"] == round(1000 / (200 + 750), 3)
    assert rows["ours-served-parts-ratio"]["value"] == round(1000 / (200 + 4 * 300), 3)
    assert rows["ours-together-ratio"]["value"] == 1000 / 400
    assert rows["known-cpu-ratio"]["value"] == rows["history-p99-ratio"]["value"] == 5
    assert rows["batch-ratio"]["value"] == 4
    assert rows["ours-ready-start-ratio"]["value"] == 1.5
    assert rows["ours-memory-over"]["value"] == 290 - (100 + 100 + 2 * 50)
    assert rows["growth-movies-100-whole"]["value"] == 9


def test_committed_serving_results_have_required_rows() -> None:
    result = json.loads((ROOT / "results" / "bench-serving.json").read_text())
    assert set(result) == {"rows", "commit", "machine"}
    rows = {row["name"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"])
    assert all(set(row) == {"name", "what", "value", "unit", "spread"} for row in rows.values())
    assert set(rows) >= REQUIRED_ROWS
