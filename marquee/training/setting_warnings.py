"""Warnings before a training whose settings cannot work: setting, value and remedy, a line each."""

from collections.abc import Iterator

from datamodules.datamodule import InteractionDataModule
from marquee.training.config import RunConfig

MIN_STEPS = 200  # below, the networks of all recipes are still near popularity
LONGEST_WARMUP = 0.5  # share of the training
LIST_LENGTH = 10


def setting_warnings(config: RunConfig, data: InteractionDataModule) -> Iterator[str]:
    """Yield one line for each setting that cannot work on this data set."""
    steps_per_epoch = len(data.train_dataloader())
    steps = steps_per_epoch * int(config.trainer["max_epochs"])
    warmup, targets = config.model.learning.warmup_steps, config.data.targets_per_batch
    if warmup > LONGEST_WARMUP * steps:
        yield (
            f"model.learning.warmup_steps {warmup}: the whole training has {steps} steps, expected "
            f"at most half of them; set {max(1, steps // 25)}"
        )
    if steps < MIN_STEPS:
        fitting = max(16, targets * steps // MIN_STEPS)
        yield (
            f"data.targets_per_batch {targets}: the whole training has {steps} steps, expected "
            f"{MIN_STEPS} or more; set {fitting}, or a larger trainer.max_epochs"
        )
    if data.dataset.num_items < 2 * LIST_LENGTH:
        yield (
            f"data.name {config.data.name}: {data.dataset.num_items} items, expected more than "
            f"{2 * LIST_LENGTH}, twice a list; figures of lists say nothing about it, add items"
        )
