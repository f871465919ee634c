"""The settings of the data: the keys below `data:` in a recipe, and `--data.KEY` beside it.

    config = DataConfig(name="ml-1m", ties="hash")
    datamodule = InteractionDataModule(config)

A contradiction is refused where the settings are read, before any data is.
"""

from dataclasses import dataclass
from typing import Literal

from marquee.core.errors import InputError
from marquee.data.user_histories import Ties

ProtocolName = Literal["next", "time", "new-users", "new-movies", "stars"]
OmittedUsers = Literal["nobody", "top", "random"]


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The settings of one data set, its split and its training batches.

    InputError for a contradiction.
    """

    name: str
    """The data set: a name of `marquee.data.sources`, or a folder of your own below `root`."""
    root: str | None = None
    """The folder that holds the data set's folder; null takes DATA_ROOT, else "data"."""
    protocol: ProtocolName = "next"
    """The split: `next` (also trains `ncf-paper`), `time`, `new-users`, `new-movies` or `stars`."""
    ties: Ties = "hash"
    """The order of equal timestamps: `hash` draws it by seed, `file` keeps the file's and needs
    `sha256`, because another copy of the data may have another order."""
    targets_per_batch: int = 8192
    """Targets of a training step: twice as many make half the steps an epoch."""
    num_negatives: int = 4
    """Drawn movies per positive pair: with 4 the model sees four unwatched movies for each watched
    one. Only pairs (`user: id`) use it."""
    star_dropout: float = 0.1
    """Share of training histories without their ratings. The model then also reads served
    histories that carry none."""
    horizon: int = 1
    """A target is drawn from so many next entries: 1 teaches the very next movie, many teach what
    is watched sometime."""
    shuffled: bool = False
    """Read each training history in random order, which measures what order is worth."""
    select_on: Literal["next", "ncf-paper"] = "next"
    """The candidates of validation: all unseen movies, or the 99 drawn ones of `ncf-paper`."""
    user: Literal["history", "id"] = "history"
    """The user's representation, linked to `model.network.user`: an encoded history, which fits new
    users too, or a row of a table."""
    history_length: int = 200
    """Longest history that the network reads, linked to `model.network.history_length`."""
    seed: int = 0
    """Seed of batches and negatives, linked to `seed_everything`."""
    split_seed: int = 0
    """Seed of the tie hash, of the held-out users or movies and of the drawn candidates. All
    training seeds share one split."""
    fold: int = 0
    """For `stars` on ml-100k: 1 to 5 test on its file u1.test to u5.test, 0 on a random 10%."""
    without: OmittedUsers = "nobody"
    """Leave one user of a hundred out of training, the most active (`top`) or `random` ones, which
    measures their influence."""
    sha256: str | None = None
    """Fingerprint of the copy of the data for which `ties: file` holds."""

    def __post_init__(self) -> None:
        for field in ("targets_per_batch", "num_negatives", "horizon"):
            if getattr(self, field) < 1:
                raise InputError(f"data.{field}: {getattr(self, field)}, expected at least 1")
        if not 0 <= self.star_dropout <= 1:
            raise InputError(f"data.star_dropout: {self.star_dropout}, expected 0 to 1")
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
