"""Settings of a run, its folder, and the order of its steps."""

from pathlib import Path
from typing import Any

import pytest

import train
from marquee.core.errors import InputError
from marquee.data.demo_data import write_demo
from marquee.training import pipeline
from marquee.training.config import read_config
from marquee.training.model_card import model_card
from marquee.training.run_folder import SELECT, new_run, open_run
from tests.support.paths import ROOT

DEMO = ["--config", str(ROOT / "recipes" / "demo.yaml")]


def test_a_setting_is_given_once_and_linked() -> None:
    config = read_config([*DEMO, "--seed_everything=3", "--model.network.history_length=20"])
    assert (config.data.seed, config.data.history_length, config.data.user) == (3, 20, "history")
    assert "seed" not in config.resolved["data"], "a linked setting is no setting of its own"
    other = config.with_settings({"seed_everything": 4, "model.network.features": ["genres"]})
    assert (other.data.seed, other.data.history_length) == (4, 20)
    assert other.model.network.features == ["genres"]
    assert other.value("model.network.features") == ["genres"]


def test_training_settings_leave_folders_and_unset_values_out() -> None:
    config = read_config([*DEMO, "--data.root=/somewhere", "--runs=r", "--comet=off"])
    settings = config.training_settings()
    assert settings.keys() == {"seed_everything", "data", "model", "stars", "trainer"}
    assert not {"root", "sha256", "seed"} & settings["data"].keys()
    assert settings["trainer"]["precision"] is None, "of the trainer all four are listed"
    assert config.training_settings(seed=7) == settings | {"seed_everything": 7}
    assert not {"runs", "data.root", "comet"} & config.comparable_settings().keys()


def test_the_saved_config_is_a_recipe_of_the_same_run(tmp_path: Path) -> None:
    config = read_config([*DEMO, "--trainer.max_epochs=2"])
    config.save(tmp_path)
    again = read_config(["--config", str(tmp_path / "config.yaml")])
    assert again.resolved == config.resolved
    assert again.recipe == "recipes/config.yaml" and config.recipe == "recipes/demo.yaml"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("--trainer.val_check_interval=0.5", "ends of epochs"),
        ("--seeds=[0,0]", "seeds [0, 0]: expected one or more, each once"),
        ("--folds=[1]", "only protocols [stars] has folds"),
        ("--checkpoints.every_minutes=-1", "checkpoints.every_minutes -1.0: expected 0 or more"),
    ],
)
def test_a_contradiction_names_the_setting(setting: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_config([*DEMO, setting])
    assert message in str(error.value)


def test_two_runs_of_one_second_get_two_folders(tmp_path: Path) -> None:
    first, second = new_run(tmp_path), new_run(tmp_path)
    assert first != second and first.is_dir() and second.is_dir()


def test_a_run_is_opened_new_or_by_its_checkpoint(tmp_path: Path) -> None:
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


def test_fit_of_the_studies_takes_the_steps_of_train_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_demo(tmp_path / "data" / "demo", seed=1, num_users=40, num_movies=80)
    args = [*DEMO, f"--data.root={tmp_path / 'data'}", f"--runs={tmp_path}", "--comet=off"]
    config = read_config([*args, "--seeds=[0,1]", "--model.network.embedding_dim=8"])
    steps: list[Any] = []

    def step(name: str) -> Any:
        def record(*parts: Any, **settings: Any) -> str:
            kinds = [type(part).__name__ for part in parts]
            settings = {key: value for key, value in settings.items() if key != "loggers"}
            steps.append((name, kinds, settings))
            return name

        return record

    for name in ("select", "refit_seed", "evaluate_run", "finish"):
        monkeypatch.setattr(pipeline, name, step(name))
    train.fit(config)
    story = steps.copy()
    steps.clear()
    pipeline.fit(config)
    assert steps == story
    assert [name for name, *_ in story] == [
        "select",
        "refit_seed",
        "refit_seed",
        "evaluate_run",
        "finish",
    ]


def test_the_card_of_a_model_without_a_bundle() -> None:
    result = {
        "recipe": "recipes/a.yaml",
        "commit": "c" * 40,
        "data": "demo",
        "data_sha256": "d" * 64,
        "protocol": "next",
        "seeds": [0],
        "num_users": 3,
        "cpu_s": 12.0,
        "machine": "2 cores",
        "selection": {"epochs": 5},
        "metrics": {"ndcg@10": {"mean": 0.5, "low": 0.25, "high": 0.75}},
        "baselines": {},
    }
    settings = {"model.network.user": "id", "data.protocol": "next", "data.ties": "hash"}
    card = model_card("a", [result], settings=settings)
    assert "none: this model is not served" in card
    assert "| split | protocol next, ties hash |" in card
    assert "| network | user id |" in card
    assert "seeds 0, 5 epochs chosen on validation, 12 CPU seconds on 2 cores" in card
    assert "| ndcg@10 | 0.5000 [0.2500, 0.7500] |" in card
    assert card == model_card("a", [result], settings=settings)
