"""The Lightning datamodule: one data set, split, as batches of tensors.

data = InteractionDataModule(DataConfig(name="ml-1m", ties="hash"))
data.train_dataloader()       # windows of histories, or pairs for a table of users
data.val_dataloader()         # one query a user
"""

from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import item_features, splits
from datamodules.config import DataConfig
from datamodules.loaders import EvalLoader, SequenceWindows, TrainingPairs, rating_bins
from datamodules.splits import Refit, Split
from marquee.core.arrays import Int64, Sizes
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.user_histories import build_histories


class InteractionDataModule(pl.LightningDataModule):
    """Reads, splits and batches one data set, on first use; may raise InputError.

    refit: training reads its own part (`none`), also the `validation` part, or `all` ratings.
    """

    def __init__(self, config: DataConfig, refit: Refit = "none") -> None:
        super().__init__()
        self.config, self.refit = config, refit

    @cached_property
    def dataset(self) -> Dataset:
        config = self.config
        dataset = load_dataset(config.name, config.root)
        if config.ties == "file" and dataset.sha256 != config.sha256:
            raise InputError(
                f"data.ties: file with a copy of {config.name} of sha256 {dataset.sha256}, "
                f"expected the copy of data.sha256 {config.sha256}; set data.ties: hash"
            )
        return dataset

    @cached_property
    def base_split(self) -> Split:
        """The split as the protocol defines it, before any refit."""
        config, dataset = self.config, self.dataset
        histories = build_histories(dataset, config.ties, config.split_seed)
        num_items = len(dataset.movies)
        match config.protocol:
            case "next":
                return splits.split_next(histories, num_items)
            case "time":
                return splits.split_time(histories, num_items, splits.ML_1M_CUT)
            case "new-users":
                return splits.split_new_users(histories, num_items, config.split_seed)
            case "new-movies":
                return splits.split_new_movies(histories, num_items, config.split_seed)
        fold = config.fold
        is_test_N = splits.official_fold(histories, dataset, fold, config.root) if fold else None
        return splits.split_ratings(histories, num_items, config.split_seed, is_test_N)

    @property
    def split(self) -> Split:
        """The split that is trained on: without the excluded users, and with the refit."""
        return self.base_split.exclude_users(self.excluded_users).with_refit(self.refit)

    @cached_property
    def excluded_users(self) -> Int64:
        """Rows of the users that are not trained on: a hundredth of all, at least one."""
        if self.config.without == "nobody":
            return np.zeros(0, np.int64)
        length_U = self.base_split.train_histories.length
        num_users = max(1, len(length_U) // 100)
        if self.config.without == "top":
            return np.argsort(-length_U, kind="stable")[:num_users]
        return np.random.default_rng(self.config.seed).permutation(len(length_U))[:num_users]

    @property
    def random_test(self) -> EvalQueries:
        """The test users of `new-users`, with a random 20% of their movies as targets."""
        split, seed = self.base_split, self.config.split_seed
        return splits.random_holdout(split.all_histories, split.test, seed)

    @cached_property
    def candidates(self) -> Int64:
        """The 99 movies beside each test target of `ncf-paper`, (B, 99), drawn once."""
        return splits.draw_candidates(self.base_split, seed=self.config.split_seed)

    @cached_property
    def valid_candidates(self) -> Int64:
        """The 99 beside each validation target, drawn apart from those of the test."""
        # In `next`, validation and test have the same users in the same order.
        return splits.draw_candidates(self.base_split, seed=self.config.split_seed + 1)

    @cached_property
    def sizes(self) -> Sizes:
        return Sizes(
            num_users=len(self.base_split.all_histories),
            num_items=self.base_split.num_items,
            num_genres=max(1, len(self.dataset.movies.genre_names)),
            num_periods=item_features.NUM_PERIODS,
            num_rating_bins=len(self.dataset.scale),
            text_dim=item_features.TEXT_DIM,
        )

    @property
    def genre_IG(self) -> Tensor:
        """(I, G) float32, multi-hot."""
        return item_features.genre_matrix(self.dataset.movies)

    @property
    def period_I(self) -> Tensor:
        """(I,) int64, row of the release period."""
        return item_features.release_periods(self.dataset.movies)

    @property
    def text_IT(self) -> Tensor:
        """(I, T) float32, features of title and tags."""
        return item_features.title_and_tags(self.dataset, self.split.train_histories)

    @property
    def feature_IF(self) -> Tensor:
        """(I, F) float32, all of these side by side."""
        return item_features.content_vectors(self.genre_IG, self.period_I, self.text_IT)

    @property
    def num_ratings_I(self) -> Tensor:
        """(I,) int64, training ratings of each item."""
        return torch.from_numpy(self.split.train_histories.item_counts(self.split.num_items))

    def train_dataloader(self) -> SequenceWindows | TrainingPairs:
        config, split = self.config, self.split
        if config.user == "id":
            return TrainingPairs(split, config, epoch=self._epoch, **self._processes)
        rating_bin_N = rating_bins(split.train_histories.rating, self.dataset.scale)
        return SequenceWindows(split, rating_bin_N, config, epoch=self._epoch, **self._processes)

    def val_dataloader(self) -> EvalLoader:
        queries, length = self.base_split.valid, self.config.history_length
        if self.config.select_on == "ncf-paper":
            queries = queries.with_candidates(self.valid_candidates)
        return EvalLoader(queries, self.dataset.scale, history_length=length, **self._processes)

    def _epoch(self) -> int:
        # Read when an epoch's iterator is created: on resume, hooks come too late for that.
        return self.trainer.current_epoch if self.trainer else 0

    @property
    def _processes(self) -> dict[str, int]:
        if self.trainer is None:
            return {}
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}
