"""Settings that follow from a data set, and warnings about settings that cannot work."""

from typing import Any

import numpy as np
import pytest
import yaml

from marquee.core.errors import InputError
from marquee.data.dataset import Dataset
from marquee.training import config
from marquee.training.config import read_config
from marquee.training.data_settings import settings_from_data
from tests.support.paths import ROOT
from tests.support.small_datasets import dataset_in_memory

RECIPE = ROOT / "recipes" / "default.yaml"


def random_dataset(num_users: int, length: int, num_items: int = 300, **settings: Any) -> Dataset:
    rng = np.random.default_rng(0)
    items = {user: rng.permutation(num_items)[:length].tolist() for user in range(num_users)}
    return dataset_in_memory(items, range(num_items), **settings)


def test_settings_from_data_small_set_warm_up_is_shorter() -> None:
    settings = settings_from_data(random_dataset(100, 11))
    assert settings["data.targets_per_batch"] == 64  # 1,000 targets: 16 steps an epoch
    assert settings["trainer.max_epochs"] == 20
    assert settings["model.learning.warmup_steps"] == 12  # 4% of 320 steps
    assert settings["model.learning.influence_cap"] == 20
    assert settings["model.network.history_length"] == 20


def test_settings_from_data_chosen_epochs_shorten_the_warm_up() -> None:
    settings = settings_from_data(random_dataset(100, 101), {"trainer.max_epochs": 2})
    assert settings["trainer.max_epochs"] == 2
    steps = 2 * round(10_000 / settings["data.targets_per_batch"])
    assert settings["model.learning.warmup_steps"] == int(0.04 * steps)


@pytest.mark.parametrize(
    ("settings", "protocol", "horizon"),
    [
        pytest.param({}, "next", 1, id="times"),
        pytest.param({"has_times": False, "is_ordered": True}, "next", 1, id="ordered"),
        pytest.param({"has_times": False}, "new-users", 10_000, id="no-order"),
        pytest.param({"part": [0] * 300, "has_times": False}, "fixed", 10_000, id="test-file"),
    ],
)
def test_settings_from_data_protocol_fits_the_order(
    settings: dict[str, Any], protocol: str, horizon: int
) -> None:
    result = settings_from_data(random_dataset(30, 10, **settings))
    assert result["data.protocol"] == protocol
    assert result["protocols"] == [protocol]
    assert result["data.horizon"] == horizon


def test_default_recipe_names_every_derived_setting() -> None:
    from_data = yaml.safe_load(RECIPE.read_text())["from_data"]
    assert sorted(from_data) == sorted(settings_from_data(random_dataset(30, 10)))


@pytest.fixture
def small_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "load_dataset", lambda name, root: random_dataset(100, 11))


@pytest.mark.usefixtures("small_data")
def test_read_config_command_line_wins_over_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    args = [f"--config={RECIPE}", "--data.name=mine", "--name=mine", "--trainer.max_epochs", "3"]
    settings = read_config(args)
    assert settings.trainer["max_epochs"] == 3
    assert settings.data.targets_per_batch == 64
    assert settings.from_data == []
    output = capsys.readouterr().out
    assert "1,100 interactions of 100 users" in output
    assert "data.targets_per_batch" in output
    assert "trainer.max_epochs" not in output


@pytest.mark.usefixtures("small_data")
def test_read_config_unknown_derived_setting_is_refused() -> None:
    args = [f"--config={RECIPE}", "--data.name=mine", "--name=mine", "--trainer.max_epochs=3"]
    args += ["--from_data=[data.name]"]
    with pytest.raises(InputError, match=r"from_data \['data.name'\]: expected some of"):
        read_config(args)
