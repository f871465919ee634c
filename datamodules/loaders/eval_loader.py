"""Batches of validation queries."""

from collections.abc import Iterator

import numpy as np
import torch

from datamodules.loaders.batches import Batch, pad_rows, rating_bins
from marquee.core.arrays import Int64
from marquee.core.eval_queries import EvalQueries


class EvalLoader:
    """Batches of validation queries.

    A batch holds the latest entries of each context, and the items that are ranked. scale: the
    ratings that a user can give. history_length: longest context that is shown.
    """

    def __init__(
        self,
        queries: EvalQueries,
        scale: tuple[float, ...],
        *,
        history_length: int,
        batch_size: int = 256,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.queries, self.history_length = queries, history_length
        self.rating_bin_N = rating_bins(queries.rating_N, scale)
        # Longest first: the peak of memory comes at once, and neighbours share a length.
        order = np.argsort(-queries.context_length)[rank::world_size]
        self.parts = np.array_split(order, max(1, -(-len(order) // batch_size)))

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.batch, self.parts)

    def batch(self, rows: Int64) -> Batch:
        """Return the batch of some queries."""
        queries = self.queries.take(rows)
        length_B = np.minimum(queries.context_length, self.history_length)
        start_B = queries.context_end - length_B
        arrays = {"user_B": queries.user, "length_B": length_B, **queries.ranking_arrays()}
        return {name: torch.from_numpy(values) for name, values in arrays.items()} | {
            "item_BL": pad_rows(queries.item_N, start_B, length_B, 0),
            "star_BL": pad_rows(self.rating_bin_N, start_B, length_B, 0),
        }
