"""`marquee controls` on a small generated run."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import train
from marquee.data.demo_data import write_demo
from marquee.evaluation.rerank_tradeoff import sweep
from marquee.training.studies.rerank_tradeoff import main as measure_main
from tests.support.demo_training import FAST_RATING_MODEL, settings_args
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


def arguments(root: Path) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    small = ["--trainer.max_epochs=1", "--model.network.history_length=20", "--comet=off"]
    return [*args, *small, *settings_args(FAST_RATING_MODEL)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("controls")
    write_demo(root / "data" / "demo", seed=1, num_users=60, num_movies=120)
    assert train.main(["fit", *arguments(root)]) == 0
    assert measure_main(arguments(root)) == 0
    return root


def result(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / "results" / "controls-demo.next.json").read_text())
    return content


def test_controls_plain_metrics_equal_those_of_protocol(root: Path) -> None:
    plain = result(root)["fronts"]["plain"]
    published = json.loads((root / "results" / "demo.next.json").read_text())["metrics"]
    for name in ("hit_rate@10", "ndcg@10", "novelty", "popularity_bias", "miscalibration"):
        assert plain[name]["mean"] == pytest.approx(published[name]["mean"], abs=1e-5), name
    assert plain["ndcg@10_ratio"]["mean"] == plain["miscalibration_ratio"]["mean"] == 1


def test_controls_choose_weakest_halving_on_validation(root: Path) -> None:
    content = result(root)
    strength = content["chosen"]["calibration"]
    assert content["metrics"] == content["fronts"][f"calibration={strength:g}"]
    shares = {
        float(name.split("=")[1]): each["miscalibration_ratio"]["mean"]
        for name, each in content["validation"].items()
        if name.startswith("calibration")
    }
    assert shares[strength] <= 0.5
    assert all(share > 0.5 for weaker, share in shares.items() if weaker < strength)
    assert len(content["fronts"]) == len(sweep()) == len(content["validation"])


@pytest.mark.parametrize(
    ("control", "metric", "sign"),
    [  # no demo movie is fresh
        ("calibration", "miscalibration", -1),
        ("novelty", "novelty", 1),
        ("diversity", "alike", -1),
    ],
)
def test_stronger_control_gains_more(root: Path, control: str, metric: str, sign: int) -> None:
    content = result(root)["fronts"]
    means = [each[metric]["mean"] for name, each in content.items() if name.startswith(control)]
    steps = sign * np.diff([content["plain"][metric]["mean"], *means])
    assert (steps >= -1e-6).all() and steps.sum() > 0


def test_controls_of_another_protocol_are_refused(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = ["--data.protocol=stars", "--protocols=[stars]"]
    assert measure_main([*arguments(root), *protocol]) == 2
    assert "data.protocol stars, expected next" in capsys.readouterr().err


def test_profile_edits_are_mostly_followed(root: Path) -> None:
    """Of the demo's 120 movies too few are unseen to follow every edit."""
    edits = result(root)["profile_edits"]
    assert edits["edits"] > 80 and edits["moved"] >= 0.9
