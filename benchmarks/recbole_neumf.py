"""Training steps of RecBole's NeuMF, timed: a child of bench_training.py, in an environment of its
own (`make bench-training` makes it). Prints one line of JSON.

    .venv-bench/bin/python benchmarks/recbole_neumf.py FOLDER '{"batch_size": 16384, ...}'

FOLDER holds ml-1m/ml-1m.inter. RecBole 1.2.1 (February 2025) reads names that numpy 2 removed, so
they are given back first, and only its configuration, data, model and trainer are imported: its
quick start wants ray. What is timed is its own Trainer, untouched, over its own loader and sampler.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

for _name, _kind in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
    setattr(np, _name, _kind)

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.model.general_recommender import NeuMF  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402

SETTINGS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    # Leave-one-out by time: the last two movies of each person are not trained on, as in `next`.
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "group_by": "user",
        "order": "TO",
        "mode": "full",
    },
    "dropout_prob": 0.0,
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    "seed": 0,
}


class Metered:
    """RecBole's loader, cut to some steps; the clock runs from the end of the warm-up on."""

    shuffle = False

    def __init__(self, loader: Any, warmup: int, steps: int) -> None:
        self.loader, self.warmup, self.steps = loader, warmup, steps
        self.examples = 0

    def __iter__(self) -> Iterator[Any]:
        batches = iter(self.loader)
        for step in range(self.warmup + self.steps):
            if step == self.warmup:
                start = time.process_time(), time.perf_counter()
            batch = next(batches)
            self.examples += len(batch) if step >= self.warmup else 0
            yield batch
        # Asked for one more, so the last step is over.
        self.cpu, self.wall = time.process_time() - start[0], time.perf_counter() - start[1]


def main(folder: str, size: dict[str, Any]) -> None:
    os.chdir(folder)  # RecBole writes logs where it runs
    config = Config(
        model=NeuMF,
        dataset="ml-1m",
        config_dict=SETTINGS
        | {
            "data_path": folder,
            "mf_embedding_size": size["factors"],
            "mlp_embedding_size": size["factors"],
            "mlp_hidden_size": size["hidden_dims"],
            "train_batch_size": size["batch_size"],
            "train_neg_sample_args": {
                "distribution": "uniform",
                "sample_num": size["num_negatives"],
                "alpha": 1.0,
                "dynamic": False,
                "candidate_num": 0,
            },
        },
    )
    dataset = create_dataset(config)
    loader, _, _ = data_preparation(config, dataset)
    metered = Metered(loader, size["warmup"], size["steps"])
    trainer = Trainer(config, NeuMF(config, loader.dataset))
    trainer._train_epoch(metered, 0)
    answer = {"examples": metered.examples, "cpu": metered.cpu, "wall": metered.wall}
    print(json.dumps(answer))


if __name__ == "__main__":
    sys.argv[2:] or sys.exit("run by benchmarks/bench_training.py")
    main(sys.argv[1], json.loads(sys.argv[2]))
