"""Settings of Lightning's Trainer that a training here cannot have, refused before it starts."""

from collections.abc import Mapping
from typing import Any

from marquee.core.errors import InputError

PRECISIONS = (None, 32, "32", "32-true", "bf16", "bf16-mixed", 16, "16", "16-mixed")
ONE_EPOCH = "for a short training set trainer.max_epochs 1, or train on the generated data demo"
OWN_PART = "train.py makes its own"
NO_CUT = "a run is compared by whole epochs; set trainer.max_epochs"
EXPECTED: dict[str, tuple[tuple[Any, ...], str]] = {
    "fast_dev_run": ((False, 0), ONE_EPOCH),
    "limit_train_batches": ((None, 1.0), ONE_EPOCH),
    "limit_val_batches": ((None, 1.0), "the epoch is chosen on the whole validation part"),
    "limit_test_batches": ((None, 1.0), ONE_EPOCH),
    "overfit_batches": ((0.0,), ONE_EPOCH),
    "max_steps": ((-1,), NO_CUT),
    "max_time": ((None,), NO_CUT),
    "min_steps": ((None,), NO_CUT),
    "min_epochs": ((None,), NO_CUT),
    "num_sanity_val_steps": ((0,), "its values would stand among those of the epochs"),
    "reload_dataloaders_every_n_epochs": ((0,), "a resumed training would see other batches"),
    "barebones": ((False,), "without metrics no epoch can be chosen"),
    "enable_checkpointing": ((None, True), "without checkpoints no epoch can be chosen"),
    "logger": ((None, True), f"{OWN_PART}; --comet off turns Comet off"),
    "callbacks": ((None,), OWN_PART),
    "plugins": ((None,), OWN_PART),
    "strategy": (("auto", "ddp"), "run: torchrun --nproc-per-node N train.py …"),
    "num_nodes": ((1,), "run torchrun on each machine"),
}
"""The values that a setting may have, and the reason or remedy."""


def check_trainer_settings(trainer: Mapping[str, Any]) -> None:
    """Refuse settings that break resuming, exact results, or the training itself."""
    if not (trainer["max_epochs"] or 0) >= 1:
        raise InputError(f"trainer.max_epochs {trainer['max_epochs']}: expected 1 or more")
    if (devices := trainer["devices"]) not in ("auto", 1, "1"):
        raise InputError(
            f"trainer.devices {devices}: expected none, as several devices are several "
            f"processes; run: torchrun --nproc-per-node {devices} train.py …"
        )
    if (interval := trainer["val_check_interval"]) not in (None, 1.0):
        raise InputError(
            f"trainer.val_check_interval {interval}: expected none, as a resumed training is "
            "exact only with validation at the ends of epochs; set check_val_every_n_epoch"
        )
    if (precision := trainer["precision"]) not in PRECISIONS:
        raise InputError(
            f"trainer.precision {precision}: expected 32-true, bf16-mixed or 16-mixed, as weights "
            "are kept in 32 bits; choose one of these"
        )
    if not trainer["accumulate_grad_batches"] >= 1:
        accumulated = trainer["accumulate_grad_batches"]
        raise InputError(f"trainer.accumulate_grad_batches {accumulated}: expected 1 or more")
    for name, (values, remedy) in EXPECTED.items():
        if trainer.get(name, values[0]) not in values:
            expected = "none" if values[0] is None else values[0]
            raise InputError(f"trainer.{name} {trainer[name]}: expected {expected}; {remedy}")
