"""NeuMF as everybody writes it first, timed: an item-wise Dataset, a DataLoader, Adam. A child of
bench_training.py. Prints one line of JSON.

    python benchmarks/plain_loop.py FOLDER '{"batch_size": 256, "steps": 20, …}'

FOLDER holds train.npz, the training pairs of our split. Negatives are drawn example by example in
`__getitem__`, against a set of the person's training movies.
"""

import json
import random
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from meter import Meter, hit_rate_of, timed
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset


class Examples(Dataset[tuple[int, int, float]]):
    def __init__(self, user_N: np.ndarray, item_N: np.ndarray, num_negatives: int) -> None:
        self.user, self.item = user_N.tolist(), item_N.tolist()
        self.num_items, self.per_pair = int(item_N.max()) + 1, 1 + num_negatives
        self.seen: list[set[int]] = [set() for _ in range(max(self.user) + 1)]
        for user, item in zip(self.user, self.item, strict=True):
            self.seen[user].add(item)

    def __len__(self) -> int:
        return self.per_pair * len(self.user)

    def __getitem__(self, index: int) -> tuple[int, int, float]:
        pair, drawn = divmod(index, self.per_pair)
        user = self.user[pair]
        if drawn == 0:
            return user, self.item[pair], 1.0
        item = random.randrange(self.num_items)
        while item in self.seen[user]:
            item = random.randrange(self.num_items)
        return user, item, 0.0


class NeuMF(nn.Module):
    def __init__(self, users: int, items: int, factors: int, hidden_dims: list[int]) -> None:
        super().__init__()
        self.user_gmf, self.user_mlp = nn.Embedding(users, factors), nn.Embedding(users, factors)
        self.item_gmf, self.item_mlp = nn.Embedding(items, factors), nn.Embedding(items, factors)
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
    torch.manual_seed(0)
    random.seed(0)
    pairs = np.load(folder / "train.npz")
    user_id, user_N = np.unique(pairs["user_id"], return_inverse=True)
    movie_id, item_N = np.unique(pairs["movie_id"], return_inverse=True)
    examples = Examples(user_N, item_N, options["num_negatives"])
    loader = DataLoader(examples, options["batch_size"], shuffle=True)
    model = NeuMF(len(user_id), len(movie_id), options["factors"], options["hidden_dims"])
    optimizer = torch.optim.Adam(model.parameters(), lr=options["lr"])
    loss_of = nn.BCEWithLogitsLoss()

    def train() -> None:
        while not meter.ended:
            for user, item, label in meter.over(loader, lambda batch: len(batch[0])):
                optimizer.zero_grad()
                loss = loss_of(model(user, item), label.float())
                loss.backward()
                optimizer.step()

    def figure() -> float:
        questions = np.load(folder / "questions.npz")
        user_Q, item_QC = (questions[name] for name in ("user_id", "movie_id"))
        row_QC = np.searchsorted(movie_id, item_QC).clip(max=len(movie_id) - 1)
        users = torch.from_numpy(np.searchsorted(user_id, user_Q).repeat(item_QC.shape[1]))
        with torch.no_grad():
            score_QC = model(users, torch.from_numpy(row_QC.flatten())).view(item_QC.shape).numpy()
        # A movie without a training rating has no row: it stands below all others.
        return hit_rate_of(np.where(movie_id[row_QC] == item_QC, score_QC, -np.inf))

    meter = Meter(options, figure)
    print(json.dumps(timed(meter, train)))


if __name__ == "__main__":
    sys.argv[2:] or sys.exit("run by benchmarks/bench_training.py")
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
