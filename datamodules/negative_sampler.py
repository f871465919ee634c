"""Which pairs of person and movie are trained on, asked for every movie that is drawn.

    known = Positives(user_N, item_N, num_users, num_items)
    known.contain(user, item)      # bool, for each user and item

A bit for every pair that could be: 2.8 MB on ml-1m, which stay in the cache, and .04 ms for 13,000
questions. Where that table is too large, a search in the sorted list of the pairs, 1.8 ms and more.
"""

import numpy as np
import torch
from torch import Tensor

MAX_TABLE_BYTES = 1 << 26
"""Half a billion pairs; ml-10m has 0.75 billion and is searched."""


class Positives:
    def __init__(self, user_N: Tensor, item_N: Tensor, num_users: int, num_items: int) -> None:
        self.num_items = num_items
        self.key_N = (user_N * num_items + item_N).sort().values
        num_bytes = num_users * num_items // 8 + 1
        self.bits = self.table(num_bytes) if num_bytes <= MAX_TABLE_BYTES else None

    def table(self, num_bytes: int) -> Tensor:
        """uint8: bit key % 8 of byte key // 8 is set where the pair is trained on."""
        bits, key_N = np.zeros(num_bytes, np.uint8), self.key_N.numpy()
        np.bitwise_or.at(bits, key_N >> 3, (1 << (key_N & 7)).astype(np.uint8))
        return torch.from_numpy(bits)

    def contain(self, user: Tensor, item: Tensor) -> Tensor:
        key = user * self.num_items + item
        if self.bits is not None:
            byte = self.bits.index_select(0, key >> 3)
            return (byte >> (key & 7).to(torch.uint8)).bitwise_and_(1).bool()
        slot = torch.searchsorted(self.key_N, key).clamp(max=len(self.key_N) - 1)
        return self.key_N[slot] == key
