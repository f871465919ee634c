"""Training steps of a recipe, timed: a child of bench_training.py. Prints one line of JSON.

    python benchmarks/train_steps.py '{"warmup": 3, "steps": 20}' --config recipes/ml-1m.yaml

The recipe's own trainer, loader, loss and optimizer, as `train.py fit` has them, stopped after some
steps. The clock runs from the end of the warm-up to the end of the last step: drawing of batches
included, reading, validation and checkpoints not. After that, where they are asked for: the least
time of a step ("floor") and the full ranking of people ("evaluated_every": 1 is everybody).

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
from floor import Batches, Floor, history_floor, pairs_floor
from meter import Meter
from peers_data import asked_cases
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from marquee.evaluation.ranker import rank_batch
from marquee.training.recipe import Recipe

Answer = dict[str, Any]


class Steps(Callback):
    """Tells the meter of each step, and stops the training when it has seen enough."""

    def __init__(self, meter: Meter) -> None:
        self.meter, self.batches = meter, list[dict[str, int]]()

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.meter.start()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        step: int,
    ) -> None:
        trainer.should_stop = self.meter.step(num_examples(batch))
        with self.meter.paused():
            if self.meter.asked_steps:
                self.batches.append(facts(batch))

    def mean(self, name: str) -> float:
        return sum(batch[name] for batch in self.batches) / len(self.batches)


def num_examples(batch: dict[str, Tensor]) -> int:
    """Pairs, or targets of histories."""
    if "item_MB" in batch:
        return batch["item_MB"].numel()
    return int((batch["target_BL"] >= 0).sum())


def facts(batch: dict[str, Tensor]) -> dict[str, int]:
    """Sizes of a batch that its floor depends on."""
    if "item_MB" in batch:
        return {
            "examples": batch["item_MB"].numel(),
            "people": len(batch["user_B"].unique()),
            "movies": len(batch["item_MB"].unique()),
        }
    is_target_BL = batch["target_BL"] >= 0
    length_B = is_target_BL.sum(1)
    return {
        "examples": int(length_B.sum()),
        "targets": len(batch["target_BL"][is_target_BL].unique()),
        "squares": int((length_B * length_B).sum()),
    }


def floor_of(run: Recipe, steps: Steps) -> Floor:
    module, sizes = run.model, run.model.sizes
    dtype = torch.bfloat16 if "bf16" in str(run.trainer.precision) else torch.float32
    num_parameters = module.network.num_parameters()
    if module.config.user == "id":
        means = [steps.mean(name) for name in ("examples", "people", "movies")]
        return pairs_floor(module.config, num_parameters, *means, dtype)
    drawn = module.learning.num_negatives
    candidates = min(sizes.num_items, drawn + steps.mean("targets")) if drawn else sizes.num_items
    batches = Batches(steps.mean("examples"), candidates, steps.mean("squares"))
    return history_floor(module.config, module.learning, sizes, num_parameters, batches, dtype)


def figure(run: Recipe) -> float:
    """What validation says of every third person now."""
    drawn = run.datamodule.config.select_on == "ncf-paper"
    network, name = run.model.network.eval(), "hit_rate@10" if drawn else "ndcg@10"
    with torch.inference_mode():
        batches = asked_cases(run.datamodule, drawn=drawn)
        found = [rank_batch(network.score(batch), batch)[name] for batch in batches]
    network.train()
    return float(np.concatenate(found).mean())


def evaluation_s(run: Recipe, every: int) -> dict[str, float]:
    """CPU seconds of ranking all unseen movies for every so many people, as validation does. Of the
    history network their states (`encoder`) and all the rest (`head`) are timed apart."""
    network, asked = run.model.network.eval(), asked_cases(run.datamodule, every, drawn=False)
    states: list[Tensor] = []
    start = time.process_time()
    with torch.inference_mode():
        if run.model.config.user == "id":
            for batch in asked:
                rank_batch(network.score(batch), batch)
            return {"evaluation": time.process_time() - start}
        batches, vector_ID = list(asked), network.items()[0]
        states = [network.user_vectors(batch, vector_ID) for batch in batches]
        encoded = time.process_time()
        given = iter(states)
        network.user_vectors = lambda *_: next(given)  # type: ignore[method-assign]
        for batch in batches:
            rank_batch(network.score(batch), batch)
    return {"encoder": encoded - start, "head": time.process_time() - encoded}


def main(asked: Answer, recipe: list[str]) -> None:
    given = ["--trainer.limit_val_batches", "0", "--comet", "off"]
    with tempfile.TemporaryDirectory() as runs:
        run = Recipe([*recipe, *given, "--runs", runs], "select")
        meter = Meter(asked, lambda: figure(run))
        steps = Steps(meter)
        run.trainer.callbacks.append(steps)
        run.train()
    answer = meter.answer()
    if asked.get("floor"):
        least = floor_of(run, steps)
        answer["floor"] = asdict(least) | {"seconds": least.seconds}
    if "evaluated_every" in asked:
        answer |= evaluation_s(run, asked["evaluated_every"])
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
