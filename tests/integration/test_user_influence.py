"""What leaves with the busiest raters, on small generated data."""

import json
from pathlib import Path

import numpy as np
import pytest

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from marquee.data.demo_data import write_demo
from marquee.training.studies import user_influence
from marquee.training.studies.user_influence import overlap_metrics
from tests.support.paths import ROOT


def given(root: Path, *more: str) -> list[str]:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={root / 'data'}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    return [*args, "--model.network.history_length=20", *more]


def test_nine_trainings_say_how_many_movies_stay(tmp_path: Path) -> None:
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=120, num_movies=80)
    (tmp_path / "results").mkdir()
    published = tmp_path / "results" / "demo.next.json"
    published.write_text(json.dumps({"selection": {"epochs": 1}}))
    assert user_influence.main(given(tmp_path)) == 0
    found = json.loads((tmp_path / "results" / "influence-demo.next.json").read_text())
    metrics = {name: each["mean"] for name, each in found["metrics"].items()}
    top, random = (metrics[f"overlap@10/without={who}"] for who in ("top", "random"))
    assert metrics["influence_overlap_drop"] == pytest.approx(random - top, abs=1e-5)
    assert 0 < top < 1 and 0 < random < 1, "one epoch on other ratings lists other movies"
    assert (found["epochs"], found["seeds"], len(found["per_seed"])) == (1, [0, 1, 2], 3)
    assert found["num_users"] == 119, "the busiest of 120 is nobody's other"
    assert found["cpu_s"] > 0
    assert not (tmp_path / "bundles" / "demo").exists()


def test_without_a_published_result_there_are_no_epochs_to_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=40, num_movies=80)
    assert user_influence.main(given(tmp_path)) == 2
    said = capsys.readouterr().err
    assert "demo.next.json: no result" in said and "train.py fit --config recipes/demo.yaml" in said


@pytest.mark.parametrize("who", ["top", "random"])
def test_who_is_left_out_is_asked_and_not_trained_on(tmp_path: Path, who: str) -> None:
    write_demo(tmp_path / "demo", seed=1, num_users=250, num_movies=80)
    data = InteractionDataModule(DataConfig(name="demo", root=str(tmp_path), without=who, seed=3))
    data.refit = "all"
    length_U = data.base_split.all_histories.length
    assert len(data.excluded_users) == 2
    assert (data.split.train_histories.length[data.excluded_users] == 0).all()
    kept = np.delete(np.arange(len(length_U)), data.excluded_users)
    np.testing.assert_array_equal(data.split.train_histories.length[kept], length_U[kept])
    assert set(data.excluded_users) <= set(data.base_split.test.user)
    counts_U = data.base_split.train_histories.length
    assert (counts_U[data.excluded_users].min() >= np.sort(counts_U)[-2]) == (who == "top")


def test_a_person_counts_in_the_seeds_in_which_they_stayed() -> None:
    """Of three persons the busiest is never another; the second was drawn in one seed of two."""
    nan = np.nan
    stay = [
        {"top": np.array([nan, 0.4, 0.6]), "random": np.array([nan, 0.8, 0.6])},
        {"top": np.array([nan, nan, 0.8]), "random": np.array([nan, nan, 0.8])},
    ]
    found = overlap_metrics(stay)
    means = {name: each["mean"] for name, each in found["metrics"].items()}
    assert found["num_users"] == 2
    assert means["influence_overlap_drop"] == pytest.approx((0.4 + 0.0) / 2)
    assert means["overlap@10/without=top"] == pytest.approx((0.4 + 0.7) / 2)
    assert found["per_seed"][1]["overlap@10/without=random"] == pytest.approx(0.8)
