"""Rows of the training benchmark, and the shape of the committed ones."""

import json
from typing import Any

from benchmarks.training.results_table import table
from tests.support.paths import ROOT


def run_of(speed: float, **more: Any) -> dict[str, Any]:
    """A run of ten steps in one CPU second."""
    bound = {"seconds": 0.05, "products_s": 0.04, "bytes_s": 0.01, "gflops": 9.0, "gb_s": 9.0}
    times = {"cpu": 1.0, "wall": 1.0, "steps": 10, "peak": 0.5, "value": float("nan")}
    return {"examples": speed, "bound": bound} | times | more


RUNS = {
    "ncf-classic-16384": [run_of(400, evaluation=2.0), run_of(500, evaluation=2.0)],
    "ncf-classic-65536": [run_of(600), run_of(600)],
    "recbole-neumf-2048": [run_of(100), run_of(100)],
    "recbole-neumf-16384": [run_of(200, evaluation={"4096": 12.0, "99": 9.0})] * 2,
    "history": [run_of(30, encoder=8.0, head=0.5)] * 2,
    "recbole-sasrec": [run_of(3)] * 2,
    "ncf-classic-to-target": [run_of(1, cpu=5.0, value=0.61)],
    "recbole-neumf-to-target": [run_of(1, cpu=20.0, value=0.59)],
    "history-to-target": [run_of(1, cpu=40.0, value=0.06)],
}


def by_name(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {str(row["name"]): row for row in table(runs)}


def test_training_table_compares_best_batch_sizes() -> None:
    rows = by_name(RUNS)
    assert (rows["ncf-classic"]["value"], rows["recbole-neumf"]["value"]) == (600, 200)
    assert "batch 65,536, the best of 16,384, 65,536" in rows["ncf-classic"]["what"]
    assert rows["ncf-classic-ratio"]["value"] == 3
    assert rows["ncf-classic-16384-ratio"]["value"] == 2.25  # the median of 2 and 2.5
    assert rows["ncf-classic-16384-ratio"]["spread"] == 0.5
    assert "ncf-classic-65536-ratio" not in rows  # RecBole was not run there


def test_training_table_compares_a_step_with_its_bound() -> None:
    assert by_name(RUNS)["ncf-classic-floor"]["value"] == 2  # a step of 1 s / 10 over .05 s


def test_training_table_takes_the_best_evaluation() -> None:
    rows = by_name(RUNS)
    assert rows["recbole-neumf-evaluation"]["value"] == 9  # the better of its two
    assert rows["recbole-neumf-evaluation-4096"]["value"] == 12
    assert (rows["evaluation-ratio"]["value"], rows["head-ratio"]["value"]) == (4.5, 18)
    assert rows["history-ratio"]["value"] == 10


def test_training_table_marks_a_missed_target() -> None:
    rows = by_name(RUNS)
    assert rows["recbole-neumf-to-target-ratio"]["value"] == 4
    assert "at least" in rows["recbole-neumf-to-target-ratio"]["what"]
    assert "not reached, 0.590" in rows["recbole-neumf-to-target"]["what"]


def test_training_table_leaves_out_absent_peers() -> None:
    rows = by_name({name: runs for name, runs in RUNS.items() if not name.startswith("recbole")})
    assert "ncf-classic" in rows
    assert not [name for name in rows if "recbole" in name or name.endswith("ratio")]


def test_committed_training_results_have_unique_rows() -> None:
    result = json.loads((ROOT / "results" / "bench-training.json").read_text())
    assert set(result) == {"rows", "commit", "machine"}
    rows = {row["name"]: row for row in result["rows"]}
    assert len(rows) == len(result["rows"])
    for row in rows.values():
        assert set(row) == {"name", "what", "value", "unit", "spread"}
    for name in ("ncf-classic", "recbole-neumf"):
        assert rows[name]["unit"] == "examples/CPU s"
        assert rows[name]["value"] > 0
    assert {"ncf-classic-ratio", "history"} <= set(rows)
