"""The base of training batches, which resume exactly, and the cutting of arrays into rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Float32, Int64
from marquee.core.eval_queries import spans

Batch = dict[str, Tensor]
Rows = TypeVar("Rows", Int64, Tensor)


class ResumableBatches(ABC):
    """An epoch's batches, the same for the same (seed, epoch).

    A stopped epoch can be resumed. rank, world_size: each of several processes takes its share of
    every batch. The number of steps, and the examples of a step, are then the same for any number
    of processes.
    """

    def __init__(self, seed: int, epoch: Callable[[], int], rank: int, world_size: int) -> None:
        self.seed, self.epoch, self.rank, self.world_size = seed, epoch, rank, world_size
        self.position = self.resume_position = (-1, 0)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield all batches of an epoch."""

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
        """Return the epoch and the number of its batches so far.

        Lightning stores them in its checkpoints.
        """
        epoch, num_batches = self.position
        return {"epoch": epoch, "num_batches": num_batches}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Resume behind the batches of `state_dict`."""
        self.resume_position = state["epoch"], state["num_batches"]


def rating_bins(rating_N: Float32, scale: tuple[float, ...]) -> npt.NDArray[np.uint8]:
    """Return 1 + the row of each rating on the scale, (N,).

    0 is reserved for "no rating".
    """
    bin_N = memmap.zeros(len(rating_N), np.uint8)
    for rows in memmap.iter_chunks(len(rating_N)):
        bin_N[rows] = 1 + np.searchsorted(np.asarray(scale, np.float32), rating_N[rows])
    return bin_N


def pad_rows(value_N: AnyInt, start_B: Int64, length_B: Int64, fill: int) -> Tensor:
    """Return slices of a column as the rows of one int64 array, right-padded.

    A row holds the entries of [start, start + length).
    """
    row_N, position_N = spans(start_B, length_B)
    padded_BL = np.full((len(start_B), int(length_B.max())), fill, np.int64)
    padded_BL[row_N, position_N - start_B[row_N]] = value_N[position_N]
    return torch.from_numpy(padded_BL)
