"""NeuMF: generalised matrix factorisation and a multilayer perceptron, fused into one logit.

    logit(u, i) = sum_d w_d u_d v_id  +  mlp([u; v_i])  +  b_i

He et al. 2017, "Neural collaborative filtering", equations 7 to 12. The first layer of the MLP is
linear in [u; v], so it is split: W [u; v] = W_u u + W_v v, and the item half becomes a constant of
the catalogue. Over 3,706 movies and 16 hidden units that is 0.4 million multiplications a person
instead of 8.

Shapes: B rows (persons or positions), C candidate movies, D embedding, H first hidden layer,
P persons of pairs, K movies of each.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.pairwise_bce import pair_loss

SCORED_AT_ONCE = {"cpu": 1 << 18, "cuda": 1 << 26}
"""Floats of the MLP's first layer held at a time in ranking: 1 MiB on a CPU."""


class NeuMFHead(nn.Module):
    """Fuses GMF and MLP. `own_halves`: GMF reads the first half of a vector and the MLP the second
    (the paper's separate embeddings); otherwise both read all of it. `gmf` off: its weights are 0
    and stay 0."""

    weight_D: Tensor

    def __init__(
        self, dim: int, hidden_dims: list[int], *, own_halves: bool, gmf: bool = True
    ) -> None:
        super().__init__()
        self.gmf_dim = dim // 2 if own_halves else dim
        self.own_halves = own_halves
        mlp_dim = dim - self.gmf_dim if own_halves else dim
        if gmf:
            self.weight_D = nn.Parameter(torch.ones(self.gmf_dim))
        else:
            self.register_buffer("weight_D", torch.zeros(self.gmf_dim))
        self.user_half = nn.Linear(mlp_dim, hidden_dims[0], bias=False)
        self.item_half = nn.Linear(mlp_dim, hidden_dims[0])
        pairs = pairwise(hidden_dims)
        self.deeper = nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairs)
        self.out = nn.Linear(hidden_dims[-1], 1, bias=False)
        if gmf and not own_halves:
            # Starts as plain GMF: the MLP's first contribution is zero, and is learned from there.
            nn.init.zeros_(self.out.weight)

    def gmf_part(self, vector: Tensor) -> Tensor:
        return self.halves(vector)[0]

    def mlp_part(self, vector: Tensor) -> Tensor:
        return self.halves(vector)[1]

    def halves(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """What the product reads and what the MLP reads, (..., D)."""
        if not self.own_halves:
            return vector, vector
        gmf, mlp = vector.split([self.gmf_dim, vector.shape[-1] - self.gmf_dim], -1)
        return gmf, mlp

    def item_gmf(self, vector_CD: Tensor) -> Tensor:
        return self.gmf_part(vector_CD) * self.weight_D

    def gmf(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """(B, C): the dot-product part, cheap enough for every position of every history."""
        return self.gmf_part(user_BD) @ self.item_gmf(item_CD).T

    def mlp(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """(B, C) for every pair; B x C x H floats of memory, so callers send few rows at a time."""
        user_BH = self.user_half(self.mlp_part(user_BD))
        item_CH = self.item_half(self.mlp_part(item_CD))
        return self.tail(user_BH[:, None] + item_CH[None])

    def tail(self, hidden: Tensor) -> Tensor:
        """The layers after the split one, (..., H) -> (...). What it is given is overwritten."""
        hidden = hidden.relu_()
        for layer in self.deeper:
            hidden = layer(hidden).relu_()
        return hidden @ self.out.weight[0]

    def score(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """(B, C) logits without the movie bias, for ranking: the MLP in blocks that stay in the
        cache. B x C x H floats at once would be new memory, which the system clears page by page:
        two to three times the time.

        Floor of ml-1m's 22 million pairs with layers of 128 and 64, at 95 GFLOP/s: 3.9 s.
        """
        logit_BC = self.gmf(user_BD, item_CD)
        user_BH = self.user_half(self.mlp_part(user_BD))
        item_CH = self.item_half(self.mlp_part(item_CD))
        C, H = item_CH.shape
        at_once = SCORED_AT_ONCE[user_BD.device.type]
        rows, columns = max(1, at_once // (C * H)), max(1, at_once // H)
        for start in range(0, len(user_BH), rows):
            for first in range(0, C, columns):
                part = slice(start, start + rows), slice(first, first + columns)
                hidden = user_BH[part[0], None] + item_CH[part[1]]
                logit_BC[part] += self.tail(hidden)
        return logit_BC

    def pair_loss(
        self, user_PD: Tensor, vector_ID: Tensor, bias_I: Tensor, item_KP: Tensor
    ) -> Tensor:
        """Mean loss of K movies for each of P persons, the first watched, the others drawn.

        A person's half is made once for their K movies, a movie's once for all persons.
        """
        user_gmf, user_mlp = self.halves(user_PD)
        item_gmf, item_mlp = self.halves(vector_ID)
        hidden_PH, hidden_IH = self.user_half(user_mlp), self.item_half(item_mlp)
        layers = [*self.deeper.parameters(), self.out.weight]
        gmf_IG = item_gmf * self.weight_D
        return pair_loss(user_gmf, hidden_PH, gmf_IG, hidden_IH, bias_I, item_KP, layers)
