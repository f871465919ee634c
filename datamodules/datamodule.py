"""The Lightning datamodule: one data set, split, as batches of tensors.

data = InteractionDataModule(DataConfig(name="ml-1m", ties="hash"))
data.train_dataloader()       # windows of histories, or pairs for a table of users
data.val_dataloader()         # one query a user
"""

from dataclasses import replace
from functools import cache, cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from datamodules import item_features, splits
from datamodules.config import DataConfig
from datamodules.feature_fitting import EncodedRows
from datamodules.loaders import EvalLoader, SequenceWindows, TrainingPairs, rating_bins
from datamodules.splits import Refit, Split
from datamodules.text_features import TEXT_DIM, title_and_tags
from datamodules.user_features import UserFeatures
from marquee.core.arrays import Float32, Int64, Sizes
from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.core.feature_encodings import (
    CategoryEncoding,
    Encoding,
    FeatureSpace,
    TextEncoding,
)
from marquee.core.word_vectors import WordVectors
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.history_order import build_histories
from marquee.data.user_histories import UserHistories

USER_SAMPLE = 1  # of the seeds of a split, that of the sample of users
say_once = cache(say)  # of one process, which may read a data set several times


class InteractionDataModule(pl.LightningDataModule):
    """Reads, splits and batches one data set, on first use; may raise InputError.

    refit: training reads its own part (`none`), also the `validation` part, or `all` ratings.
    """

    def __init__(self, config: DataConfig, refit: Refit = "none") -> None:
        super().__init__()
        self.config, self.refit = config, refit
        self._text_of: tuple[Refit, tuple[Float32, WordVectors]] | None = None

    @cached_property
    def dataset(self) -> Dataset:
        return load_dataset(self.config.name, self.config.root)

    @cached_property
    def base_split(self) -> Split:
        """The split as the protocol defines it, before any refit."""
        config, dataset = self.config, self.dataset
        splits.check_requirements(dataset, config.protocol)
        histories = build_histories(dataset, self.order_config.ties, config.split_seed)
        if config.user_share < 1:
            histories = sampled_users(histories, config.user_share, config.split_seed)
        num_items = dataset.num_items
        match config.protocol:
            case "next":
                return splits.split_next(histories, num_items)
            case "time":
                cut = splits.time_cut(histories, config.cut, dataset.name)
                return splits.split_time(histories, num_items, cut)
            case "new-users":
                return splits.split_new_users(histories, num_items, config.split_seed)
            case "new-movies":
                return splits.split_new_movies(histories, num_items, config.split_seed)
            case "fixed":
                return splits.split_fixed(histories, num_items, dataset.name, config.split_seed)
        fold = config.fold
        is_test_N = splits.official_fold(histories, dataset, fold, config.root) if fold else None
        return splits.split_ratings(histories, num_items, config.split_seed, is_test_N)

    @property
    def has_order(self) -> bool:
        """True if histories are oldest first; else their order is drawn and says nothing."""
        return splits.has_order(self.dataset)

    @cached_property
    def order_config(self) -> DataConfig:
        """The settings, with the order of histories drawn where the data set has none."""
        if self.has_order:
            return self.config
        if not self.config.shuffled:
            say_once(
                f"{self.config.name} has no times and no order: each epoch reads histories in "
                "another random order (data.shuffled true)"
            )
        return replace(self.config, shuffled=True, ties="hash")

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

    @property
    def valid_queries(self) -> EvalQueries:
        """The queries by which validation chooses the epoch."""
        queries = self.base_split.valid
        if self.config.select_on == "ncf-paper":
            queries = queries.with_candidates(self.valid_candidates)
        return queries

    @cached_property
    def scale(self) -> tuple[float, ...]:
        """Return the ratings that users can give; () where all are the same."""
        scale = self.dataset.scale
        return scale if len(scale) > 1 else ()

    @cached_property
    def sizes(self) -> Sizes:
        encodings, rows = self._data_features
        tables = [each.num_rows for each in encodings if isinstance(each, CategoryEncoding)]
        return Sizes(
            num_users=len(self.base_split.all_histories),
            num_items=self.base_split.num_items,
            num_genres=max(1, len(self.genre_names)),
            num_periods=item_features.NUM_PERIODS,
            num_rating_bins=len(self.scale),
            text_dim=TEXT_DIM,
            num_item_values=sum(tables),
            values_per_item=rows.value_RW.shape[1],
            dense_dim=rows.dense_RX.shape[1],
            user_feature_dim=self.user_features.matrix_UX.shape[1],
        )

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        return item_features.genre_names(self.dataset.movies, self.dataset.num_items)

    @cached_property
    def user_features(self) -> UserFeatures:
        features = self.dataset.user_features if self.config.user_features else ()
        return UserFeatures(features, len(self.dataset.histories))

    @property
    def item_content(self) -> dict[str, Tensor]:
        """Return the attributes of all items; those without interactions come last."""
        text_IT, _ = self._text
        _, rows = self._data_features
        return item_features.item_content(self.dataset, self.genre_names, text_IT, rows)

    @property
    def feature_space(self) -> FeatureSpace:
        """Return the attributes of items and users, as the serving process reads them."""
        _, words = self._text
        return FeatureSpace(
            genres=self.genre_names,
            title=TextEncoding(name="title", words=words),
            item=self._data_features[0],
            user=self.user_features.encodings,
        )

    @property
    def _text(self) -> tuple[Float32, WordVectors]:
        if self._text_of is None or self._text_of[0] != self.refit:
            text = title_and_tags(self.dataset, self.split.train_histories)
            self._text_of = (self.refit, text)
        return self._text_of[1]

    @cached_property
    def _data_features(self) -> tuple[tuple[Encoding, ...], EncodedRows]:
        return item_features.data_features(self.dataset)

    @property
    def num_ratings_I(self) -> Tensor:
        """(I,) int64, training ratings of each item."""
        return torch.from_numpy(self.split.train_histories.item_counts(self.split.num_items))

    def train_dataloader(self) -> SequenceWindows | TrainingPairs:
        config, split = self.order_config, self.split
        if config.user == "id":
            return TrainingPairs(split, config, epoch=self._epoch, **self._processes)
        rating_bin_N = rating_bins(split.train_histories.rating, self.scale)
        features = self.user_features if len(self.user_features) else None
        return SequenceWindows(
            split, rating_bin_N, config, features, epoch=self._epoch, **self._processes
        )

    def val_dataloader(self) -> EvalLoader:
        length = self.config.history_length
        return EvalLoader(self.valid_queries, self.scale, history_length=length, **self._processes)

    def _epoch(self) -> int:
        # Read when an epoch's iterator is created: on resume, hooks come too late for that.
        return self.trainer.current_epoch if self.trainer else 0

    @property
    def _processes(self) -> dict[str, int]:
        if self.trainer is None:
            return {}
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}


def sampled_users(histories: UserHistories, share: float, seed: int) -> UserHistories:
    """Return the histories of a random share of the users; the others have empty ones."""
    is_sampled_U = np.random.default_rng([seed, USER_SAMPLE]).random(len(histories)) < share
    if not is_sampled_U.any():
        raise InputError(f"data.user_share: {share} of {len(histories):,} users is none of them")
    mask_N = np.zeros(len(histories.item), dtype=bool)
    for rows, user in histories.iter_chunks():
        mask_N[rows] = is_sampled_U[user]
    return histories.filter(mask_N)
