"""Time NeuMF in its usual first form: an example-wise Dataset, a DataLoader, Adam.

A child of bench_training.py. Prints one line of JSON.

    python -m benchmarks.training.pytorch_steps FOLDER '{"batch_size": 256, "steps": 20, …}'

FOLDER holds train.npz, the training pairs of our split. Negatives are drawn example by example in
`__getitem__`, against a set of the user's training items.
"""

import json
import random
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.training.stopwatch import Stopwatch, hit_rate_of, timed


class Examples(Dataset[tuple[int, int, float]]):
    """Watched pairs with label 1, each followed by drawn ones with label 0."""

    def __init__(self, user_N: np.ndarray, item_N: np.ndarray, num_negatives: int) -> None:
        self.user, self.item = user_N.tolist(), item_N.tolist()
        self.num_items, self.per_pair = int(item_N.max()) + 1, 1 + num_negatives
        self.seen: list[set[int]] = [set() for _ in range(max(self.user) + 1)]
        for user, item in zip(self.user, self.item, strict=True):
            self.seen[user].add(item)

    def __len__(self) -> int:
        return self.per_pair * len(self.user)

    def __getitem__(self, index: int) -> tuple[int, int, float]:
        pair, place = divmod(index, self.per_pair)
        user = self.user[pair]
        if place == 0:
            return user, self.item[pair], 1.0
        item = random.randrange(self.num_items)
        while item in self.seen[user]:
            item = random.randrange(self.num_items)
        return user, item, 0.0


class NeuMF(nn.Module):
    """He et al. 2017, as published."""

    def __init__(
        self, num_users: int, num_items: int, factors: int, hidden_dims: list[int]
    ) -> None:
        super().__init__()
        self.user_gmf = nn.Embedding(num_users, factors)
        self.user_mlp = nn.Embedding(num_users, factors)
        self.item_gmf = nn.Embedding(num_items, factors)
        self.item_mlp = nn.Embedding(num_items, factors)
        for table in (self.user_gmf, self.user_mlp, self.item_gmf, self.item_mlp):
            nn.init.normal_(table.weight, std=0.01)
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise([2 * factors, *hidden_dims]):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
        self.mlp = nn.Sequential(*layers)
        self.out = nn.Linear(factors + hidden_dims[-1], 1)

    def forward(self, user: Tensor, item: Tensor) -> Tensor:
        gmf = self.user_gmf(user) * self.item_gmf(item)
        mlp = self.mlp(torch.cat([self.user_mlp(user), self.item_mlp(item)], -1))
        return self.out(torch.cat([gmf, mlp], -1)).squeeze(-1)


def main(folder: Path, options: dict[str, Any]) -> None:
    """Train for the steps of the options and print the answer of the stopwatch."""
    torch.manual_seed(0)
    random.seed(0)
    pairs = np.load(folder / "train.npz")
    user_id, user_N = np.unique(pairs["user_id"], return_inverse=True)
    movie_id, item_N = np.unique(pairs["movie_id"], return_inverse=True)
    examples = Examples(user_N, item_N, options["num_negatives"])
    loader = DataLoader(examples, options["batch_size"], shuffle=True)
    model = NeuMF(len(user_id), len(movie_id), options["factors"], options["hidden_dims"])
    optimizer = torch.optim.Adam(model.parameters(), lr=options["lr"])
    bce = nn.BCEWithLogitsLoss()

    def train() -> None:
        while not stopwatch.ended:
            for user, item, label in stopwatch.over(loader, lambda batch: len(batch[0])):
                optimizer.zero_grad()
                loss = bce(model(user, item), label.float())
                loss.backward()
                optimizer.step()

    def hit_rate() -> float:
        queries = np.load(folder / "queries.npz")
        user_B, item_BC = (queries[name] for name in ("user_id", "movie_id"))
        row_BC = np.searchsorted(movie_id, item_BC).clip(max=len(movie_id) - 1)
        users = torch.from_numpy(np.searchsorted(user_id, user_B).repeat(item_BC.shape[1]))
        with torch.no_grad():
            score_BC = model(users, torch.from_numpy(row_BC.flatten())).view(item_BC.shape).numpy()
        # An item without a training rating has no row: it ranks below all others.
        return hit_rate_of(np.where(movie_id[row_BC] == item_BC, score_BC, -np.inf))

    stopwatch = Stopwatch(options, hit_rate)
    print(json.dumps(timed(stopwatch, train)))


if __name__ == "__main__":
    sys.argv[2:] or sys.exit("run by benchmarks.training.bench_training")
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
