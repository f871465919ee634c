"""NeuMF: generalized matrix factorization and a multilayer perceptron, fused into one logit.

    logit(u, i) = sum_d w_d u_d v_id  +  mlp([u; v_i])  +  b_i

He et al. 2017, "Neural collaborative filtering", equations 7 to 12. The first layer of the MLP is
linear, so it is split: W [u; v] = W_u u + W_v v, and the item half is computed once per catalog.

Local letters: B also positions of histories; M items of each user, F factors of the product.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from models.config import NetworkConfig
from models.pairwise_bce import pair_loss

HIDDEN_FLOATS_PER_BLOCK = {"cpu": 1 << 18, "cuda": 1 << 26}  # when ranking: 1 MiB on a CPU


class NeuMFHead(nn.Module):
    """The fusion of GMF and MLP.

    With users from a table, GMF reads the first half of a vector and the MLP the second (the
    paper's separate embeddings); otherwise both read all of it. Without `gmf` the product's weights
    are 0 and stay 0.
    """

    weight_D: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        dim, hidden_dims = config.embedding_dim, config.hidden_dims
        self.separate_embeddings = config.user == "id"
        self.gmf_dim = dim // 2 if self.separate_embeddings else dim
        mlp_dim = dim - self.gmf_dim if self.separate_embeddings else dim
        if config.gmf:
            self.weight_D = nn.Parameter(torch.ones(self.gmf_dim))
        else:
            self.register_buffer("weight_D", torch.zeros(self.gmf_dim))
        self.user_half = nn.Linear(mlp_dim, hidden_dims[0], bias=False)
        self.item_half = nn.Linear(mlp_dim, hidden_dims[0])
        self.deeper = nn.ModuleList(nn.Linear(*widths) for widths in pairwise(hidden_dims))
        self.out = nn.Linear(hidden_dims[-1], 1, bias=False)
        if config.gmf and not self.separate_embeddings:
            # Start as plain GMF: the MLP's first contribution is 0, and training adds to it.
            nn.init.zeros_(self.out.weight)

    def split(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs of the product and of the MLP, (..., D)."""
        if not self.separate_embeddings:
            return vector, vector
        gmf, mlp = vector.split([self.gmf_dim, vector.shape[-1] - self.gmf_dim], -1)
        return gmf, mlp

    def item_gmf(self, vector_CD: Tensor) -> Tensor:
        return self.split(vector_CD)[0] * self.weight_D

    def gmf(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """Return (B, C) products, cheap enough for every position of every history."""
        return self.split(user_BD)[0] @ self.item_gmf(item_CD).T

    def hidden_halves(self, user_BD: Tensor, item_CD: Tensor) -> tuple[Tensor, Tensor]:
        return self.user_half(self.split(user_BD)[1]), self.item_half(self.split(item_CD)[1])

    def mlp(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """Return (B, C) outputs of the MLP; B x C x H floats, so callers send few rows."""
        user_BH, item_CH = self.hidden_halves(user_BD, item_CD)
        return self.tail(user_BH[:, None] + item_CH[None])

    def tail(self, hidden: Tensor) -> Tensor:
        """Apply the layers after the split one, (..., H) -> (...), in place."""
        hidden = hidden.relu_()
        for layer in self.deeper:
            hidden = layer(hidden).relu_()
        return hidden @ self.out.weight[0]

    def score(self, user_BD: Tensor, item_CD: Tensor) -> Tensor:
        """Return (B, C) logits without the item bias, for ranking.

        The MLP runs in blocks that stay in the cache: two to three times as fast as all at once.
        """
        logit_BC = self.gmf(user_BD, item_CD)
        user_BH, item_CH = self.hidden_halves(user_BD, item_CD)
        C, H = item_CH.shape
        num_floats = HIDDEN_FLOATS_PER_BLOCK[user_BD.device.type]
        num_rows, num_columns = max(1, num_floats // (C * H)), max(1, num_floats // H)
        for row in range(0, len(user_BH), num_rows):
            rows = slice(row, row + num_rows)
            for column in range(0, C, num_columns):
                columns = slice(column, column + num_columns)
                logit_BC[rows, columns] += self.tail(user_BH[rows, None] + item_CH[columns])
        return logit_BC

    def pair_loss(
        self, user_BD: Tensor, vector_ID: Tensor, bias_I: Tensor, item_MB: Tensor
    ) -> Tensor:
        """Return the mean loss of M items for each of B users; the first item is watched."""
        hidden_BH, hidden_IH = self.hidden_halves(user_BD, vector_ID)
        layers = [*self.deeper.parameters(), self.out.weight]
        gmf_BF, gmf_IF = self.split(user_BD)[0], self.item_gmf(vector_ID)
        return pair_loss(gmf_BF, hidden_BH, gmf_IF, hidden_IH, bias_I, item_MB, layers)
