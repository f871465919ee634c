"""The two sides of neural collaborative filtering: what a movie is, and what a person is.

An item vector is a movie embedding + the mean of its genre embeddings + a release-period one + a
projection of its text (title and tags). The movie embedding is dropped at random in training, so
that a movie nobody has rated is carried by the rest.
A user vector comes either from the person's ordered history (causal self-attention, Kang and
McAuley 2018, "Self-attentive sequential recommendation"; a new person is a history like any
other) or, in the `ncf-classic` recipe, from a table of people (He et al. 2017), which cannot serve
anyone new.

Shapes: B persons, L history entries (oldest first, right-padded), I movies, G genres, T text
features, D embedding, W width of the convolution. All vectors are float32.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INIT_STD = 0.02


def embedding(rows: int, dim: int, std: float = INIT_STD) -> nn.Embedding:
    table = nn.Embedding(rows, dim)
    nn.init.normal_(table.weight, std=std)
    return table


Feature = Literal["genres", "period", "text"]


class Dropout(nn.Module):
    """Dropout with one random byte a value: 1 ms for 8,192 x 128 floats on a core, where PyTorch
    draws for 25. The share is rounded to a 256th."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.dropped = share, round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.dropped == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        byte = words.view(torch.int8)[: x.numel()].view(x.shape)
        keep = torch.empty(x.shape, dtype=x.dtype)
        torch.ge(byte, self.dropped - 128, out=keep)
        return x * keep.mul_(256 / (256 - self.dropped))


class ItemTower(nn.Module):
    """Item vectors and biases from ids, genres, release periods and text.

    What is known of each movie is held in buffers: they travel in the checkpoint, so that it loads
    without the data. `set_features` fills them once, from the data, before the first step.
    A movie without a training rating has no id part: its embedding was never pulled anywhere.
    """

    genre_share_IG: Tensor
    period_I: Tensor
    text_IT: Tensor
    num_ratings_I: Tensor

    def __init__(
        self,
        num_items: int,
        num_genres: int,
        num_periods: int,
        text_dim: int,
        dim: int,
        *,
        features: list[Feature],
        id_dropout: float,
    ) -> None:
        super().__init__()
        self.features, self.id_dropout = features, id_dropout
        self.movie = embedding(num_items, dim)
        self.bias = nn.Parameter(torch.zeros(num_items))
        self.register_buffer("num_ratings_I", torch.ones(num_items, dtype=torch.int64))
        if "genres" in features:
            self.genre = embedding(num_genres, dim)
            self.register_buffer("genre_share_IG", torch.zeros(num_items, num_genres))
        if "period" in features:
            self.period = embedding(num_periods, dim)
            self.register_buffer("period_I", torch.zeros(num_items, dtype=torch.int64))
        if "text" in features:
            self.text = nn.Linear(text_dim, dim, bias=False)
            nn.init.normal_(self.text.weight, std=INIT_STD)
            self.register_buffer("text_IT", torch.zeros(num_items, text_dim))
        if features:
            self.feature_bias = nn.Parameter(torch.zeros(dim))

    def set_features(
        self, genre_IG: Tensor, period_I: Tensor, text_IT: Tensor, num_ratings_I: Tensor
    ) -> None:
        """Takes the multi-hot genres, float32 (I, G), the period rows, int64 (I,), the text
        features, float32 (I, T), and the number of training ratings, int64 (I,)."""
        self.num_ratings_I.copy_(num_ratings_I)
        if "genres" in self.features:
            self.genre_share_IG.copy_(genre_IG / genre_IG.sum(1, keepdim=True).clamp(min=1))
        if "period" in self.features:
            self.period_I.copy_(period_I)
        if "text" in self.features:
            self.text_IT.copy_(text_IT)

    def forward(self) -> tuple[Tensor, Tensor]:
        """All item vectors, (I, D), and biases, (I,): small products, once a step."""
        has_id_I = (self.num_ratings_I > 0).float()
        if self.training and self.id_dropout:
            has_id_I = has_id_I * (torch.rand_like(has_id_I) >= self.id_dropout)
        vector_ID, bias_I = has_id_I[:, None] * self.movie.weight, has_id_I * self.bias
        if self.features:
            content_ID = self.content()
            vector_ID, bias_I = vector_ID + content_ID, bias_I + content_ID @ self.feature_bias
        return vector_ID, bias_I

    def content(self) -> Tensor:
        """(I, D): what a movie is before anybody has rated it."""
        parts = []
        if "genres" in self.features:
            parts.append(self.genre_share_IG @ self.genre.weight)
        if "period" in self.features:
            parts.append(self.period(self.period_I))
        if "text" in self.features:
            parts.append(self.text(self.text_IT))
        return torch.stack(parts).sum(0)


class UserTable(nn.Module):
    """One learned vector a person: the classic user of He et al. 2017."""

    def __init__(self, num_users: int, dim: int) -> None:
        super().__init__()
        self.user = embedding(num_users, dim)

    def forward(self, user_B: Tensor) -> Tensor:
        return self.user(user_B)


class Block(nn.Module):
    """One pre-norm layer: causal self-attention, then a feed-forward net of twice the width.

    Attention sees each entry mixed with the `conv_width - 1` before it, channel by channel (a
    causal depthwise convolution, as in So et al. 2021, "Primer"): what was watched just before is
    the strongest sign of what comes next, and attention alone finds it slowly. Each head adds a
    learned bias by distance (as in HSTU, Zhai et al. 2024, without its times).
    """

    def __init__(
        self, dim: int, num_heads: int, history_length: int, conv_width: int, dropout: float
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.distance_HL = nn.Parameter(torch.zeros(num_heads, history_length))
        self.norm_attention = nn.LayerNorm(dim)
        # Starts as the identity: weight 1 for the entry itself, 0 for those before it.
        self.conv_WD = nn.Parameter(torch.zeros(conv_width, dim).index_fill_(0, torch.tensor(0), 1))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.norm_feed = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        self.dropout = Dropout(dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        mixed_BLD = self.convolve(self.norm_attention(x_BLD))
        return self.feed(x_BLD + self.dropout(self.attend(mixed_BLD)))

    def last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """`forward` at the last entry of each history only, (B, D): a fifth of the work at 50
        entries, as nothing else is asked for, and without a key or a value of any entry."""
        mixed_BLD = self.convolve(self.norm_attention(x_BLD))
        told_BD = self.dropout(self.attend_last(mixed_BLD, length_B))
        return self.feed(at_last(x_BLD, length_B) + told_BD)

    def feed(self, x: Tensor) -> Tensor:
        hidden = self.dropout(F.gelu(self.widen(self.norm_feed(x))))
        return x + self.dropout(self.narrow(hidden))

    def attend_last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """One question a history: query . (key of x) = (query turned back) . x, its part with the
        bias being the same for all; and the mean of the values is the value of the mean."""
        (B, L, D), N = x_BLD.shape, self.num_heads
        (query, key, value), bias_3D = (
            self.qkv.weight.view(3, N, D // N, D),
            self.qkv.bias.view(3, D),
        )
        query_BD = F.linear(at_last(x_BLD, length_B), query.reshape(D, D), bias_3D[0])
        query_BNH = query_BD.view(B, N, D // N) * (D // N) ** -0.5
        asked_BND = torch.einsum("bnh,nhd->bnd", query_BNH, key)
        place_L = torch.arange(L, device=x_BLD.device)
        back_BL = length_B[:, None] - 1 - place_L
        bias_BNL = self.distance_HL[:, back_BL.clamp(min=0)].transpose(0, 1)
        logit_BNL = asked_BND @ x_BLD.transpose(1, 2) + bias_BNL
        share_BNL = logit_BNL.masked_fill(back_BL[:, None] < 0, -torch.inf).softmax(2)
        mixed_BNH = torch.einsum("bnd,nhd->bnh", share_BNL @ x_BLD, value)
        return self.merge(mixed_BNH.reshape(B, D) + bias_3D[2])

    def convolve(self, x_BLD: Tensor) -> Tensor:
        width, L = len(self.conv_WD), x_BLD.shape[1]
        padded = F.pad(x_BLD, (0, 0, width - 1, 0))
        mixed = x_BLD * self.conv_WD[0]
        for back in range(1, width):
            first = width - 1 - back
            mixed = mixed + padded[:, first : first + L] * self.conv_WD[back]
        return mixed

    def attend(self, x_BLD: Tensor) -> Tensor:
        B, L, D = x_BLD.shape
        heads = self.qkv(x_BLD).view(B, L, 3, self.num_heads, D // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        if x_BLD.device.type == "cpu":  # its bfloat16 backward pass takes 2.5 times as long
            with torch.autocast("cpu", enabled=False):
                mixed = self.attention(query.float(), key.float(), value.float())
        else:
            mixed = self.attention(query, key, value)
        return self.merge(mixed.transpose(1, 2).reshape(B, L, D))

    def attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Written out: with a learned bias PyTorch has no fused kernel for a CPU."""
        place_L = torch.arange(query.shape[2], device=query.device)
        back_LL = place_L[:, None] - place_L
        bias_HLL = self.distance_HL[:, back_LL.clamp(min=0)].masked_fill(back_LL < 0, -torch.inf)
        query = query * query.shape[3] ** -0.5
        return (query @ key.transpose(2, 3) + bias_HLL).softmax(3) @ value


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
        conv_width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.scale = dim**0.5
        self.position = embedding(history_length, dim)
        self.stars = embedding(num_stars + 1, dim)  # row 0: no stars given
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(dim, num_heads, history_length, conv_width, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, entry_BLD: Tensor, star_BL: Tensor) -> Tensor:
        """entry_BLD: item vectors of the history; star_BL: int64, 0 or 1 + row of the scale."""
        x_BLD = self.embed(entry_BLD, star_BL)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        return self.norm(x_BLD)

    def last(self, entry_BLD: Tensor, star_BL: Tensor, length_B: Tensor) -> Tensor:
        """After the last of each history's length_B entries, (B, D): `forward` but for rounding."""
        x_BLD = self.embed(entry_BLD, star_BL)
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD)
        top = self.blocks[-1]
        assert isinstance(top, Block)
        return self.norm(top.last(x_BLD, length_B))

    def embed(self, entry_BLD: Tensor, star_BL: Tensor) -> Tensor:
        position_LD = self.position.weight[: entry_BLD.shape[1]]
        return self.dropout(entry_BLD * self.scale + self.stars(star_BL) + position_LD)


def at_last(x_BLD: Tensor, length_B: Tensor) -> Tensor:
    """(B, D): of each row the last of its length_B entries."""
    last_B11 = (length_B - 1)[:, None, None].expand(-1, 1, x_BLD.shape[2])
    return x_BLD.gather(1, last_B11).squeeze(1)
