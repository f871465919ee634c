"""Time training steps of RecBole's NeuMF and SASRec: a child of bench_training.py.

It runs in an environment of its own, which `make bench-training` makes, and prints a line of JSON.

    .venv-bench/bin/python -m benchmarks.training.recbole_steps FOLDER '{"model": "NeuMF", …}'

FOLDER holds ml-1m/ml-1m.inter, in which the time of a rating is its place in the user's history,
so that RecBole's leave-one-out is our split. RecBole 1.2.1 (February 2025) reads names that numpy 2
removed, so they are given back first, and only its configuration, data, models and trainer are
imported: its quick start wants ray. What is timed is its own Trainer, untouched, over its own
loader and sampler, and its own evaluation.

An example of NeuMF is a pair. An example of SASRec is one target: RecBole makes of a history of n
movies n - 1 rows, each with the latest 50 movies before its target (its default), and reads each
row by itself.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.training.stopwatch import Stopwatch, hit_rate_of, ndcg_of, timed

for _name, _kind in (("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_)):
    setattr(np, _name, _kind)

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.data.interaction import Interaction  # noqa: E402
from recbole.model.general_recommender import NeuMF  # noqa: E402
from recbole.model.sequential_recommender import SASRec  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402

MODELS = {"NeuMF": NeuMF, "SASRec": SASRec}
SETTINGS = {
    "USER_ID_FIELD": "user_id",
    "ITEM_ID_FIELD": "item_id",
    "TIME_FIELD": "timestamp",
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    # Leave-one-out by time: the last two movies of each user are not trained on, as in `next`.
    "eval_args": {
        "split": {"LS": "valid_and_test"},
        "group_by": "user",
        "order": "TO",
        "mode": "full",
    },
    "metrics": ["Hit", "NDCG"],
    "valid_metric": "NDCG@10",
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    "seed": 0,
}
BLOCK = 256
"""Users that SASRec scores at once in validation."""


class TimedLoader:
    """RecBole's loader, each of whose batches the stopwatch sees."""

    shuffle = False

    def __init__(self, loader: Any, stopwatch: Stopwatch) -> None:
        self.loader, self.stopwatch = loader, stopwatch

    def __iter__(self) -> Iterator[Any]:
        return self.stopwatch.over(self.loader, len)


def main(folder: str, options: dict[str, Any]) -> None:
    os.chdir(folder)  # RecBole writes logs where it runs
    kind = MODELS[options["model"]]
    settings = SETTINGS | options["settings"] | {"data_path": folder}
    config = Config(model=kind, dataset="ml-1m", config_dict=settings)
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    model = kind(config, train.dataset)
    trainer = Trainer(config, model)

    def validation_metric() -> float:
        model.eval()
        with torch.no_grad():
            rank = hit_rate_among_drawn if kind is NeuMF else ndcg_among_all
            value = rank(model, dataset, valid, dict(np.load("queries.npz")))
        model.train()
        return value

    def train_epochs() -> None:
        while not stopwatch.ended:
            trainer._train_epoch(TimedLoader(train, stopwatch), 0)

    stopwatch = Stopwatch(options, validation_metric)
    answer = timed(stopwatch, train_epochs)
    if "evaluated_at" in options:
        answer["evaluation"] = evaluation_s(trainer, test, **options["evaluated_at"])
    print(json.dumps(answer))


def evaluation_s(
    trainer: Trainer, test: Any, batch_sizes: list[int], every: int
) -> dict[int, float]:
    """Return CPU seconds of RecBole's own full ranking, by eval_batch_size.

    every: rank every so many users.
    """
    seconds, subset = {}, test._dataset.copy(test._dataset.inter_feat[::every])
    for size in batch_sizes:
        trainer.config["eval_batch_size"] = trainer.test_batch_size = size
        loader = type(test)(trainer.config, subset, test._sampler)
        start = time.process_time()
        trainer.evaluate(loader, load_best_model=False)
        seconds[size] = time.process_time() - start
    return seconds


def hit_rate_among_drawn(
    model: NeuMF, dataset: Any, valid: Any, queries: dict[str, np.ndarray]
) -> float:
    user_Q = dataset.token2id("user_id", queries["user_id"].astype(str))
    item_QC = dataset.token2id("item_id", queries["movie_id"].astype(str))
    pairs = {"user_id": torch.as_tensor(user_Q).repeat_interleave(item_QC.shape[1])}
    pairs["item_id"] = torch.as_tensor(item_QC).flatten()
    return hit_rate_of(model.predict(Interaction(pairs)).view(item_QC.shape).numpy())


def ndcg_among_all(
    model: SASRec, dataset: Any, valid: Any, queries: dict[str, np.ndarray]
) -> float:
    rows = valid._dataset.inter_feat
    row_of = np.zeros(dataset.user_num, int)
    row_of[rows["user_id"].numpy()] = np.arange(len(rows))
    row_Q = row_of[dataset.token2id("user_id", queries["user_id"].astype(str))]
    seen_QI = np.zeros((len(row_Q), dataset.item_num), bool)
    seen_QI[
        queries["seen_row"], dataset.token2id("item_id", queries["seen_movie_id"].astype(str))
    ] = 1
    seen_QI[:, 0] = True  # padding
    values = []
    for start in range(0, len(row_Q), BLOCK):
        part = slice(start, start + BLOCK)
        histories = rows[torch.from_numpy(row_Q[part])]
        score_QI = model.full_sort_predict(histories).numpy()
        values.append(ndcg_of(score_QI, histories["item_id"].numpy(), seen_QI[part]))
    return float(np.concatenate(values).mean())


if __name__ == "__main__":
    sys.argv[2:] or sys.exit("run by benchmarks.training.bench_training")
    main(str(Path(sys.argv[1]).absolute()), json.loads(sys.argv[2]))
