"""Settings of a run, and its folder."""

from pathlib import Path

import pytest

from marquee.core.errors import InputError
from marquee.core.files import flatten
from marquee.training.config import read_config
from marquee.training.run_folder import SELECT, RunFolder, new_run, newest_run, open_run
from tests.support.paths import ROOT

DEMO = ["--config", str(ROOT / "recipes" / "demo.yaml")]


def test_linked_settings_are_set_once() -> None:
    config = read_config([*DEMO, "--seed_everything=3", "--model.network.history_length=20"])
    assert (config.data.seed, config.data.history_length, config.data.user) == (3, 20, "history")
    assert "seed" not in config.resolved["data"], "a linked setting is no setting of its own"
    other = config.with_settings({"seed_everything": 4, "model.network.features": ["genres"]})
    assert (other.data.seed, other.data.history_length) == (4, 20)
    assert other.model.network.features == ["genres"]
    assert other.flat()["model.network.features"] == ["genres"]


def test_training_settings_omit_folders_and_unset_values() -> None:
    config = read_config([*DEMO, "--data.root=/somewhere", "--runs=r", "--comet=off"])
    settings = config.training_settings()
    assert settings.keys() == {"seed_everything", "data", "model", "stars", "trainer"}
    assert not {"root", "sha256", "seed"} & settings["data"].keys()
    assert settings["trainer"]["precision"] is None, "of the trainer all four are listed"
    assert config.training_settings(seed=7) == settings | {"seed_everything": 7}
    assert not {"runs", "data.root", "comet"} & flatten(config.comparable()).keys()


def test_saved_config_is_a_recipe_of_the_same_run(tmp_path: Path) -> None:
    config = read_config([*DEMO, "--trainer.max_epochs=2"])
    config.save(tmp_path)
    saved = read_config(["--config", str(tmp_path / "config.yaml")])
    assert saved.resolved == config.resolved
    assert saved.recipe == "recipes/config.yaml" and config.recipe == "recipes/demo.yaml"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("--trainer.val_check_interval=0.5", "ends of epochs"),
        ("--seeds=[0,0]", "seeds [0, 0]: expected one or more, each once"),
        ("--folds=[1]", "only protocols [stars] has folds"),
        ("--checkpoints.every_minutes=-1", "checkpoints.every_minutes -1.0: expected 0 or more"),
    ],
)
def test_contradicting_settings_are_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_config([*DEMO, setting])
    assert message in str(error.value)


def test_new_run_of_the_same_second_gets_a_number(tmp_path: Path) -> None:
    first, second = new_run(tmp_path), new_run(tmp_path)
    assert first != second and first.is_dir() and second.is_dir()


def test_open_run_makes_a_folder_or_follows_ckpt_path(tmp_path: Path) -> None:
    args = [*DEMO, f"--runs={tmp_path}"]
    run = open_run(read_config(args), new=True)
    last = Path(run.checkpoint(SELECT, "last.ckpt"))
    assert last == tmp_path / "demo" / run.path.name / "select" / "last.ckpt"
    with pytest.raises(InputError, match="no finished run"):
        open_run(read_config(args), new=False)
    last.parent.mkdir()
    last.touch()
    resumed = open_run(read_config([*args, f"--ckpt_path={last}"]), new=True)
    assert resumed == run
    assert not run.is_finished()
    run.mark_finished()
    assert run.is_finished()


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("none/20260101-000000/select/last.ckpt", "no checkpoint of a run in"),
        ("demo/20260101-000000/select/last.ckpt", "expected .*/DATE/select/last.ckpt"),
    ],
    ids=["another-folder", "missing-file"],
)
def test_open_run_refuses_a_path_without_checkpoint(
    checkpoint: str, message: str, tmp_path: Path
) -> None:
    args = [*DEMO, f"--runs={tmp_path}", f"--ckpt_path={tmp_path / checkpoint}"]
    with pytest.raises(InputError, match=message):
        open_run(read_config(args), new=True)


@pytest.mark.parametrize(("user", "is_served"), [("history", True), ("id", False)])
def test_only_networks_of_histories_are_served(user: str, is_served: bool) -> None:
    config = read_config([*DEMO, f"--model.network.user={user}"])
    assert config.is_served == is_served


def test_trained_checkpoint_is_best_of_select_or_last_of_refit(tmp_path: Path) -> None:
    run = RunFolder(path=tmp_path, checkpoint_folder="s3://bucket/demo/1")
    assert run.trained_checkpoint("none", 3) == "s3://bucket/demo/1/select/best.ckpt"
    assert run.trained_checkpoint("validation", 3) == "s3://bucket/demo/1/refit-3/last.ckpt"


def test_newest_run_is_the_last_finished_selection(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        (tmp_path / name).mkdir()
    (tmp_path / "1" / "fit.json").touch()
    (tmp_path / "2" / "fit.json").touch()
    assert newest_run(tmp_path) == tmp_path / "2"
