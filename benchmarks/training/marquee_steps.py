"""Time the training steps of a recipe: a child of bench_training.py. Prints one line of JSON.

    python -m benchmarks.training.marquee_steps '{"warmup": 3, "steps": 20}' --config RECIPE.yaml

The recipe's own trainer, loader, loss and optimizer, as `train.py fit` has them, stopped after some
steps. The clock runs from the end of the warm-up to the end of the last step: drawing of batches
included, reading, validation and checkpoints not. Options add the least time of a step ("bound")
and the full ranking of users ("evaluated_every": 1 is all of them).

An example of the history network is a target: a window of n entries trains n of them in one pass.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from benchmarks.training.peer_files import validation_batches
from benchmarks.training.roofline import Batches, StepBound, history_bound, pairs_bound
from benchmarks.training.stopwatch import Stopwatch
from datamodules.datamodule import InteractionDataModule
from marquee.evaluation.ranker import rank_batch
from marquee.training import pipeline
from marquee.training.config import read_config
from marquee.training.run_folder import SELECT, open_run
from marquee.training.trainer import prepare
from models.lightning_module import RankingModule

Answer = dict[str, Any]


class StepRecorder(Callback):
    """Tell the stopwatch of each step, and stop the training after the last one."""

    def __init__(self, stopwatch: Stopwatch) -> None:
        self.stopwatch, self.batches = stopwatch, list[dict[str, int]]()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.stopwatch.start()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        step: int,
    ) -> None:
        trainer.should_stop = self.stopwatch.step(num_examples(batch))
        with self.stopwatch.paused():
            if self.stopwatch.max_steps:
                self.batches.append(batch_sizes(batch))

    def mean(self, name: str) -> float:
        return sum(batch[name] for batch in self.batches) / len(self.batches)


def num_examples(batch: dict[str, Tensor]) -> int:
    """Count pairs, or targets of histories."""
    if "item_MB" in batch:
        return batch["item_MB"].numel()
    return int((batch["target_BL"] >= 0).sum())


def batch_sizes(batch: dict[str, Tensor]) -> dict[str, int]:
    """Return the sizes of a batch that its lower bound depends on."""
    if "item_MB" in batch:
        return {
            "examples": batch["item_MB"].numel(),
            "users": len(batch["user_B"].unique()),
            "items": len(batch["item_MB"].unique()),
        }
    is_target_BL = batch["target_BL"] >= 0
    length_B = is_target_BL.sum(1)
    return {
        "examples": int(length_B.sum()),
        "targets": len(batch["target_BL"][is_target_BL].unique()),
        "squares": int((length_B * length_B).sum()),
    }


def least_time(module: RankingModule, precision: str, recorder: StepRecorder) -> StepBound:
    """Return the least time of the recorded steps on this machine."""
    sizes = module.sizes
    dtype = torch.bfloat16 if "bf16" in precision else torch.float32
    num_parameters = module.network.num_parameters()
    if module.config.user == "id":
        return pairs_bound(
            module.config,
            num_parameters=num_parameters,
            num_examples=recorder.mean("examples"),
            num_users=recorder.mean("users"),
            num_items=recorder.mean("items"),
            dtype=dtype,
        )
    num_negatives, num_candidates = module.learning.num_negatives, float(sizes.num_items)
    if num_negatives:
        num_candidates = min(num_candidates, num_negatives + recorder.mean("targets"))
    batches = Batches(recorder.mean("examples"), num_candidates, recorder.mean("squares"))
    return history_bound(
        module.config,
        module.learning,
        sizes,
        num_parameters=num_parameters,
        batches=batches,
        dtype=dtype,
    )


def validation_metric(data: InteractionDataModule, module: RankingModule) -> float:
    """Return the validation metric of every third user now."""
    is_drawn = data.config.select_on == "ncf-paper"
    network, name = module.network.eval(), "hit_rate@10" if is_drawn else "ndcg@10"
    with torch.inference_mode():
        batches = validation_batches(data, drawn=is_drawn)
        values = [rank_batch(network.score(batch), batch)[name] for batch in batches]
    network.train()
    return float(np.concatenate(values).mean())


def evaluation_s(
    data: InteractionDataModule, module: RankingModule, every: int
) -> dict[str, float]:
    """Return CPU seconds of ranking all unseen items, as validation does.

    every: rank every so many users. Of the history network the user states (`encoder`) and
    everything after (`head`) are timed apart.
    """
    network, loader = module.network.eval(), validation_batches(data, every, drawn=False)
    start = time.process_time()
    with torch.inference_mode():
        if module.config.user == "id":
            for batch in loader:
                rank_batch(network.score(batch), batch)
            return {"evaluation": time.process_time() - start}
        batches, vector_ID = list(loader), network.items()[0]
        states = [network.user_vectors(batch, vector_ID) for batch in batches]
        encoded = time.process_time()
        next_states = iter(states)
        network.user_vectors = lambda *_: next(next_states)  # type: ignore[method-assign]
        for batch in batches:
            rank_batch(network.score(batch), batch)
    return {"encoder": encoded - start, "head": time.process_time() - encoded}


def main(options: Answer, recipe: list[str]) -> None:
    """Train as the options say, and print the answer."""
    settings = ["--comet", "off"]
    with tempfile.TemporaryDirectory() as runs:
        config = read_config([*recipe, *settings, "--runs", runs])
        run, epochs = open_run(config, new=True), config.trainer["max_epochs"]
        training = prepare(config, run, phase=SELECT, epochs=epochs)  # without validation
        data, module, trainer = training.data, training.model, training.trainer
        stopwatch = Stopwatch(options, lambda: validation_metric(data, module))
        recorder = StepRecorder(stopwatch)
        trainer.callbacks.append(recorder)  # type: ignore[attr-defined]
        pipeline.train(training)
    answer = stopwatch.answer()
    if options.get("bound"):
        least = least_time(module, str(trainer.precision), recorder)
        answer["bound"] = asdict(least) | {"seconds": least.seconds}
    if "evaluated_every" in options:
        answer |= evaluation_s(data, module, options["evaluated_every"])
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
