"""Draw movies that are in no training pair of a user.

    sampler = NegativeSampler(user_N, item_N, num_users, num_items)
    sampler.sample(user_B, generator)              # one item for each user
    sampler.is_positive(user_B, item_B)            # bool, for each user and item

A table has one bit per possible pair: 2.8 MB on ml-1m, which stay in the cache, and .04 ms for
13,000 pairs. Where that table is too large, a binary search in the sorted pairs takes 1.8 ms and
more.
"""

import numpy as np
import torch
from torch import Tensor

MAX_TABLE_BYTES = 1 << 26
"""Half a billion pairs; ml-10m has 0.75 billion and is searched."""


class NegativeSampler:
    """A uniform sampler that rejects training pairs.

    user_N, item_N: (N,) int64, those pairs.
    """

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
        """Return whether each pair is a training pair, (B,) bool."""
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
