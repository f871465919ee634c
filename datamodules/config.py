"""The settings of the data: the keys below `data:` in a recipe, and `--data.KEY` beside it."""

from dataclasses import dataclass
from typing import Literal

from marquee.core.errors import InputError
from marquee.core.times import utc_seconds
from marquee.data.history_order import Ties


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The settings of one data set, its split and its training batches."""

    name: str
    """The data set: one that `marquee data list` shows, or a MovieLens name."""
    root: str | None = None
    """The folder that holds the data set's folder; null takes DATA_ROOT, else "data"."""
    protocol: Literal["next", "time", "new-users", "new-movies", "stars", "fixed"] = "next"
    """The split: `next` (also trains `ncf-paper`), `time`, `new-users`, `new-movies`, `stars` or
    `fixed`, whose test interactions are a file of the data set."""
    cut: float | str | None = None
    """The end of training for `time`: a date ("2000-12-02", UTC), or the share of interactions
    before it (.8). null takes 2000-12-02 for ml-1m, as published, and .9 for other data sets."""
    ties: Ties = "hash"
    """The order of equal times: `hash` draws it, `file` keeps that of the file."""
    targets_per_batch: int = 8192
    """Targets of a training step: twice as many make half the steps an epoch."""
    num_negatives: int = 4
    """Drawn movies per positive pair: with 4 the model sees four unwatched movies for each watched
    one. Only pairs (`user: id`) use it."""
    star_dropout: float = 0.1
    """Share of training histories without their ratings, as some served histories will be."""
    horizon: int = 1
    """A target is drawn from so many next entries: 1 teaches the next, many what comes sometime."""
    shuffled: bool = False
    """Read each training history in random order, which measures what order is worth."""
    select_on: Literal["next", "ncf-paper"] = "next"
    """The candidates of validation: all unseen movies, or the 99 drawn ones of `ncf-paper`."""
    user: Literal["history", "id"] = "history"
    """The user's representation, linked to `model.network.user`: an encoded history, which fits new
    users too, or a row of a table."""
    user_features: bool = False
    """Hand the users' features to the encoder, linked to `model.network.user_features`."""
    history_length: int = 200
    """Longest history that the network reads, linked to `model.network.history_length`."""
    seed: int = 0
    """Seed of batches and negatives, linked to `seed_everything`."""
    split_seed: int = 0
    """Seed of the tie hash, the held-out users or movies and the candidates of every training."""
    fold: int = 0
    """For `stars` on ml-100k: 1 to 5 test on its file u1.test to u5.test, 0 on a random 10%."""
    without: Literal["nobody", "top", "random"] = "nobody"
    """Train without one user of a hundred, the most active (`top`) or `random` ones."""

    user_share: float = 1.0
    """Train, choose and test on this share of the users, drawn once: a first look at a large set.
    The catalog stays whole."""

    def __post_init__(self) -> None:
        if not 0 < self.user_share <= 1:
            raise InputError(f"data.user_share: {self.user_share}, expected above 0, at most 1")
        if self.user_share < 1 and self.fold:
            raise InputError("data.user_share: below 1 with data.fold, expected one of the two")
        for field in ("targets_per_batch", "num_negatives", "horizon"):
            if getattr(self, field) < 1:
                raise InputError(f"data.{field}: {getattr(self, field)}, expected at least 1")
        if not 0 <= self.star_dropout <= 1:
            raise InputError(f"data.star_dropout: {self.star_dropout}, expected 0 to 1")
        if self.cut is not None:
            self._check_cut(self.cut)
        if self.select_on == "ncf-paper" and self.protocol != "next":
            raise InputError(
                f"data.select_on: ncf-paper with data.protocol {self.protocol}, expected "
                "data.protocol next"
            )
        if self.user == "id" and self.protocol.startswith("new-"):
            raise InputError(
                f"model.network.user: id with data.protocol {self.protocol}, expected history: a "
                "table of users knows no new user and no new movie"
            )
        if self.fold and self.protocol != "stars":
            raise InputError(
                f"data.fold: {self.fold} with data.protocol {self.protocol}, expected 0: only "
                "stars has folds"
            )

    def _check_cut(self, cut: float | str) -> None:
        if self.protocol != "time":
            raise InputError(
                f"data.cut: {cut} with data.protocol {self.protocol}, expected null: only time has "
                "a cut"
            )
        try:
            is_valid = bool(utc_seconds(cut)) if isinstance(cut, str) else 0 < cut < 1
        except ValueError:
            is_valid = False
        if not is_valid:
            raise InputError(
                f"data.cut: {cut}, expected a date such as 2000-12-02, or a share between 0 and 1"
            )
