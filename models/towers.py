"""The two sides of neural collaborative filtering: what a movie is, and what a person is.

An item vector is a movie embedding + the mean of its genre embeddings + a release-period one.
A user vector comes either from the person's ordered history (causal self-attention, Kang and
McAuley 2018, "Self-attentive sequential recommendation"; a new person is a history like any
other) or, in the `ncf-classic` recipe, from a table of people (He et al. 2017), which cannot serve
anyone new.

Shapes: B persons, L history entries (oldest first, right-padded), I movies, G genres, P release
periods, D embedding. All vectors are float32.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INIT_STD = 0.02


def embedding(rows: int, dim: int, std: float = INIT_STD) -> nn.Embedding:
    table = nn.Embedding(rows, dim)
    nn.init.normal_(table.weight, std=std)
    return table


class ItemTower(nn.Module):
    """Item vectors from ids, genres and release periods.

    The genre and period of each movie are buffers: they travel in the checkpoint, so that it loads
    without the data. `set_features` fills them once, from the data, before the first step.
    """

    genre_share_IG: Tensor
    period_I: Tensor

    def __init__(
        self, num_items: int, num_genres: int, num_periods: int, dim: int, *, features: bool
    ) -> None:
        super().__init__()
        self.features = features
        self.movie = embedding(num_items, dim)
        if features:
            self.genre = embedding(num_genres, dim)
            self.period = embedding(num_periods, dim)
            self.register_buffer("genre_share_IG", torch.zeros(num_items, num_genres))
            self.register_buffer("period_I", torch.zeros(num_items, dtype=torch.int64))

    def set_features(self, genre_IG: Tensor, period_I: Tensor) -> None:
        """Takes the multi-hot genres, float32 (I, G), and the period rows, int64 (I,)."""
        if self.features:
            counts = genre_IG.sum(1, keepdim=True).clamp(min=1)
            self.genre_share_IG.copy_(genre_IG / counts)
            self.period_I.copy_(period_I)

    def forward(self) -> Tensor:
        """All item vectors, (I, D). One small matrix product a step, shared by input and output."""
        vector_ID = self.movie.weight
        if self.features:
            vector_ID = vector_ID + self.genre_share_IG @ self.genre.weight
            vector_ID = vector_ID + self.period(self.period_I)
        return vector_ID


class UserTable(nn.Module):
    """One learned vector a person: the classic user of He et al. 2017."""

    def __init__(self, num_users: int, dim: int) -> None:
        super().__init__()
        self.user = embedding(num_users, dim)

    def forward(self, user_B: Tensor) -> Tensor:
        return self.user(user_B)


class Block(nn.Module):
    """One pre-norm layer: causal self-attention, then a feed-forward net of twice the width."""

    def __init__(self, dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.norm_feed = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        x_BLD = x_BLD + self.dropout(self.attend(self.norm_attention(x_BLD)))
        hidden = self.dropout(F.gelu(self.widen(self.norm_feed(x_BLD))))
        return x_BLD + self.dropout(self.narrow(hidden))

    def attend(self, x_BLD: Tensor) -> Tensor:
        B, L, D = x_BLD.shape
        heads = self.qkv(x_BLD).view(B, L, 3, self.num_heads, D // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        # No dropout on the weights: with it, PyTorch leaves the fused CPU kernel (3x slower).
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.merge(mixed.transpose(1, 2).reshape(B, L, D))


class HistoryEncoder(nn.Module):
    """A person's latest L entries, in order, to a vector after each of them.

    Causal, and padded on the right: what stands after an entry never reaches it, so padding needs
    no mask, and one pass trains a target at every position.
    """

    def __init__(
        self,
        dim: int,
        num_stars: int,
        history_length: int,
        *,
        num_layers: int,
        num_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.position = embedding(history_length, dim)
        self.stars = embedding(num_stars + 1, dim)  # row 0: no stars given
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, num_heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, entry_BLD: Tensor, star_BL: Tensor) -> Tensor:
        """entry_BLD: item vectors of the history; star_BL: int64, 0 or 1 + row of the scale."""
        position_LD = self.position.weight[: entry_BLD.shape[1]]
        x_BLD = self.dropout(entry_BLD * self.scale + self.stars(star_BL) + position_LD)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        return self.norm(x_BLD)
