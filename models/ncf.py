"""The network: item tower, one of two user towers, NeuMF head. Plain PyTorch, no Lightning.

`user: history` is the recommender that is served; `user: id` is NeuMF as published, for comparison.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from marquee.core.arrays import Sizes
from models.config import NetworkConfig
from models.history_encoder import HistoryEncoder, UserTable
from models.item_tower import ItemTower
from models.neumf_head import NeuMFHead


class NCF(nn.Module):
    def __init__(self, config: NetworkConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.items = ItemTower(config, sizes)
        self.user: HistoryEncoder | UserTable
        if config.user == "history":
            self.user = HistoryEncoder(config, sizes.num_rating_bins)
        else:
            self.user = UserTable(sizes.num_users, config.embedding_dim)
        self.head = NeuMFHead(config)
        self.items.add_data_features(config, sizes)
        if isinstance(self.user, HistoryEncoder):
            self.user.add_user_features(config, sizes)
        assert self.num_parameters() == self.expected_parameters(sizes)

    def num_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def expected_parameters(self, sizes: Sizes) -> int:
        config, D = self.config, self.config.embedding_dim
        tables = sizes.num_items * (D + 1)
        widths = {"genres": sizes.num_genres, "period": sizes.num_periods, "text": sizes.text_dim}
        widths["data"] = sizes.num_item_values + sizes.dense_dim
        tables += sum(widths[feature] for feature in config.features) * D
        tables += D if config.features else 0
        if config.user == "history":
            layer = (3 * D * D + 3 * D) + (D * D + D) + (4 * D * D + 3 * D) + 4 * D
            layer += config.conv_width * D + config.num_heads * config.history_length
            user = (config.history_length + sizes.num_rating_bins + 1) * D + 2 * D
            user += config.num_layers * layer
            if config.user_features and sizes.user_feature_dim:
                user += (sizes.user_feature_dim + 1) * D
        else:
            user = sizes.num_users * D
        gmf = D // 2 if config.user == "id" else D
        mlp_in = D - gmf if config.user == "id" else D
        layers = [2 * mlp_in, *config.hidden_dims]
        mlp = sum(a * b + b for a, b in pairwise(layers)) + layers[-1]
        return tables + user + (gmf if config.gmf else 0) + mlp

    def history_vectors(
        self,
        vector_ID: Tensor,
        item_BL: Tensor,
        rating_bin_BL: Tensor,
        user_BX: Tensor | None = None,
    ) -> Tensor:
        """Return (B, L, D), the user after each entry."""
        assert isinstance(self.user, HistoryEncoder)
        return self.user(vector_ID[item_BL], rating_bin_BL, user_BX)

    def user_vectors(self, batch: dict[str, Tensor], vector_ID: Tensor) -> Tensor:
        if isinstance(self.user, UserTable):
            return self.user(batch["user_B"])
        entry_BLD, star_BL = vector_ID[batch["item_BL"]], batch["star_BL"]
        return self.user.last(entry_BLD, star_BL, batch["length_B"], batch.get("user_BX"))

    def score(self, batch: dict[str, Tensor]) -> Tensor:
        """Return float32 (B, I), the logit of every item for every user of the batch."""
        with torch.autocast(self.items.bias.device.type, enabled=False):
            vector_ID, bias_I = self.items()
            user_BD = self.user_vectors(batch, vector_ID)
            return self.head.score(user_BD, vector_ID) + bias_I
