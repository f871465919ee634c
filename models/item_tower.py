"""The item tower: an item vector is an item embedding plus the embeddings of its attributes.

    v_i = e_i + mean of its genre embeddings + release-period embedding + W text_i
              + mean of its value embeddings for each category of the data + W' dense_i

Item embeddings are dropped at random in training, so that attributes carry an item nobody has
rated. All vectors are float32. Local letters: T text features (title and tags), W values of an item
in all categories of the data set, X its numbers, vectors and texts.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from marquee.core.arrays import Sizes
from models.config import NetworkConfig

INIT_STD = 0.02


def embedding(rows: int, dim: int) -> nn.Embedding:
    table = nn.Embedding(rows, dim)
    nn.init.normal_(table.weight, std=INIT_STD)
    return table


class ItemTower(nn.Module):
    """Item vectors and biases; attributes are buffers, stored in the checkpoint.

    An item without a training rating has no id part: no gradient ever reached its embedding.
    """

    genre_share_IG: Tensor
    period_I: Tensor
    text_IT: Tensor
    value_IW: Tensor
    weight_IW: Tensor
    dense_IX: Tensor
    num_ratings_I: Tensor

    def __init__(self, config: NetworkConfig, sizes: Sizes) -> None:
        super().__init__()
        self.features, self.id_dropout = config.features, config.id_dropout
        dim, num_items = config.embedding_dim, sizes.num_items
        self.item = embedding(num_items, dim)
        self.bias = nn.Parameter(torch.zeros(num_items))
        self.register_buffer("num_ratings_I", torch.ones(num_items, dtype=torch.int64))
        if "genres" in self.features:
            self.genre = embedding(sizes.num_genres, dim)
            self.register_buffer("genre_share_IG", torch.zeros(num_items, sizes.num_genres))
        if "period" in self.features:
            self.period = embedding(sizes.num_periods, dim)
            self.register_buffer("period_I", torch.zeros(num_items, dtype=torch.int64))
        if "text" in self.features:
            self.text = linear(sizes.text_dim, dim)
            self.register_buffer("text_IT", torch.zeros(num_items, sizes.text_dim))
        if self.features:
            self.feature_bias = nn.Parameter(torch.zeros(dim))

    def add_data_features(self, config: NetworkConfig, sizes: Sizes) -> None:
        """Make the modules of the data set's features, if it has any.

        They come after all others of the network, whose first weights are then the same without.
        """
        shape = (sizes.num_items, sizes.values_per_item)
        self.has_values = "data" in self.features and sizes.num_item_values > 0
        self.has_dense = "data" in self.features and sizes.dense_dim > 0
        if self.has_values:
            self.value = embedding(sizes.num_item_values, config.embedding_dim)
            self.register_buffer("value_IW", torch.zeros(shape, dtype=torch.int64))
            self.register_buffer("weight_IW", torch.zeros(shape))
        if self.has_dense:
            self.dense = linear(sizes.dense_dim, config.embedding_dim)
            self.register_buffer("dense_IX", torch.zeros(sizes.num_items, sizes.dense_dim))

    def set_features(self, content: Mapping[str, Tensor], num_ratings_I: Tensor) -> None:
        """Fill the buffers: the attributes of the first I items, and their interactions.

        content: as `datamodules.item_features.item_content` makes it.
        """
        num_items = len(self.num_ratings_I)
        self.num_ratings_I.copy_(num_ratings_I)
        if "genres" in self.features:
            self.genre_share_IG.copy_(genre_shares(content["genre_IG"][:num_items]))
        if "period" in self.features:
            self.period_I.copy_(content["period_I"][:num_items])
        if "text" in self.features:
            self.text_IT.copy_(content["text_IT"][:num_items])
        if self.has_values:
            self.value_IW.copy_(content["value_IW"][:num_items])
            self.weight_IW.copy_(content["weight_IW"][:num_items])
        if self.has_dense:
            self.dense_IX.copy_(content["dense_IX"][:num_items])

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return all item vectors, (I, D), and biases, (I,): small products, once a step."""
        has_id_I = (self.num_ratings_I > 0).float()
        if self.training and self.id_dropout:
            has_id_I = has_id_I * (torch.rand_like(has_id_I) >= self.id_dropout)
        vector_ID, bias_I = has_id_I[:, None] * self.item.weight, has_id_I * self.bias
        if self.features:
            content_ID = self.content()
            vector_ID, bias_I = vector_ID + content_ID, bias_I + content_ID @ self.feature_bias
        return vector_ID, bias_I

    def content(self) -> Tensor:
        parts = []
        if "genres" in self.features:
            parts.append(self.genre_share_IG @ self.genre.weight)
        if "period" in self.features:
            parts.append(self.period(self.period_I))
        if "text" in self.features:
            parts.append(self.text(self.text_IT))
        if self.has_values:
            weight_VD = self.value.weight
            parts.append(
                F.embedding_bag(
                    self.value_IW, weight_VD, mode="sum", per_sample_weights=self.weight_IW
                )
            )
        if self.has_dense:
            parts.append(self.dense(self.dense_IX))
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(self.item.weight)


def linear(width: int, dim: int) -> nn.Linear:
    layer = nn.Linear(width, dim, bias=False)
    nn.init.normal_(layer.weight, std=INIT_STD)
    return layer


def genre_shares(genre_IG: Tensor) -> Tensor:
    return genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1)
