"""Ablations: a base and a variant fitted on small generated data, and the tables of results."""

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import train
from marquee.data.demo_data import write_demo
from marquee.evaluation.doc_tables.ablations import render_ablations
from marquee.evaluation.doc_tables.command import main
from marquee.evaluation.doc_tables.readme import render_readme
from marquee.evaluation.results import write_ranks, write_results
from marquee.training.compare.paired_bootstrap import user_metrics
from marquee.training.studies import ablation
from marquee.training.studies.ablation import VARIANTS_FILE, add_difference, changed_settings
from tests.support.paths import ROOT

SECOND = 1 / math.log2(3)
"""What the second place earns in ndcg."""


def given(root: Path, *more: str) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    small = ["--trainer.max_epochs=1", "--model.network.history_length=20", "--comet=off"]
    return [*args, *small, *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo recipe fitted for one epoch, and its variants without order and without a cap."""
    root = tmp_path_factory.mktemp("place")
    write_demo(root / "data" / "demo", seed=1, num_users=40, num_movies=80)
    assert train.main(["fit", *given(root)]) == 0
    names = "--variants=without-influence-cap,without-order"
    assert ablation.main(given(root, names)) == 0
    return root


def test_a_variant_is_a_fit_of_its_own_that_says_what_it_is(place: Path) -> None:
    names = sorted(path.name for path in (place / "results").glob("*.json"))
    assert names == ["demo.next.json", "without-order-demo.next.json"], "the cap is 0 already"
    full, variant = (json.loads((place / "results" / name).read_text()) for name in names)
    assert variant["recipe"] == "recipes/demo.yaml, without-order of recipes/ablations.yaml"
    settings = {"data.shuffled": True}
    assert variant["variant"] == {"name": "without-order", "of": "demo", "settings": settings}
    assert set(variant["paired"]) == {"full", *full["paired"]}
    for metric in ("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50"):
        apart = variant["metrics"][metric]["mean"] - full["metrics"][metric]["mean"]
        assert variant["paired"]["full"][metric]["diff"] == pytest.approx(apart, abs=1e-5)
    manifest = json.loads((place / "bundles" / "without-order-demo" / "bundle.json").read_text())
    assert manifest["config"]["data"]["shuffled"] is True
    assert manifest["recipe"] == "recipes/demo.yaml"
    assert "variant" not in full


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("--variants=without-sense", "'without-sense'", id="unknown"),
        pytest.param("--runs=nowhere", "no finished run", id="base-not-fitted"),
        pytest.param("--results=nowhere", "demo.next.json is missing", id="no-result"),
        pytest.param("--data.split_seed=1", "another settings, expected", id="another-test-part"),
        pytest.param("--model.network.dropout=0", "another settings, expected", id="another-model"),
        pytest.param("--model.network.user=id", "that reads a history", id="classic"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_any_training(
    more: str, said: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((place / "runs").rglob("*"))
    assert ablation.main(given(place, more)) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert said in error
    assert sorted((place / "runs").rglob("*")) == before


def test_test_rows_of_another_fit_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = place / "runs" / "demo" / "test-next.parquet"
    kept = shutil.copy(rows, rows.with_suffix(".kept"))
    table = pd.read_parquet(rows).assign(rank=1.0)
    table.to_parquet(rows)
    try:
        assert ablation.main(given(place)) == 2
    finally:
        shutil.move(kept, rows)
    assert "another test rows" in capsys.readouterr().err


def test_figures_are_read_off_expected_ranks_and_averaged_over_seeds(tmp_path: Path) -> None:
    """Ranks 1 and 2 in the two seeds; 2.5 is a tie for the second place; 11 earns nothing."""
    ranks = {0: np.array([1.0, 2.5, 11.0]), 7: np.array([2.0, 2.5, 11.0])}
    write_ranks(tmp_path / "rows", np.array([1, 2, 3]), np.array([9, 9, 9]), ranks)
    found = user_metrics(pd.read_parquet(tmp_path / "rows"))
    third = 1 / math.log2(4)
    assert found["ndcg@10"].tolist() == pytest.approx([(1 + SECOND) / 2, (SECOND + third) / 2, 0])
    assert found["hit_rate@10"].tolist() == [1, 1, 0]


def test_a_difference_is_variant_minus_full_person_by_person(tmp_path: Path) -> None:
    """All four people had their movie first in the full model, and have it second now."""
    base: Any = SimpleNamespace(name="demo", runs_folder=tmp_path / "demo", results=str(tmp_path))
    for name, rank in (("demo", 1.0), ("x-demo", 2.0)):
        ids = np.arange(4)
        write_ranks(tmp_path / name / "test-next.parquet", ids, ids, {0: np.full(4, rank)})
    content = {"metrics": {"ndcg@10": {"mean": SECOND}}, "paired": {"ease": {}}}
    write_results(tmp_path, "x-demo", "next", content)
    add_difference(base, "next", "x", {"data.shuffled": True})
    result = json.loads((tmp_path / "x-demo.next.json").read_text())
    expected = pytest.approx(SECOND - 1, abs=1e-6)
    assert result["paired"]["full"] == {"ndcg@10": dict.fromkeys(("diff", "low", "high"), expected)}


def test_a_list_keeps_what_the_recipe_has_of_it() -> None:
    base: Any = SimpleNamespace(value={"features": ["genres", "period"], "cap": 0}.get)
    assert changed_settings(base, {"features": ["period", "text"]}) == {"features": ["period"]}
    assert changed_settings(base, {"features": ["genres", "period"], "cap": 0}) == {}
    assert changed_settings(base, {"cap": 50}) == {"cap": 50}


def test_every_variant_changes_a_setting_that_there_is(place: Path) -> None:
    manifest = json.loads((place / "bundles" / "demo" / "bundle.json").read_text())
    for name, settings in yaml.safe_load(VARIANTS_FILE.read_text()).items():
        for path in settings:
            found = manifest["config"]
            for part in path.split("."):
                assert part in found, f"{name}: {path}"
                found = found[part]


def result(mean: float, **more: Any) -> dict[str, Any]:
    figure = {"mean": mean, "low": mean - 0.02, "high": mean + 0.02}
    return {
        "protocol": "next",
        "data": "ml-100k",
        "recipe": "recipes/ml-100k.yaml",
        "metrics": {"hit_rate@10": figure, "ndcg@10": figure},
        "commit": "0123456789",
        "seeds": [0, 1],
        **more,
    }


def variant(name: str, mean: float, diff: float, half: float) -> dict[str, Any]:
    paired = {"diff": diff, "low": diff - half, "high": diff + half}
    named = {"name": name, "of": "ml-100k"}
    return result(mean, variant=named, paired={"full": {"ndcg@10": paired}})


def test_a_table_shows_the_full_model_then_the_variants_worst_first(tmp_path: Path) -> None:
    shuffled = {"ndcg@10": {"mean": 0.05, "low": 0.04, "high": 0.06}}
    write_results(tmp_path, "ml-100k", "next", result(0.12, order_shuffled=shuffled))
    for name, mean, diff, half in (
        ("without-a", 0.13, 0.01, 0.005),
        ("without-b", 0.07, -0.05, 0.02),
        ("without-c", 0.119, -0.001, 0.003),
        ("without-d", 0.15, 0.02, 0.01),  # .15 - .12 is not .02: the full model is another
    ):
        write_results(tmp_path, f"{name}-ml-100k", "next", variant(name, mean, diff, half))
    page = render_ablations("<!-- ablations -->\n?<!-- /ablations -->\n", tmp_path)
    lines = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert "## ml-100k `next`" in page
    assert [(line[0], *line[3:]) for line in lines[2:]] == [
        ("| **full model**", "", "", ".050 [.040, .060]", "0123456", "0, 1 |"),
        ("| without-b", "-.050 [-.070, -.030]", "worse", "", "0123456", "0, 1 |"),
        ("| without-c", "-.001 [-.004, +.002]", "no difference shown", "", "0123456", "0, 1 |"),
        ("| without-a", "+.010 [+.005, +.015]", "better", "", "0123456", "0, 1 |"),
        ("| without-d", "+.020 [+.010, +.030]", "compare again", "", "0123456", "0, 1 |"),
    ]


def test_variants_are_not_in_the_table_of_the_readme(tmp_path: Path) -> None:
    write_results(tmp_path, "without-a-ml-100k", "next", variant("without-a", 0.13, 0.01, 0.005))
    assert "ml-100k" not in render_readme("<!-- results -->\n<!-- /results -->", tmp_path)


def test_the_check_fails_where_the_document_differs(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- ablations -->\n<!-- /ablations -->\n")
    where = [f"--results={tmp_path}", f"--document={page}"]
    assert main(["ablations", "--check", *where]) == 1
    assert main(["ablations", *where]) == 0
    assert main(["ablations", "--check", *where]) == 0


def test_the_tables_of_the_ablations_are_those_of_results() -> None:
    page = (ROOT / "docs" / "ablations.md").read_text()
    assert render_ablations(page, ROOT / "results") == page, "run: marquee doc-tables"


def test_one_command_checks_every_generated_document(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["--check"]) == 0
    assert main(["unknown", "--check"]) == 2
    assert main(["--check", "--document=page.md"]) == 2
    assert "expected one of readme, ablations, controls" in capsys.readouterr().err
