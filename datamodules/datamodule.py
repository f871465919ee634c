"""The Lightning datamodule: one data set, split, as batches of tensors.

    data = InteractionDataModule(DataConfig(name="ml-1m", ties="hash"))
    data.sizes                    # table sizes for the network, read off the data
    data.train_dataloader()       # windows of histories, or pairs for a table of users
    data.val_dataloader()         # one query a user

ml-1m is read and split in 1 s and takes 70 MB: the file's table, all histories, and their training
part.
"""

from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import item_features
from datamodules.config import DataConfig
from datamodules.loaders import EvalLoader, SequenceWindows, TrainingPairs, rating_bins
from datamodules.splits import (
    ML_1M_CUT,
    Refit,
    Split,
    draw_candidates,
    official_fold,
    random_holdout,
    split_new_movies,
    split_new_users,
    split_next,
    split_ratings,
    split_time,
)
from marquee.core.arrays import Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.sizes import Sizes
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.user_histories import build_histories


class InteractionDataModule(pl.LightningDataModule):
    """Reads, splits and batches one data set, on first use.

    config: its settings. refit: the ratings that training reads: `none` the training part,
    `validation` also the validation part, `all` everything.
    Raises InputError for anything wrong with the data.
    """

    def __init__(self, config: DataConfig, refit: Refit = "none") -> None:
        super().__init__()
        self.config, self.refit = config, refit

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, read and checked."""
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
        config = self.config
        histories = build_histories(self.dataset, config.ties, config.split_seed)
        num_items = len(self.dataset.movies)
        match config.protocol:
            case "time":
                return split_time(histories, num_items, ML_1M_CUT)
            case "new-users":
                return split_new_users(histories, num_items, config.split_seed)
            case "new-movies":
                return split_new_movies(histories, num_items, config.split_seed)
            case "stars":
                fold = config.fold
                is_test_N = (
                    official_fold(histories, self.dataset, fold, config.root) if fold else None
                )
                return split_ratings(histories, num_items, config.split_seed, is_test_N)
            case "next":
                return split_next(histories, num_items)

    @property
    def split(self) -> Split:
        """The split that is trained on: without the excluded users, and with the refit."""
        return self.base_split.exclude_users(self.excluded_users).with_refit(self.refit)

    @cached_property
    def excluded_users(self) -> Int64:
        """Rows of the users that are not trained on: a hundredth of all, at least one."""
        if self.config.without == "nobody":
            return np.zeros(0, np.int64)
        length_U = self.base_split.train_length
        num_users = max(1, len(length_U) // 100)
        if self.config.without == "top":
            return np.argsort(-length_U, kind="stable")[:num_users]
        return np.random.default_rng(self.config.seed).permutation(len(length_U))[:num_users]

    @property
    def random_test(self) -> EvalQueries:
        """The test users of `new-users`, with a random 20% of their movies as targets."""
        split = self.base_split
        return random_holdout(split.all_histories, split.test, self.config.split_seed)

    @cached_property
    def candidates(self) -> Int64:
        """The 99 movies beside each test target of `ncf-paper`, (B, 99), drawn once."""
        return draw_candidates(self.base_split, seed=self.config.split_seed)

    @cached_property
    def valid_candidates(self) -> Int64:
        """The 99 movies beside each validation target, (B, 99).

        They are drawn apart, so that nothing is chosen on the test's candidates. In `next`,
        validation and test have the same users in the same order.
        """
        return draw_candidates(self.base_split, seed=self.config.split_seed + 1)

    @cached_property
    def sizes(self) -> Sizes:
        """The sizes of the network's tables."""
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
        """(I, F) float32, all content side by side."""
        return item_features.content_vectors(self.genre_IG, self.period_I, self.text_IT)

    @property
    def num_ratings_I(self) -> Tensor:
        """(I,) int64, training ratings of each item."""
        return torch.from_numpy(self.split.train_histories.item_counts(self.split.num_items))

    def train_dataloader(self) -> SequenceWindows | TrainingPairs:
        """Return the training batches of the user representation `config.user`."""
        config, split = self.config, self.split
        if config.user == "id":
            return TrainingPairs(
                split,
                num_negatives=config.num_negatives,
                batch_size=config.targets_per_batch,
                seed=config.seed,
                epoch=self._epoch,
                rank=self._rank,
                world_size=self._world_size,
            )
        return SequenceWindows(
            split,
            rating_bins(split.train_histories.rating, self.dataset.scale),
            config,
            epoch=self._epoch,
            rank=self._rank,
            world_size=self._world_size,
        )

    def val_dataloader(self) -> EvalLoader:
        """Return the batches of the validation queries."""
        queries = self.base_split.valid
        if self.config.select_on == "ncf-paper":
            queries = queries.with_candidates(self.valid_candidates)
        return EvalLoader(
            queries,
            self.dataset.scale,
            history_length=self.config.history_length,
            rank=self._rank,
            world_size=self._world_size,
        )

    def _epoch(self) -> int:
        # Read when an epoch's iterator is created: on resume, hooks come too late for that.
        return self.trainer.current_epoch if self.trainer else 0

    @property
    def _rank(self) -> int:
        return self.trainer.global_rank if self.trainer else 0

    @property
    def _world_size(self) -> int:
        return self.trainer.world_size if self.trainer else 1
