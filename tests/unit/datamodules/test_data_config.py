"""The settings of the data: defaults, and contradictions that name both fields."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from datamodules.config import DataConfig
from marquee.core.errors import InputError


def test_data_config_defaults_and_is_frozen() -> None:
    config = DataConfig(name="ml-1m")
    assert (config.protocol, config.ties, config.without) == ("next", "hash", "nobody")
    with pytest.raises(FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param(
            {"targets_per_batch": 0},
            r"^data\.targets_per_batch: 0, expected at least 1$",
            id="no-targets",
        ),
        pytest.param(
            {"num_negatives": 0},
            r"^data\.num_negatives: 0, expected at least 1$",
            id="no-negatives",
        ),
        pytest.param(
            {"user_share": 0.0}, r"^data\.user_share: 0\.0, expected above", id="no-users"
        ),
        pytest.param(
            {"user_share": 0.5, "fold": 1, "protocol": "stars"},
            r"^data\.user_share: below 1 with data\.fold",
            id="share-of-a-fold",
        ),
        pytest.param({"horizon": 0}, r"^data\.horizon: 0, expected at least 1$", id="no-horizon"),
        pytest.param(
            {"star_dropout": 1.1}, r"^data\.star_dropout: 1\.1, expected 0 to 1$", id="dropout"
        ),
        pytest.param(
            {"select_on": "ncf-paper", "protocol": "time"},
            r"^data\.select_on: ncf-paper with data\.protocol time, expected",
            id="select-on",
        ),
        pytest.param(
            {"user": "id", "protocol": "new-movies"},
            r"^model\.network\.user: id with data\.protocol new-movies, expected history",
            id="user-table",
        ),
        pytest.param(
            {"fold": 1}, r"^data\.fold: 1 with data\.protocol next, expected 0", id="fold"
        ),
    ],
)
def test_data_config_contradiction_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DataConfig(name="demo", **settings)
