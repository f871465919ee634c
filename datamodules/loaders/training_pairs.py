"""Training pairs of user and movie with drawn negatives, for networks with a table of users.

Negatives are looked up in a table of one bit per possible pair: 2.8 MB on ml-1m, which stay in the
cache, and .04 ms for 13,000 pairs. Where that table is too large, a binary search in the sorted
pairs takes 1.8 ms and more.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from datamodules.config import DataConfig
from datamodules.loaders.batches import Batch, ResumableBatches
from datamodules.splits.base import Split, training_ratings
from marquee.core.errors import InputError

MAX_TABLE_BYTES = 1 << 26  # half a billion pairs; ml-10m has 0.75 billion and is searched


class TrainingPairs(ResumableBatches):
    """Every training pair once an epoch, with `config.num_negatives` drawn movies.

    Drawn movies are in no training pair of the user; test pairs may be drawn: rejecting them too
    would tell the model which movies are held out (+13% ndcg@10 on ml-1m, all of it a leak). Drawn
    pairs count as targets of a batch, too.
    """

    def __init__(
        self,
        split: Split,
        config: DataConfig,
        *,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(config.seed, epoch, rank, world_size)
        user, item, _ = training_ratings(split)
        self.user_N, self.item_N = torch.from_numpy(user), torch.from_numpy(item)
        without_negatives = np.flatnonzero(split.train_histories.length >= split.num_items)
        if len(without_negatives):
            user_id = split.train_histories.user_id[without_negatives[0]]
            raise InputError(
                f"user {user_id}: all {split.num_items} movies in training, expected at least one "
                "other to draw as a negative; leave that user out"
            )
        num_users = len(split.train_histories)
        self.sampler = NegativeSampler(self.user_N, self.item_N, num_users, split.num_items)
        self.num_negatives = config.num_negatives
        self.positives_per_batch = max(1, config.targets_per_batch // (1 + config.num_negatives))

    def __len__(self) -> int:
        return -(-len(self.user_N) // self.positives_per_batch)

    def batches(self, epoch: int) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = torch.randperm(len(self.user_N), generator=generator)
        if self.rank:
            generator.manual_seed((self.rank * 1_000_003 + self.seed) * 1_000_003 + epoch)
        for rows in map(self.share, order.split(self.positives_per_batch)):
            user_B = self.user_N[rows]
            negatives = self.sampler.sample(user_B.repeat(self.num_negatives), generator)
            item_MB = torch.cat([self.item_N[rows], negatives]).view(-1, len(rows))
            yield {"user_B": user_B, "item_MB": item_MB}


class NegativeSampler:
    """A uniform sampler that rejects the training pairs user_N, item_N, (N,) int64."""

    def __init__(self, user_N: Tensor, item_N: Tensor, num_users: int, num_items: int) -> None:
        self.num_items = num_items
        self.key_N = (user_N * num_items + item_N).sort().values
        num_bytes = num_users * num_items // 8 + 1
        self.bits = self._bit_table(num_bytes) if num_bytes <= MAX_TABLE_BYTES else None

    def sample(self, user_B: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one item for each user, again until it is not a training pair, (B,) int64."""
        item_B = torch.randint(self.num_items, user_B.shape, generator=generator)
        rows = self.is_positive(user_B, item_B).nonzero().squeeze(1)
        while len(rows):
            item_B[rows] = torch.randint(self.num_items, rows.shape, generator=generator)
            rows = rows[self.is_positive(user_B[rows], item_B[rows])]
        return item_B

    def is_positive(self, user_B: Tensor, item_B: Tensor) -> Tensor:
        key_B = user_B * self.num_items + item_B
        if self.bits is not None:
            byte_B = self.bits.index_select(0, key_B >> 3)
            return (byte_B >> (key_B & 7).to(torch.uint8)).bitwise_and_(1).bool()
        slot_B = torch.searchsorted(self.key_N, key_B).clamp(max=len(self.key_N) - 1)
        return self.key_N[slot_B] == key_B

    def _bit_table(self, num_bytes: int) -> Tensor:
        """Return uint8: bit key % 8 of byte key // 8 is set where the pair is a training pair."""
        bits, key_N = np.zeros(num_bytes, np.uint8), self.key_N.numpy()
        np.bitwise_or.at(bits, key_N >> 3, (1 << (key_N & 7)).astype(np.uint8))
        return torch.from_numpy(bits)
