"""Training windows of user histories: every entry of a window has a target."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from datamodules.config import DataConfig
from datamodules.loaders.batches import Batch, ResumableBatches, pad_rows
from datamodules.splits.base import Split
from datamodules.user_features import UserFeatures
from marquee.core import memmap
from marquee.core.arrays import AnyInt, Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import spans


class SequenceWindows(ResumableBatches):
    """Histories in windows of at most L entries, with a target after each entry.

    One pass over a window trains L targets. Windows of similar length share a batch, so that it
    has little padding. The cuts of a long history move from epoch to epoch. The settings of
    `config` count all processes together.
    """

    def __init__(
        self,
        split: Split,
        rating_bin_N: AnyInt,
        config: DataConfig,
        user_features: UserFeatures | None = None,
        *,
        epoch: Callable[[], int],
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        super().__init__(config.seed, epoch, rank, world_size)
        self.histories, self.rating_bin_N, self.config = split.train_histories, rating_bin_N, config
        self.user_features = user_features
        self.targets_U = np.maximum(self.histories.length - 1, 0)
        self.num_targets = int(self.targets_U.sum())
        if self.num_targets == 0:
            raise InputError(
                "training: no user has two interactions, expected at least one who has, as the "
                "first has no target before it; add interactions"
            )
        # Two windows at least, or a batch might find no window that ends in its share of targets.
        targets = max(config.targets_per_batch, 2 * config.history_length)
        self.num_batches = max(1, round(self.num_targets / targets))

    def __len__(self) -> int:
        return self.num_batches

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        item_N, rating_bin_N = self.histories.item, self.rating_bin_N
        if self.config.shuffled:
            item_N, rating_bin_N = self._shuffle(rng)
        user, start, length = self._cut(rng)
        order = np.argsort(length + rng.random(len(length)), kind="stable")
        middle = np.cumsum(length[order]) - length[order] / 2
        group = (middle * self.num_batches / self.num_targets).astype(np.int64)
        parts = np.split(order, np.searchsorted(group, np.arange(1, self.num_batches)))
        numbers = rng.permutation(self.num_batches)
        if self.rank:
            rng = np.random.default_rng([self.seed, epoch, self.rank])
        for number in numbers:
            rows = self.share(parts[number])
            user_B, length_B = user[rows], length[rows]
            first_B = self.histories.indptr[user_B]
            start_B = first_B + start[rows]
            row_N, position_N = spans(first_B, self.histories.length[user_B])
            rating_bin_BL = pad_rows(rating_bin_N, start_B, length_B, 0)
            # A served history may carry no ratings: some rows learn to do without.
            rating_bin_BL[torch.from_numpy(rng.random(len(user_B)) < self.config.star_dropout)] = 0
            batch = {
                "item_BL": pad_rows(item_N, start_B, length_B, 0),
                "star_BL": rating_bin_BL,
                "target_BL": self._targets(item_N, user_B, start_B, length_B, rng),
                "positive_row_N": torch.from_numpy(row_N),
                "positive_item_N": torch.from_numpy(
                    self.histories.item[position_N].astype(np.int64)
                ),
            }
            if self.user_features is not None:
                batch["user_BX"] = self.user_features.rows(user_B)
            yield batch

    def _cut(self, rng: np.random.Generator) -> tuple[Int64, Int64, Int64]:
        """Return user, first entry and number of targets of every window of an epoch."""
        targets_U, L = self.targets_U, self.config.history_length
        # A long history starts with a piece of random length; whole windows and a shorter follow.
        head_U = np.where(targets_U > L, rng.integers(1, L + 1, len(targets_U)), targets_U)
        num_pieces_U = np.where(targets_U > 0, 1 + -(-(targets_U - head_U) // L), 0)
        user, piece = spans(np.zeros_like(num_pieces_U), num_pieces_U)
        start = np.where(piece == 0, 0, head_U[user] + (piece - 1) * L)
        length = np.where(piece == 0, head_U[user], np.minimum(L, targets_U[user] - start))
        return user, start, length

    def _shuffle(self, rng: np.random.Generator) -> tuple[AnyInt, AnyInt]:
        """Return the entries with each user's in a new random order, ratings with their movies."""
        item_N = memmap.zeros(len(self.histories.item), self.histories.item.dtype)
        rating_bin_N = memmap.zeros(len(item_N), self.rating_bin_N.dtype)
        for rows, user in self.histories.iter_chunks():
            order = np.lexsort((rng.random(len(user)), user))
            item_N[rows] = self.histories.item[rows][order]
            rating_bin_N[rows] = self.rating_bin_N[rows][order]
        return item_N, rating_bin_N

    def _targets(
        self,
        item_N: AnyInt,
        user_B: Int64,
        start_B: Int64,
        length_B: Int64,
        rng: np.random.Generator,
    ) -> Tensor:
        """Return one of the `horizon` entries after each entry, or of as many as there are."""
        if self.config.horizon == 1:
            return pad_rows(item_N, start_B + 1, length_B, -1)
        row_N, position_N = spans(start_B, length_B)
        end_B = self.histories.indptr[user_B + 1]
        ahead_N = np.minimum(self.config.horizon, end_B[row_N] - 1 - position_N)
        target_BL = np.full((len(start_B), int(length_B.max())), -1, np.int64)
        drawn_N = position_N + 1 + (rng.random(len(row_N)) * ahead_N).astype(np.int64)
        target_BL[row_N, position_N - start_B[row_N]] = item_N[drawn_N]
        return torch.from_numpy(target_BL)
