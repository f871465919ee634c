"""The Lightning datamodule: one MovieLens data set, split, as ready batches.

    data = MovieLens("ml-1m", protocol="next", ties="file")
    data.sizes                    # table sizes for the network, read off the data
    data.train_dataloader()       # windows of histories, or pairs for the classic user
    data.val_dataloader()         # one case a person

ml-1m is read and split in 1 s and takes 70 MB: the file's table, everybody's histories, and the
part of them that is trained on.
"""

from functools import cached_property
from typing import Literal

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from datamodules.loaders import EvalLoader, Pairs, SequenceWindows, spans, star_rows
from datamodules.splits.cold_start import random_holdout, split_new_movies, split_new_users
from datamodules.splits.leave_one_out import (
    ML_1M_CUT,
    Questions,
    Refit,
    Split,
    draw_candidates,
    split_next,
    split_time,
)
from datamodules.splits.rating_holdout import official_fold, split_stars
from datamodules.text_features import text_features
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.interactions import Ties, build_histories

PERIOD_YEARS = 5
FIRST_YEAR = 1900
NUM_PERIODS = 2 + (2030 - FIRST_YEAR) // PERIOD_YEARS
"""Row 0: year unknown; then five years a row, years outside 1900 to 2034 at the ends."""
TEXT_DIM = 64
"""Directions kept of title and tags."""

ProtocolName = Literal["next", "time", "new-users", "new-movies", "stars"]
LeftOut = Literal["nobody", "top", "random"]
MONITORS: dict[str, str] = {
    "next": "val/ndcg@10",
    "time": "val/ndcg@10",
    "new-users": "val/ndcg@100",
    "new-movies": "val/auc",
    "stars": "val/ndcg@100",  # of the ranking beside the stars; it asks for the hidden ratings
}
"""By protocol, the figure that validation chooses by."""


class InteractionDataModule(pl.LightningDataModule):
    """Reads, splits and feeds one data set.

    name: a data set of `marquee.data.sources`. root: the folder that holds it, else DATA_ROOT.
    protocol: `next` (also trains `ncf-paper`), `time`, `new-users`, `new-movies` or `stars`. fold:
    for `stars` on ml-100k, 1 to 5 asks for its file u1.test to u5.test. ties: how equal timestamps
    are ordered; `file` needs sha256, the fingerprint of the copy it holds for.
    targets_per_batch: questions a step; twice as many, half the steps an epoch. num_negatives:
    drawn movies per watched one, for pairs. star_dropout: share of histories shown without their
    stars. horizon: a target is drawn from the next so many entries; 1 asks for the very next, many
    for what is watched sometime. shuffled: training sees each history in random order, to measure
    what order is worth. select_on: what validation ranks, all unseen movies or 99 drawn ones.
    without: one person of a hundred is left out of training, the busiest or any, to
    measure their influence.
    split_seed: of the tie hash, of who or what is held out and of the drawn candidates; all
    training seeds share one split.
    user, history_length and seed are linked to the network's and the run's. The attribute `refit`
    is set by code alone: `none` trains on the training part, `validation` takes the validation
    movies in, `all` everything.
    Raises InputError for anything wrong with the data.
    """

    def __init__(
        self,
        name: str,
        root: str | None = None,
        protocol: ProtocolName = "next",
        ties: Ties = "hash",
        targets_per_batch: int = 8192,
        num_negatives: int = 4,
        star_dropout: float = 0.1,
        horizon: int = 1,
        shuffled: bool = False,
        select_on: Literal["next", "ncf-paper"] = "next",
        user: Literal["history", "id"] = "history",
        history_length: int = 200,
        seed: int = 0,
        split_seed: int = 0,
        fold: int = 0,
        without: LeftOut = "nobody",
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        if min(targets_per_batch, num_negatives, horizon) < 1:
            raise InputError(
                "data.targets_per_batch, data.num_negatives and data.horizon: needed at least 1"
            )
        if not 0 <= star_dropout <= 1:
            raise InputError(f"data.star_dropout {star_dropout}: needed 0 to 1")
        if select_on == "ncf-paper" and protocol != "next":
            raise InputError(f"data.select_on ncf-paper needs data.protocol next, not {protocol}")
        if user == "id" and protocol.startswith("new-"):
            raise InputError(
                f"data.protocol {protocol} with model.network.user id: a table of people knows "
                "nobody new and no new movie; set user: history"
            )
        self.refit: Refit = "none"
        self.data_name, self.root, self.protocol, self.ties = name, root, protocol, ties
        self.targets_per_batch, self.num_negatives = targets_per_batch, num_negatives
        self.star_dropout, self.split_seed, self.sha256 = star_dropout, split_seed, sha256
        self.select_on, self.user = select_on, user
        if fold and protocol != "stars":
            raise InputError(f"data.fold {fold} with data.protocol {protocol}: folds are of stars")
        self.fold = fold
        self.horizon, self.shuffled, self.without = horizon, shuffled, without
        self.history_length, self.seed = history_length, seed

    @cached_property
    def dataset(self) -> Dataset:
        dataset = load_dataset(self.data_name, self.root)
        if self.ties == "file" and dataset.sha256 != self.sha256:
            raise InputError(
                f"data.ties: file holds for the copy of {self.data_name} with data.sha256 "
                f"{self.sha256}, but the one found has {dataset.sha256}; set data.ties: hash"
            )
        return dataset

    @cached_property
    def plain_split(self) -> Split:
        """The split as the protocol defines it, before any refit."""
        histories = build_histories(self.dataset, self.ties, self.split_seed)
        num_items = len(self.dataset.movies)
        if self.protocol == "time":
            return split_time(histories, num_items, ML_1M_CUT)
        if self.protocol == "new-users":
            return split_new_users(histories, num_items, self.split_seed)
        if self.protocol == "new-movies":
            return split_new_movies(histories, num_items, self.split_seed)
        if self.protocol == "stars":
            is_test_N = None
            if self.fold:
                is_test_N = official_fold(histories, self.dataset, self.fold, self.root)
            return split_stars(histories, num_items, self.split_seed, is_test_N)
        return split_next(histories, num_items)

    @property
    def split(self) -> Split:
        """What is trained on now: `refit` moves validation, or everything, into training."""
        return self.plain_split.without(self.left_out).refit(self.refit)

    @cached_property
    def left_out(self) -> np.ndarray:
        """Rows of the persons that are not trained on, int64: a hundredth of all, at least one."""
        if self.without == "nobody":
            return np.zeros(0, np.int64)
        count_U = self.plain_split.histories.length
        number = max(1, len(count_U) // 100)
        if self.without == "top":
            return np.argsort(-count_U, kind="stable")[:number]
        return np.random.default_rng(self.seed).permutation(len(count_U))[:number]

    @property
    def random_test(self) -> Questions:
        """`new-users` with a random 20% to be found, of the people of the test part."""
        return random_holdout(self.plain_split.test, self.split_seed)

    @cached_property
    def sizes(self) -> dict[str, int]:
        """num_users, num_items, num_genres, num_periods, num_stars, text_dim."""
        return {
            "num_users": len(self.plain_split.everything),
            "num_items": self.plain_split.num_items,
            "num_genres": max(1, len(self.dataset.movies.genre_names)),
            "num_periods": NUM_PERIODS,
            "num_stars": len(self.dataset.scale),
            "text_dim": TEXT_DIM,
        }

    @property
    def genre_IG(self) -> Tensor:
        """Multi-hot genres, float32; one empty column where no movie has a genre."""
        genre_IG = torch.from_numpy(self.dataset.movies.genre_matrix())
        return genre_IG if genre_IG.shape[1] else torch.zeros(len(genre_IG), 1)

    @property
    def period_I(self) -> Tensor:
        """Row of the release period of each movie, int64."""
        years = [FIRST_YEAR - PERIOD_YEARS if y is None else y for y in self.dataset.movies.year]
        row_I = 1 + (torch.tensor(years) - FIRST_YEAR).div(PERIOD_YEARS, rounding_mode="floor")
        known_I = torch.tensor([y is not None for y in self.dataset.movies.year])
        return torch.where(known_I, row_I.clamp(1, NUM_PERIODS - 1), 0)

    @property
    def text_IT(self) -> Tensor:
        """What title and tags say, float32; columns that a small vocabulary leaves over are 0."""
        movies, tags, histories = self.dataset.movies, self.dataset.tags, self.split.histories
        # Every rating of who gave tags, and each movie once: no more is read of the others.
        tagger = np.flatnonzero(np.isin(histories.user_id, tags.user_id))
        user, entry = spans(histories.indptr[tagger], histories.length[tagger])
        rated = np.flatnonzero(histories.support(len(movies)))
        user_id = np.concatenate([histories.user_id[tagger][user], np.full_like(rated, -1)])
        movie_id = movies.movie_id[np.concatenate([histories.item[entry], rated])]
        text_IT = text_features(movies, tags, user_id, movie_id, dim=TEXT_DIM)
        return F.pad(torch.from_numpy(text_IT), (0, TEXT_DIM - text_IT.shape[1]))

    @property
    def feature_IF(self) -> Tensor:
        """What is known of a movie beside its ratings, float32: shares of its genres, its release
        period, title and tags."""
        share_IG = self.genre_IG / self.genre_IG.sum(1, keepdim=True).clamp(min=1)
        period_IY = F.one_hot(self.period_I, NUM_PERIODS).float()
        return torch.cat([share_IG, period_IY, self.text_IT], 1)

    @property
    def support_I(self) -> Tensor:
        """Number of training ratings of each movie, int64."""
        return torch.from_numpy(self.split.histories.support(self.split.num_items))

    @cached_property
    def candidates(self) -> np.ndarray:
        """The 99 movies beside each test movie in `ncf-paper`, int64 (T, 99), drawn once."""
        return draw_candidates(self.plain_split, seed=self.split_seed)

    @cached_property
    def valid_candidates(self) -> np.ndarray:
        """The same beside each validation movie: a draw of its own, so that nothing is chosen on
        the test's candidates. In `next` the same people are asked, in the same order."""
        return draw_candidates(self.plain_split, seed=self.split_seed + 1)

    def epoch(self) -> int:
        # Read when an epoch's iterator is made: on resume, hooks come too late for that.
        return self.trainer.current_epoch if self.trainer else 0

    @property
    def ranks(self) -> dict[str, int]:
        """Which of how many processes this is."""
        if not self.trainer:
            return {"rank": 0, "world_size": 1}
        return {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}

    def train_dataloader(self) -> SequenceWindows | Pairs:
        if self.user == "id":
            return Pairs(
                self.split,
                num_negatives=self.num_negatives,
                batch_size=self.targets_per_batch,
                seed=self.seed,
                epoch=self.epoch,
                **self.ranks,
            )
        split = self.split
        return SequenceWindows(
            split,
            star_rows(split.histories.stars, self.dataset.scale),
            history_length=self.history_length,
            targets_per_batch=self.targets_per_batch,
            star_dropout=self.star_dropout,
            horizon=self.horizon,
            shuffled=self.shuffled,
            seed=self.seed,
            epoch=self.epoch,
            **self.ranks,
        )

    def val_dataloader(self) -> EvalLoader:
        return EvalLoader(
            self.plain_split.valid,
            self.dataset.scale,
            history_length=self.history_length,
            several=self.protocol in ("new-users", "stars"),
            candidates=self.valid_candidates if self.select_on == "ncf-paper" else None,
            **self.ranks,
        )
