"""`marquee ablate`: a base and a variant fitted on small generated data."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

import train
from marquee.data.demo_data import write_demo
from marquee.training.studies import ablation
from marquee.training.studies.ablation import VARIANTS_FILE
from tests.support.demo_training import FAST_RATING_MODEL, settings_args
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def arguments(root: Path, *more: str) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    small = ["--trainer.max_epochs=1", "--model.network.history_length=20", "--comet=off"]
    return [*args, *small, *settings_args(FAST_RATING_MODEL), *more]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo recipe fitted for one epoch, and its variants without order and without a cap."""
    root = tmp_path_factory.mktemp("ablation")
    write_demo(root / "data" / "demo", seed=1, num_users=40, num_movies=80)
    assert train.main(["fit", *arguments(root)]) == 0
    names = "--variants=without-influence-cap,without-order"
    assert ablation.main(arguments(root, names)) == 0
    return root


def test_ablate_fits_variant_and_writes_difference(root: Path) -> None:
    names = sorted(path.name for path in (root / "results").glob("*.json"))
    assert names == ["demo.next.json", "without-order-demo.next.json"], "the cap is 0 already"
    full, variant = (json.loads((root / "results" / name).read_text()) for name in names)
    assert variant["recipe"] == "recipes/demo.yaml, without-order of recipes/ablations.yaml"
    settings = {"data.shuffled": True}
    assert variant["variant"] == {"name": "without-order", "of": "demo", "settings": settings}
    assert set(variant["paired"]) == {"full", *full["paired"]}
    for metric in ("hit_rate@10", "ndcg@10", "mrr"):  # too few movies for a list of 50
        apart = variant["metrics"][metric]["mean"] - full["metrics"][metric]["mean"]
        assert variant["paired"]["full"][metric]["diff"] == pytest.approx(apart, abs=1e-5)
    manifest = json.loads((root / "bundles" / "without-order-demo" / "bundle.json").read_text())
    assert manifest["config"]["data"]["shuffled"] is True
    assert manifest["recipe"] == "recipes/demo.yaml"
    assert "variant" not in full


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        pytest.param("--variants=without-sense", "'without-sense'", id="unknown"),
        pytest.param("--runs=nowhere", "no finished run", id="base-not-fitted"),
        pytest.param("--results=nowhere", "demo.next.json is missing", id="no-result"),
        pytest.param("--data.split_seed=1", "another settings, expected", id="another-test-part"),
        pytest.param("--model.network.dropout=0", "another settings, expected", id="another-model"),
        pytest.param("--model.network.user=id", "that reads a history", id="classic"),
    ],
)
def test_ablate_of_incomparable_base_is_refused(
    setting: str, message: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted((root / "runs").rglob("*"))
    assert ablation.main(arguments(root, setting)) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert message in error
    assert sorted((root / "runs").rglob("*")) == before


def test_ablate_of_other_test_rows_is_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = root / "runs" / "demo" / "test-next.parquet"
    copy = shutil.copy(rows, rows.with_suffix(".copy"))
    table = pd.read_parquet(rows).assign(rank=1.0)
    table.to_parquet(rows)
    try:
        assert ablation.main(arguments(root)) == 2
    finally:
        shutil.move(copy, rows)
    assert "another test rows" in capsys.readouterr().err


def test_variants_name_settings_of_recipe(root: Path) -> None:
    manifest = json.loads((root / "bundles" / "demo" / "bundle.json").read_text())
    for name, settings in yaml.safe_load(VARIANTS_FILE.read_text()).items():
        for path in settings:
            group = manifest["config"]
            for part in path.split("."):
                assert part in group, f"{name}: {path}"
                group = group[part]
