"""User vectors: from the ordered history by causal self-attention, or from a table of users.

The encoder is that of Kang and McAuley 2018, "Self-attentive sequential recommendation": a new user
is a history like any other.

Local letters: L history entries (oldest first, right-padded), N heads, H width of a head.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from marquee.core.arrays import Sizes
from models.config import NetworkConfig
from models.item_tower import embedding, linear

USER_FEATURE_DROPOUT = 0.5  # share of training windows whose user is unknown


class Dropout(nn.Module):
    """Dropout with one random byte a value.

    1 ms for 8,192 x 128 floats on a core, where PyTorch takes 25. The share is rounded to a 256th.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.num_of_256 = share, round(256 * share)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.num_of_256 == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        byte = words.view(torch.int8)[: x.numel()].view(x.shape)
        mask = torch.empty(x.shape, dtype=x.dtype)
        torch.ge(byte, self.num_of_256 - 128, out=mask)
        return x * mask.mul_(256 / (256 - self.num_of_256))


class UserTable(nn.Module):
    def __init__(self, num_users: int, dim: int) -> None:
        super().__init__()
        self.user = embedding(num_users, dim)

    def forward(self, user_B: Tensor) -> Tensor:
        return self.user(user_B)


class Block(nn.Module):
    """One pre-norm layer: causal self-attention, then a feed-forward net.

    Attention sees each entry mixed with the `conv_width - 1` before it, channel by channel (a
    causal depthwise convolution, as in So et al. 2021, "Primer"). The entry just before is the
    strongest sign of what comes next, and attention alone finds it slowly. Each head adds a learned
    bias by distance (as in HSTU, Zhai et al. 2024, without its times).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim, width = config.embedding_dim, config.conv_width
        self.num_heads = config.num_heads
        self.distance_HL = nn.Parameter(torch.zeros(config.num_heads, config.history_length))
        self.norm_attention = nn.LayerNorm(dim)
        # Start as the identity: weight 1 for the entry itself, 0 for those before it.
        self.conv_WD = nn.Parameter(torch.zeros(width, dim).index_fill_(0, torch.tensor(0), 1))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.merge = nn.Linear(dim, dim)
        self.norm_feed = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, 2 * dim)
        self.narrow = nn.Linear(2 * dim, dim)
        self.dropout = Dropout(config.dropout)

    def forward(self, x_BLD: Tensor) -> Tensor:
        mixed_BLD = self.convolve(self.norm_attention(x_BLD))
        return self.feed(x_BLD + self.dropout(self.attend(mixed_BLD)))

    def last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """Return `forward` at the last entry, (B, D): a fifth of the work at 50 entries."""
        mixed_BLD = self.convolve(self.norm_attention(x_BLD))
        update_BD = self.dropout(self.attend_last(mixed_BLD, length_B))
        return self.feed(at_last(x_BLD, length_B) + update_BD)

    def feed(self, x: Tensor) -> Tensor:
        hidden = self.dropout(F.gelu(self.widen(self.norm_feed(x))))
        return x + self.dropout(self.narrow(hidden))

    def convolve(self, x_BLD: Tensor) -> Tensor:
        width, L = len(self.conv_WD), x_BLD.shape[1]
        padded = F.pad(x_BLD, (0, 0, width - 1, 0))
        mixed = x_BLD * self.conv_WD[0]
        for distance in range(1, width):
            first = width - 1 - distance
            mixed = mixed + padded[:, first : first + L] * self.conv_WD[distance]
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
        place_L = torch.arange(query.shape[2], device=query.device)
        distance_LL = place_L[:, None] - place_L
        bias_NLL = self.distance_HL[:, distance_LL.clamp(min=0)]
        bias_NLL = bias_NLL.masked_fill(distance_LL < 0, -torch.inf)
        query = query * query.shape[3] ** -0.5
        return (query @ key.transpose(2, 3) + bias_NLL).softmax(3) @ value

    def attend_last(self, x_BLD: Tensor, length_B: Tensor) -> Tensor:
        """Attend from the last entry of each history, (B, D).

        W_k is folded into the query, q . (W_k x) = (W_k' q) . x, and averaging comes before W_v, so
        no keys or values are computed. The key bias adds the same to every logit and drops out.
        """
        (B, L, D), N = x_BLD.shape, self.num_heads
        query_NHD, key_NHD, value_NHD = self.qkv.weight.view(3, N, D // N, D)
        bias_3D = self.qkv.bias.view(3, D)
        query_BD = F.linear(at_last(x_BLD, length_B), query_NHD.reshape(D, D), bias_3D[0])
        query_BNH = query_BD.view(B, N, D // N) * (D // N) ** -0.5
        query_BND = torch.einsum("bnh,nhd->bnd", query_BNH, key_NHD)
        distance_BL = length_B[:, None] - 1 - torch.arange(L, device=x_BLD.device)
        bias_BNL = self.distance_HL[:, distance_BL.clamp(min=0)].transpose(0, 1)
        logit_BNL = query_BND @ x_BLD.transpose(1, 2) + bias_BNL
        share_BNL = logit_BNL.masked_fill(distance_BL[:, None] < 0, -torch.inf).softmax(2)
        mixed_BNH = torch.einsum("bnd,nhd->bnh", share_BNL @ x_BLD, value_NHD)
        return self.merge(mixed_BNH.reshape(B, D) + bias_3D[2])


class HistoryEncoder(nn.Module):
    """An encoder of the latest L entries of a history to a vector after each of them.

    It is causal: padding on the right needs no mask, and one pass trains every position. Features
    of the user, if there are any, join every entry; a learned vector stands for an unknown user.
    """

    def __init__(self, config: NetworkConfig, num_rating_bins: int) -> None:
        super().__init__()
        dim = config.embedding_dim
        self.scale = dim**0.5
        self.position = embedding(config.history_length, dim)
        self.rating = embedding(num_rating_bins + 1, dim)  # row 0: no rating
        self.dropout = Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(dim)
        self.features: nn.Linear | None = None

    def add_user_features(self, config: NetworkConfig, sizes: Sizes) -> None:
        """Make the modules of the user features, if there are any, after all others."""
        if config.user_features and sizes.user_feature_dim:
            self.features = linear(sizes.user_feature_dim, config.embedding_dim)
            self.unknown_user_D = nn.Parameter(torch.zeros(config.embedding_dim))

    def forward(
        self, entry_BLD: Tensor, rating_bin_BL: Tensor, user_BX: Tensor | None = None
    ) -> Tensor:
        """Return (B, L, D), a vector after each entry; a bin is 0 or 1 + the row.

        user_BX: features of the users; a row of zeros, or None, is an unknown user.
        """
        x_BLD = self.embed(entry_BLD, rating_bin_BL, user_BX)
        for block in self.blocks:
            x_BLD = block(x_BLD)
        return self.norm(x_BLD)

    def last(
        self,
        entry_BLD: Tensor,
        rating_bin_BL: Tensor,
        length_B: Tensor,
        user_BX: Tensor | None = None,
    ) -> Tensor:
        """Return (B, D), `forward` after the last of each history's length_B entries."""
        x_BLD = self.embed(entry_BLD, rating_bin_BL, user_BX)
        for block in self.blocks[:-1]:
            x_BLD = block(x_BLD)
        top = self.blocks[-1]
        assert isinstance(top, Block)
        return self.norm(top.last(x_BLD, length_B))

    def embed(
        self, entry_BLD: Tensor, rating_bin_BL: Tensor, user_BX: Tensor | None = None
    ) -> Tensor:
        position_LD = self.position.weight[: entry_BLD.shape[1]]
        x_BLD = entry_BLD * self.scale + self.rating(rating_bin_BL) + position_LD
        if self.features is not None:
            x_BLD = x_BLD + self.embed_user(user_BX)[..., None, :]
        return self.dropout(x_BLD)

    def embed_user(self, user_BX: Tensor | None) -> Tensor:
        """Return (B, D), or (D,) for users that are all unknown.

        In training half of the users are unknown, as most served ones are.
        """
        if self.features is None or user_BX is None:
            return self.unknown_user_D
        is_known_B1 = (user_BX != 0).any(1, keepdim=True)
        if self.training:
            is_known_B1 = is_known_B1 & (torch.rand_like(user_BX[:, :1]) >= USER_FEATURE_DROPOUT)
        return torch.where(is_known_B1, self.features(user_BX), self.unknown_user_D)


def at_last(x_BLD: Tensor, length_B: Tensor) -> Tensor:
    """Return (B, D), the last of each history's length_B entries."""
    last_B11 = (length_B - 1)[:, None, None].expand(-1, 1, x_BLD.shape[2])
    return x_BLD.gather(1, last_B11).squeeze(1)
