"""Time training steps of Cornac's NeuMF on its PyTorch backend: a child of bench_training.py.

It runs in the peers' environment, which `make bench-training` makes, and prints a line of JSON.

    .venv-bench/bin/python -m benchmarks.training.cornac_steps FOLDER '{"batch_size": 256, …}'

FOLDER holds train.npz, the training pairs of our split. What is timed is Cornac's own fit, over its
own iterator and sampler, with the stopwatch between the two. Cornac wants the last layer as wide
as the product's factors: 64, as in RecBole's sizes.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cornac.data import Dataset
from cornac.models import NeuMF

from benchmarks.training.stopwatch import Stopwatch, hit_rate_of, timed


def main(folder: Path, options: dict[str, Any]) -> None:
    pairs = np.load(folder / "train.npz")
    ones = np.ones(len(pairs["user_id"]))
    data = Dataset.from_uir(zip(pairs["user_id"], pairs["movie_id"], ones, strict=True), seed=0)
    factors = options["factors"]
    recommender = NeuMF(
        num_factors=factors,
        layers=(2 * factors, *options["hidden_dims"]),
        num_epochs=1000,  # those after the last step are empty
        batch_size=options["batch_size"],
        num_neg=options["num_negatives"],
        lr=options["lr"],
        backend="pytorch",
        verbose=False,
        seed=0,
    )
    stopwatch = Stopwatch(
        options, lambda: hit_rate(recommender, data, dict(np.load(folder / "queries.npz")))
    )
    iterate = data.uir_iter

    def timed_batches(*args: Any, **kwargs: Any) -> Iterator[Any]:
        return stopwatch.over(iterate(*args, **kwargs), lambda batch: len(batch[0]))

    data.uir_iter = timed_batches
    print(json.dumps(timed(stopwatch, lambda: recommender.fit(data))))


def hit_rate(recommender: NeuMF, data: Dataset, queries: dict[str, np.ndarray]) -> float:
    user_Q = np.array([data.uid_map[user] for user in queries["user_id"]])
    # A movie without a training rating is unknown to Cornac: it ranks below all others.
    item_QC = np.array([[data.iid_map.get(i, -1) for i in row] for row in queries["movie_id"]])
    users = torch.from_numpy(user_Q.repeat(item_QC.shape[1]))
    items = torch.from_numpy(item_QC.flatten()).clamp(min=0)
    with torch.no_grad():
        score_QC = recommender.model(users, items).view(item_QC.shape).numpy()
    return hit_rate_of(np.where(item_QC < 0, -np.inf, score_QC))


if __name__ == "__main__":
    sys.argv[2:] or sys.exit("run by benchmarks.training.bench_training")
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
