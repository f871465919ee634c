"""The item tower: an item vector is an item embedding plus the embeddings of its attributes.

    v_i = e_i + mean of its genre embeddings + release-period embedding + W text_i

Item embeddings are dropped at random in training, so that attributes carry an item nobody has
rated. All vectors are float32. Local letter: T text features (title and tags).
"""

import torch
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
            self.text = nn.Linear(sizes.text_dim, dim, bias=False)
            nn.init.normal_(self.text.weight, std=INIT_STD)
            self.register_buffer("text_IT", torch.zeros(num_items, sizes.text_dim))
        if self.features:
            self.feature_bias = nn.Parameter(torch.zeros(dim))

    def set_features(
        self, genre_IG: Tensor, period_I: Tensor, text_IT: Tensor, num_ratings_I: Tensor
    ) -> None:
        """Fill the buffers: multi-hot genres, period rows, text, numbers of ratings."""
        self.num_ratings_I.copy_(num_ratings_I)
        if "genres" in self.features:
            self.genre_share_IG.copy_(genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1))
        if "period" in self.features:
            self.period_I.copy_(period_I)
        if "text" in self.features:
            self.text_IT.copy_(text_IT)

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
        return torch.stack(parts).sum(0)
