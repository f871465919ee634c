"""The network: item tower, one of two user towers, NeuMF head. Plain PyTorch, no Lightning.

`user: history` is the recommender that is served: 64 wide, two layers, about 0.3 million parameters
on ml-1m. `user: id` is NeuMF as published, kept to be compared with.

Shapes: B persons, L history entries, I movies, D embedding, P positions, C candidates.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from marquee.core.errors import InputError
from models.neumf_head import NeuMFHead
from models.towers import Feature, HistoryEncoder, ItemTower, UserTable


@dataclass(frozen=True)
class Sizes:
    """Table sizes, read off the data."""

    num_users: int
    num_items: int
    num_genres: int
    num_periods: int
    num_stars: int
    text_dim: int = 0


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of the network."""

    user: Literal["history", "id"] = "history"
    """`history` encodes what the person watched, in order; `id` looks the person up in a table and
    so can serve only people it was trained on."""
    embedding_dim: int = 64
    """Width of user and item vectors. Twice the width: about twice the time of an epoch."""
    history_length: int = 200
    """Latest entries the encoder reads; older ones only keep a movie from being recommended."""
    num_layers: int = 2
    """Self-attention layers; one sees pairs of entries, two see pairs in context."""
    num_heads: int = 2
    """Attention heads; must divide embedding_dim."""
    conv_width: int = 3
    """Entries mixed before attention, the entry itself included; 1 is attention alone."""
    dropout: float = 0.2
    """Share of activations dropped in training; small data wants more."""
    hidden_dims: list[int] = field(default_factory=lambda: [16])
    """Widths of the MLP branch; the exported kind has one hidden layer."""
    gmf: bool = True
    """The product branch of the head; without it the MLP alone decides."""
    features: list[Feature] = field(default_factory=lambda: ["genres", "period", "text"])
    """What an item vector has beside the movie's own embedding; none is the paper's NeuMF."""
    id_dropout: float = 0.0
    """Share of movies that a training step shows without their own embedding; what is left must
    then carry a movie that nobody has rated."""

    def __post_init__(self) -> None:
        for name in (
            "embedding_dim",
            "history_length",
            "num_layers",
            "num_heads",
            "conv_width",
        ):
            if getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: needed 1 or more")
        if self.embedding_dim % (2 * self.num_heads):
            raise InputError(
                f"network.embedding_dim {self.embedding_dim} is not a multiple of "
                f"2 x network.num_heads ({self.num_heads}); choose one that is"
            )
        if not self.hidden_dims or min(self.hidden_dims) < 1:
            raise InputError(f"network.hidden_dims {self.hidden_dims}: needed one width >= 1")
        for name in ("dropout", "id_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: needed 0 <= share < 1")
        if self.id_dropout and not self.features:
            raise InputError(
                f"network.id_dropout {self.id_dropout} with network.features []: a movie without "
                "its embedding would be nothing; give features, or id_dropout 0"
            )


class NCF(nn.Module):
    """Neural collaborative filtering over one catalogue."""

    def __init__(self, config: NetworkConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        dim = config.embedding_dim
        self.items = ItemTower(
            sizes.num_items,
            sizes.num_genres,
            sizes.num_periods,
            sizes.text_dim,
            dim,
            features=config.features,
            id_dropout=config.id_dropout,
        )
        self.user: HistoryEncoder | UserTable
        if config.user == "history":
            self.user = HistoryEncoder(
                dim,
                sizes.num_stars,
                config.history_length,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                conv_width=config.conv_width,
                dropout=config.dropout,
            )
        else:
            self.user = UserTable(sizes.num_users, dim)
        self.head = NeuMFHead(
            dim, config.hidden_dims, own_halves=config.user == "id", gmf=config.gmf
        )
        assert self.num_parameters() == self.expected_parameters(sizes)

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def expected_parameters(self, sizes: Sizes) -> int:
        """The total by arithmetic, so that the printed count cannot lie."""
        config, D = self.config, self.config.embedding_dim
        tables = sizes.num_items * (D + 1)
        widths = {"genres": sizes.num_genres, "period": sizes.num_periods, "text": sizes.text_dim}
        tables += sum(widths[feature] for feature in config.features) * D
        tables += D if config.features else 0
        if config.user == "history":
            layer = (3 * D * D + 3 * D) + (D * D + D) + (4 * D * D + 3 * D) + 4 * D
            layer += config.conv_width * D + config.num_heads * config.history_length
            user = (config.history_length + sizes.num_stars + 1) * D + 2 * D
            user += config.num_layers * layer
        else:
            user = sizes.num_users * D
        gmf = D // 2 if config.user == "id" else D
        mlp_in = D - gmf if config.user == "id" else D
        layers = [2 * mlp_in, *config.hidden_dims]
        mlp = sum(a * b + b for a, b in pairwise(layers)) + layers[-1]
        return tables + user + (gmf if config.gmf else 0) + mlp

    def history_vectors(self, vector_ID: Tensor, item_BL: Tensor, star_BL: Tensor) -> Tensor:
        """(B, L, D): the person after each entry."""
        assert isinstance(self.user, HistoryEncoder)
        return self.user(vector_ID[item_BL], star_BL)

    def user_vectors(self, batch: dict[str, Tensor], vector_ID: Tensor) -> Tensor:
        """(B, D): the person now, after the last entry or from the table."""
        if isinstance(self.user, UserTable):
            return self.user(batch["user_B"])
        entry_BLD = vector_ID[batch["item_BL"]]
        return self.user.last(entry_BLD, batch["star_BL"], batch["length_B"])

    def score(self, batch: dict[str, Tensor]) -> Tensor:
        """Logits of every movie for every person of the batch, float32 (B, I)."""
        with torch.autocast(self.items.bias.device.type, enabled=False):
            vector_ID, bias_I = self.items()
            user_BD = self.user_vectors(batch, vector_ID)
            return self.head.score(user_BD, vector_ID) + bias_I
