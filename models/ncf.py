"""The network: item tower, one of two user towers, NeuMF head. Plain PyTorch, no Lightning.

`user: history` is the recommender that is served: 64 wide, two layers, about 0.3 million parameters
on ml-1m. `user: id` is NeuMF as published, for comparison.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from marquee.core.errors import InputError
from marquee.core.sizes import Sizes
from models.history_encoder import HistoryEncoder, UserTable
from models.item_tower import Feature, ItemTower
from models.neumf_head import NeuMFHead


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The shape of the network."""

    user: Literal["history", "id"] = "history"
    """`history` encodes the watched items in order; `id` looks the user up in a table and so can
    serve only users it was trained on."""
    embedding_dim: int = 64
    """Width of user and item vectors. Twice the width: about twice the time of an epoch."""
    history_length: int = 200
    """Latest entries the encoder reads; older ones only exclude an item from the list."""
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
    """Attributes that join the item's own embedding; none is the paper's NeuMF."""
    id_dropout: float = 0.0
    """Share of items that a training step shows without their own embedding; their attributes must
    then carry an item that nobody has rated."""

    def __post_init__(self) -> None:
        for name in (
            "embedding_dim",
            "history_length",
            "num_layers",
            "num_heads",
            "conv_width",
        ):
            if getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: expected 1 or more")
        if self.embedding_dim % (2 * self.num_heads):
            raise InputError(
                f"network.embedding_dim {self.embedding_dim}: expected a multiple of "
                f"2 x network.num_heads ({self.num_heads})"
            )
        if not self.hidden_dims or min(self.hidden_dims) < 1:
            raise InputError(f"network.hidden_dims {self.hidden_dims}: expected one width >= 1")
        for name in ("dropout", "id_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: expected 0 <= share < 1")
        if self.id_dropout and not self.features:
            raise InputError(
                f"network.id_dropout {self.id_dropout} with network.features []: an item without "
                "its embedding has no vector, expected features; set some, or id_dropout 0"
            )


class NCF(nn.Module):
    """Neural collaborative filtering over one catalog."""

    def __init__(self, config: NetworkConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        dim = config.embedding_dim
        self.items = ItemTower(
            num_items=sizes.num_items,
            num_genres=sizes.num_genres,
            num_periods=sizes.num_periods,
            text_dim=sizes.text_dim,
            dim=dim,
            features=config.features,
            id_dropout=config.id_dropout,
        )
        self.user: HistoryEncoder | UserTable
        if config.user == "history":
            self.user = HistoryEncoder(
                dim=dim,
                num_rating_bins=sizes.num_rating_bins,
                history_length=config.history_length,
                num_layers=config.num_layers,
                num_heads=config.num_heads,
                conv_width=config.conv_width,
                dropout=config.dropout,
            )
        else:
            self.user = UserTable(sizes.num_users, dim)
        self.head = NeuMFHead(
            dim, config.hidden_dims, separate_embeddings=config.user == "id", gmf=config.gmf
        )
        assert self.num_parameters() == self.expected_parameters(sizes)

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def expected_parameters(self, sizes: Sizes) -> int:
        """Return the total by arithmetic, a check of the printed count."""
        config, D = self.config, self.config.embedding_dim
        tables = sizes.num_items * (D + 1)
        widths = {"genres": sizes.num_genres, "period": sizes.num_periods, "text": sizes.text_dim}
        tables += sum(widths[feature] for feature in config.features) * D
        tables += D if config.features else 0
        if config.user == "history":
            layer = (3 * D * D + 3 * D) + (D * D + D) + (4 * D * D + 3 * D) + 4 * D
            layer += config.conv_width * D + config.num_heads * config.history_length
            user = (config.history_length + sizes.num_rating_bins + 1) * D + 2 * D
            user += config.num_layers * layer
        else:
            user = sizes.num_users * D
        gmf = D // 2 if config.user == "id" else D
        mlp_in = D - gmf if config.user == "id" else D
        layers = [2 * mlp_in, *config.hidden_dims]
        mlp = sum(a * b + b for a, b in pairwise(layers)) + layers[-1]
        return tables + user + (gmf if config.gmf else 0) + mlp

    def history_vectors(self, vector_ID: Tensor, item_BL: Tensor, rating_bin_BL: Tensor) -> Tensor:
        """Return (B, L, D), the user after each entry."""
        assert isinstance(self.user, HistoryEncoder)
        return self.user(vector_ID[item_BL], rating_bin_BL)

    def user_vectors(self, batch: dict[str, Tensor], vector_ID: Tensor) -> Tensor:
        """Return (B, D), the user after the last entry, or from the table."""
        if isinstance(self.user, UserTable):
            return self.user(batch["user_B"])
        entry_BLD = vector_ID[batch["item_BL"]]
        return self.user.last(entry_BLD, batch["star_BL"], batch["length_B"])

    def score(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float32 (B, I), the logit of every item for every user of the batch."""
        with torch.autocast(self.items.bias.device.type, enabled=False):
            vector_ID, bias_I = self.items()
            user_BD = self.user_vectors(batch, vector_ID)
            return self.head.score(user_BD, vector_ID) + bias_I
