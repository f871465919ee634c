"""The Lightning module: joins the network with its loss, logs, and ranks on validation.

    loss (history) = softmax over the catalog, or over the batch's items + drawn ones, at every
                     position of every window, with a cap on each user's total weight
    loss (id)      = binary cross-entropy of watched and drawn pairs

The MLP costs H times as much a pair as GMF, so it joins the logit at a random share of positions
(`mlp_share`). This is stochastic depth (Huang et al. 2016, "Deep networks with stochastic depth"),
without the rescaling. Ranking always uses the fused logit.

Local letters: B rows (windows of histories), P positions with a target; M items of a user.
"""

from dataclasses import asdict
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from marquee.core.arrays import Sizes
from marquee.evaluation.ranker import rank_batch
from models.config import LearningConfig, NetworkConfig
from models.losses import binary_loss, catalog_softmax, softmax_loss
from models.ncf import NCF

T = TypeVar("T")
Batch: TypeAlias = dict[str, Tensor]
PROGRESS_BAR_METRICS = ("ndcg@10", "ndcg@100", "auc")


class RankingModule(pl.LightningModule):
    """A module that trains an `NCF`; `load_from_checkpoint` needs no arguments."""

    def __init__(
        self,
        sizes: Sizes,
        network: NetworkConfig | None = None,
        learning: LearningConfig | None = None,
    ) -> None:
        super().__init__()
        self.sizes = as_config(Sizes, sizes)
        self.config = as_config(NetworkConfig, network or {})
        self.learning = as_config(LearningConfig, learning or {})
        sizes_dict, network_dict = asdict(self.sizes), asdict(self.config)
        configs = {"sizes": sizes_dict, "network": network_dict, "learning": asdict(self.learning)}
        self.save_hyperparameters(configs, logger=False)  # a run logs its own settings
        self.network = NCF(self.config, self.sizes)
        self.batch_metrics: list[dict[str, np.ndarray]] = []

    def take_features(self, data: Any) -> None:
        """Copy the items' attributes from a datamodule, so that a checkpoint holds them."""
        self.network.items.set_features(data.item_content, data.num_ratings_I)

    def on_fit_start(self) -> None:
        self.take_features(self.trainer.datamodule)  # type: ignore[attr-defined]

    def training_step(self, batch: Batch, step: int) -> dict[str, Any]:
        """Return `loss`, and the `count` of positions or pairs that it is the mean of."""
        loss_of = self.history_loss if self.config.user == "history" else self.pairs_loss
        loss, count = loss_of(batch)
        return {"loss": loss, "count": count}

    def pairs_loss(self, batch: Batch) -> tuple[Tensor, int]:
        vector_ID, bias_I = self.network.items()
        user_BD, item_MB = self.network.user(batch["user_B"]), batch["item_MB"]
        loss = self.network.head.pair_loss(user_BD, vector_ID, bias_I, item_MB)
        return loss, item_MB.numel()

    def history_loss(self, batch: Batch) -> tuple[Tensor, int]:
        """Return the mean over positions, with the user cap, and the number of positions."""
        network, head, target_BL = self.network, self.network.head, batch["target_BL"]
        vector_ID, bias_I = network.items()
        user_BLD = network.history_vectors(
            vector_ID, batch["item_BL"], batch["star_BL"], batch.get("user_BX")
        ).float()
        row_P, place_P = (target_BL >= 0).nonzero(as_tuple=True)
        user_PD, target_P = user_BLD[row_P, place_P], target_BL[row_P, place_P]
        candidate_C, column_I = self.candidates(target_P)
        item_CD, bias_C, column_P = vector_ID[candidate_C], bias_I[candidate_C], column_I[target_P]
        mask_BC = self.negative_mask(batch, column_I, len(candidate_C))
        weight_P = self.weights(batch, row_P)
        fused, plain = self.split_positions(len(target_P), target_P.device)

        def loss_of(logit_PC: Tensor, places: Tensor) -> Tensor:
            loss = softmax_loss if self.learning.loss == "softmax" else binary_loss
            return loss(logit_PC, column_P[places], weight_P[places], mask_BC[row_P[places]])

        fused_logit_PC = head.gmf(user_PD[fused], item_CD) + head.mlp(user_PD[fused], item_CD)
        loss = loss_of(fused_logit_PC + bias_C, fused)
        if self.learning.loss == "binary":
            loss = loss + loss_of(head.gmf(user_PD[plain], item_CD) + bias_C, plain)
        else:
            loss = loss + catalog_softmax(
                user_PD=head.split(user_PD[plain])[0],
                item_CD=head.item_gmf(item_CD),
                bias_C=bias_C,
                column_P=column_P[plain],
                weight_P=weight_P[plain],
                row_P=row_P[plain],
                mask_BC=mask_BC,
            )
        return loss, len(target_P)

    def candidates(self, target_P: Tensor) -> tuple[Tensor, Tensor]:
        """Return the candidates, (C,), and each item's column there, (I,), or -1.

        Items without a training rating are never candidates: new items would seem to be bad.
        """
        num_ratings_I = self.network.items.num_ratings_I
        candidate_C = num_ratings_I.nonzero().squeeze(1)
        if 0 < self.learning.num_negatives < len(candidate_C):
            chance_I = num_ratings_I if self.learning.sampler == "popularity" else num_ratings_I > 0
            negative_M = torch.multinomial(chance_I.float(), self.learning.num_negatives)
            candidate_C = torch.cat([target_P, negative_M]).unique()
        column_I = torch.full((self.sizes.num_items,), -1, device=target_P.device)
        column_I[candidate_C] = torch.arange(len(candidate_C), device=target_P.device)
        return candidate_C, column_I

    def negative_mask(self, batch: Batch, column_I: Tensor, num_candidates: int) -> Tensor:
        """Return float32 (B, C), 0 if a candidate is a training item of the row's user."""
        mask_BC = torch.ones(len(batch["target_BL"]), num_candidates, device=column_I.device)
        if self.learning.reject_positives:
            column_N = column_I[batch["positive_item_N"]]
            is_candidate_N = column_N >= 0
            mask_BC[batch["positive_row_N"][is_candidate_N], column_N[is_candidate_N]] = 0
        return mask_BC

    def weights(self, batch: Batch, row_P: Tensor) -> Tensor:
        """Return float32 (P,): one P-th each, and less for users above the cap.

        The sum is not scaled to 1: windows of like raters come in one batch, and a batch of heavy
        raters would then pull as hard as one of light raters.
        """
        weight_P = torch.ones(len(row_P), device=row_P.device)
        if cap := self.learning.influence_cap:
            count_B = torch.bincount(batch["positive_row_N"], minlength=len(batch["target_BL"]))
            weight_P = (cap / count_B.clamp(min=cap))[row_P]
        return weight_P / len(weight_P)

    def split_positions(self, num: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw the positions that the MLP joins; return them and the others."""
        num_fused = round(self.learning.mlp_share * num)
        order = torch.randperm(num, device=device)
        # Without the product branch the other positions have nothing to learn from.
        plain = order[num_fused:] if self.config.gmf else order[:0]
        return order[:num_fused].sort().values, plain.sort().values

    def validation_step(self, batch: Batch, step: int) -> None:
        self.batch_metrics.append(rank_batch(self.network.score(batch), batch))

    def on_validation_epoch_end(self) -> None:
        for name in self.batch_metrics[0]:
            values = np.concatenate([metrics[name] for metrics in self.batch_metrics])
            total = torch.tensor([values.sum(), len(values)], dtype=torch.float64)
            if dist.is_available() and dist.is_initialized():  # each process ranked its share
                total = total.to(self.device)
                dist.all_reduce(total)
            mean = float(total[0] / total[1])
            self.log(f"val/{name}", mean, prog_bar=name in PROGRESS_BAR_METRICS)
        self.batch_metrics.clear()

    def configure_optimizers(self) -> Any:
        config = self.learning
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        total = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            warmup = min(1.0, (step + 1) / max(1, config.warmup_steps))
            return warmup * max(0.0, 1 - step / total)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        schedule = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": schedule}


def as_config(kind: type[T], value: T | dict[str, Any]) -> T:
    return kind(**value) if isinstance(value, dict) else value
