"""The arithmetic of the benchmarks: floors, clocks, tables; and the shape of what is committed."""

import json
from typing import Any

import bench_table
import meter
import numpy as np
import pytest
import roofline
import torch

from models.ncf import NetworkConfig
from tests.support.paths import ROOT

NEUMF = NetworkConfig(user="id", embedding_dim=8, hidden_dims=[16, 2], num_heads=1, features=[])


def test_products_of_neumf_are_counted_with_the_first_layer_split() -> None:
    made = roofline.pairs_products(NEUMF, num_examples=100, num_users=10, num_items=20)
    assert made == {
        (10, 4, 16): 6 * 10 * 4 * 16,  # the MLP's half of each person, once
        (20, 4, 16): 6 * 20 * 4 * 16,  # and of each movie
        (100, 16, 2): 6 * 100 * 16 * 2,
        (100, 2, 1): 6 * 100 * 2,
    }


def test_the_floor_of_neumf_is_its_products_and_bytes_over_their_rates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(roofline, "product_rate", lambda m, k, n, dtype: 2e9)
    monkeypatch.setattr(roofline, "copy_rate", lambda size: 1e9 if size == 16 * 1000 else 4e9)
    least = roofline.pairs_bound(NEUMF, 1000, 100, 10, 20, torch.float32)
    assert least.products_s == pytest.approx((30 * 6 * 4 * 16 + 6 * 100 * 34) / 2e9)
    state, rows = 4 * 8 * 1000, 4 * 3 * (4 + 16) * 110
    assert least.bytes_s == pytest.approx(state / 1e9 + rows / 4e9)
    assert least.gflops == pytest.approx(2)
    assert least.seconds == least.products_s + least.bytes_s


def test_the_meter_leaves_out_the_warm_up_and_what_is_paused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(meter, "now", lambda: (now := next(clock), now))
    seen = meter.Meter({"warmup": 1, "steps": 2})
    seen.start()  # 0
    assert not seen.step(5)  # the warm-up; the clock starts anew at 10
    assert not seen.step(5)  # 20
    with seen.paused():  # 30 to 40
        pass
    assert seen.step(7)  # 50
    assert (seen.examples, seen.steps, seen.cpu) == (12, 2, 30)


def test_the_meter_stops_at_the_target_or_at_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(figures: list[float], cap_s: float) -> meter.Meter:
        clock = iter(range(1000))
        monkeypatch.setattr(meter, "now", lambda: (now := next(clock), now))
        given, asked = iter(figures), {"target": 0.6, "first_look_s": 2, "cap_s": cap_s}
        seen = meter.Meter(asked, lambda: next(given))
        seen.start()
        for _ in range(100):
            if seen.step(1):
                return seen
        raise AssertionError("never stopped")

    reached = run([0.1, 0.2, 0.7], 50)
    assert (reached.value, reached.cpu) == (0.7, 6)  # asked after 2, 4 and 6 seconds
    capped = run([0.1] * 100, 7)
    assert (capped.value, capped.cpu) == (0.1, 8)
    assert list(capped.over([1, 2], int)) == []


def test_hit_rate_shares_ties() -> None:
    assert meter.hit_rate_of(np.zeros((3, 100))) == pytest.approx(0.1)


def run_of(speed: float, **more: Any) -> dict[str, Any]:
    """A run of ten steps in one CPU second."""
    floors = {"seconds": 0.05, "products_s": 0.04, "bytes_s": 0.01, "gflops": 9.0, "gb_s": 9.0}
    times = {"cpu": 1.0, "wall": 1.0, "steps": 10, "peak": 0.5, "value": float("nan")}
    return {"examples": speed, "floor": floors} | times | more


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
    return {str(row["name"]): row for row in bench_table.table(runs)}


def test_the_headline_is_ours_and_theirs_at_their_best_batch() -> None:
    rows = by_name(RUNS)
    assert (rows["ncf-classic"]["value"], rows["recbole-neumf"]["value"]) == (600, 200)
    assert "batch 65,536, the best of 16,384, 65,536" in rows["ncf-classic"]["what"]
    assert rows["ncf-classic-ratio"]["value"] == 3
    assert rows["ncf-classic-16384-ratio"]["value"] == 2.25  # the median of 2 and 2.5
    assert rows["ncf-classic-16384-ratio"]["spread"] == 0.5
    assert "ncf-classic-65536-ratio" not in rows  # RecBole was not run there


def test_floor_evaluation_and_targets_have_their_rows() -> None:
    rows = by_name(RUNS)
    assert rows["ncf-classic-floor"]["value"] == 2  # a step of 1 s / 10 over .05 s
    assert rows["recbole-neumf-evaluation"]["value"] == 9  # the better of its two
    assert rows["recbole-neumf-evaluation-4096"]["value"] == 12
    assert (rows["evaluation-ratio"]["value"], rows["head-ratio"]["value"]) == (4.5, 18)
    assert rows["history-ratio"]["value"] == 10
    assert rows["recbole-neumf-to-target-ratio"]["value"] == 4
    assert "at least" in rows["recbole-neumf-to-target-ratio"]["what"]
    assert "not reached, 0.590" in rows["recbole-neumf-to-target"]["what"]


def test_rows_of_absent_peers_are_left_out() -> None:
    ours = {name: runs for name, runs in RUNS.items() if not name.startswith("recbole")}
    rows = by_name(ours)
    assert "ncf-classic" in rows
    assert not [name for name in rows if "recbole" in name or name.endswith("ratio")]


def test_the_committed_figures_have_the_shape_of_the_contract() -> None:
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
