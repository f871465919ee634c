"""The base of training batches, which resume exactly; and the batches of validation queries."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Float32, Int64
from marquee.core.eval_queries import EvalQueries, spans

Batch = dict[str, Tensor]
Rows = TypeVar("Rows", Int64, Tensor)


class ResumableBatches(ABC):
    """An epoch's batches, the same for the same (seed, epoch); resumable.

    Each of several processes (rank, world_size) takes its share of every batch. The number of
    steps, and the examples of a step, are then the same for any number of processes.
    """

    def __init__(self, seed: int, epoch: Callable[[], int], rank: int, world_size: int) -> None:
        self.seed, self.epoch, self.rank, self.world_size = seed, epoch, rank, world_size
        self.position = self.resume_position = (-1, 0)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]: ...

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch()
        resume_epoch, num_done = self.resume_position
        num_skipped = num_done if resume_epoch == epoch else 0
        # Skipped batches are built, too: their random draws precede those of later batches.
        for number, batch in enumerate(self.batches(epoch)):
            if number >= num_skipped:
                self.position = epoch, number + 1
                yield batch

    def share(self, rows: Rows) -> Rows:
        """Return this process's rows of a batch; one row where there are too few for all."""
        own_rows = rows[self.rank :: self.world_size]
        return own_rows if len(own_rows) else rows[self.rank % len(rows)][None]

    def state_dict(self) -> dict[str, int]:
        """Return the epoch and the number of its batches so far, for checkpoints."""
        return {"epoch": self.position[0], "num_batches": self.position[1]}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.resume_position = state["epoch"], state["num_batches"]


def rating_bins(rating_N: Float32, scale: tuple[float, ...]) -> AnyInt:
    """Return 1 + the row of each rating on the scale, (N,); 0 means no rating."""
    bin_N = memmap.zeros(len(rating_N), np.uint8 if len(scale) < 255 else np.uint16)
    if scale:
        for rows in memmap.iter_chunks(len(rating_N)):
            row = np.searchsorted(np.asarray(scale, np.float32), rating_N[rows])
            bin_N[rows] = np.where(np.isnan(rating_N[rows]), 0, 1 + row)
    return bin_N


def pad_rows(value_N: AnyInt, start_B: Int64, length_B: Int64, fill: int) -> Tensor:
    """Return slices [start, start + length) of a column as right-padded rows, int64."""
    row_N, position_N = spans(start_B, length_B)
    padded_BL = np.full((len(start_B), int(length_B.max())), fill, np.int64)
    padded_BL[row_N, position_N - start_B[row_N]] = value_N[position_N]
    return torch.from_numpy(padded_BL)


class EvalLoader:
    """Batches of queries: the last `history_length` entries of contexts, and targets."""

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
        for rows in self.parts:
            queries = self.queries.take(rows)
            length_B = np.minimum(queries.context_length, self.history_length)
            start_B = queries.context_end - length_B
            arrays = {"user_B": queries.user, "length_B": length_B, **queries.ranking_arrays()}
            yield {name: torch.from_numpy(values) for name, values in arrays.items()} | {
                "item_BL": pad_rows(queries.item_N, start_B, length_B, 0),
                "star_BL": pad_rows(self.rating_bin_N, start_B, length_B, 0),
            }
