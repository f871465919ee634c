"""A callback that stops a training at an exact step, or in a validation."""

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class Bomb(Callback):
    """Strikes in the step with this number of the training, or in the validation of an epoch."""

    def __init__(
        self, strike: Callable[[], None], step: int | None = None, epoch: int | None = None
    ) -> None:
        self.strike, self.step, self.epoch = strike, step, epoch

    def on_before_optimizer_step(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            self.strike()

    def on_validation_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.current_epoch == self.epoch:
            self.strike()
