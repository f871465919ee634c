"""`marquee influence` on small generated data."""

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.data.demo_data import write_demo
from marquee.training.studies import user_influence
from tests.support.paths import ROOT


def arguments(root: Path, *more: str) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    return [*args, "--model.network.history_length=20", *more]


@pytest.mark.slow
def test_influence_trains_nine_times_and_writes_overlap(tmp_path: Path) -> None:
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=120, num_movies=80)
    (tmp_path / "results").mkdir()
    published = tmp_path / "results" / "demo.next.json"
    published.write_text(json.dumps({"selection": {"epochs": 1}}))
    assert user_influence.main(arguments(tmp_path)) == 0
    result = json.loads((tmp_path / "results" / "influence-demo.next.json").read_text())
    metrics = {name: each["mean"] for name, each in result["metrics"].items()}
    top, random = (metrics[f"overlap@10/without={group}"] for group in ("top", "random"))
    assert metrics["influence_overlap_drop"] == pytest.approx(random - top, abs=1e-5)
    assert 0 < top < 1 and 0 < random < 1, "one epoch on other ratings lists other movies"
    assert (result["epochs"], result["seeds"], len(result["per_seed"])) == (1, [0, 1, 2], 3)
    assert result["num_users"] == 119, "the busiest of 120 leaves"
    assert result["cpu_s"] > 0
    assert not (tmp_path / "bundles" / "demo").exists()


def test_influence_without_published_result_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=40, num_movies=80)
    assert user_influence.main(arguments(tmp_path)) == 2
    message = capsys.readouterr().err
    assert (
        "demo.next.json: no result" in message
        and "train.py fit --config recipes/demo.yaml" in message
    )


@pytest.mark.parametrize("group", ["top", "random"])
def test_excluded_users_are_tested_and_not_trained_on(tmp_path: Path, group: str) -> None:
    write_demo(tmp_path / "demo", seed=1, num_users=250, num_movies=80)
    data = InteractionDataModule(DataConfig(name="demo", root=str(tmp_path), without=group, seed=3))
    data.refit = "all"
    length_U = data.base_split.all_histories.length
    assert len(data.excluded_users) == 2
    assert (data.split.train_histories.length[data.excluded_users] == 0).all()
    other_users = np.delete(np.arange(len(length_U)), data.excluded_users)
    np.testing.assert_array_equal(
        data.split.train_histories.length[other_users], length_U[other_users]
    )
    assert set(data.excluded_users) <= set(data.base_split.test.user)
    counts_U = data.base_split.train_histories.length
    assert (counts_U[data.excluded_users].min() >= np.sort(counts_U)[-2]) == (group == "top")
