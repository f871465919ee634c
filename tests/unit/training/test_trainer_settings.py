"""Trainer settings that are refused at once, each with one sentence."""

from typing import Any

import pytest

from marquee.core.errors import InputError
from marquee.training.trainer_settings import EXPECTED, check_trainer_settings

DEFAULTS: dict[str, Any] = {name: values[0] for name, (values, _) in EXPECTED.items()}
DEFAULTS |= {"max_epochs": 2, "devices": "auto", "val_check_interval": None}
DEFAULTS |= {"precision": None, "accumulate_grad_batches": 1}


def test_default_settings_are_allowed() -> None:
    check_trainer_settings(DEFAULTS)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed", 32])
def test_mixed_precision_is_allowed(precision: Any) -> None:
    check_trainer_settings(DEFAULTS | {"precision": precision})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("precision", "16-true"),
        ("precision", "64-true"),
        ("precision", 64),
        ("precision", "bf16-true"),
        ("precision", "transformer-engine"),
        ("fast_dev_run", True),
        ("fast_dev_run", 3),
        ("limit_train_batches", 0),
        ("limit_train_batches", 0.5),
        ("limit_val_batches", 0),
        ("overfit_batches", 1),
        ("max_steps", 3),
        ("max_time", "00:00:00:01"),
        ("min_epochs", 5),
        ("barebones", True),
        ("enable_checkpointing", False),
        ("logger", False),
        ("callbacks", []),
        ("plugins", []),
        ("strategy", "fsdp"),
        ("num_nodes", 2),
        ("num_sanity_val_steps", 2),
        ("accumulate_grad_batches", 0),
        ("max_epochs", -1),
        ("devices", 2),
        ("val_check_interval", 0.5),
    ],
)
def test_setting_that_cannot_train_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^trainer\.{name} .*: expected [^\n]*$"):
        check_trainer_settings(DEFAULTS | {name: value})
