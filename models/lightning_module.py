"""The Lightning module: joins the network with its loss, logs, and ranks on validation.

    loss (history) = softmax over the catalog, or over the batch's items + drawn ones, at every
                     position of every window, with a cap on each user's total weight
    loss (id)      = binary cross-entropy of watched and drawn pairs

The GMF part sees every position. The MLP costs H times as much a pair, so it joins the logit at a
random share of the positions (`mlp_share`) and is dropped elsewhere. This is stochastic depth
(Huang et al. 2016, "Deep networks with stochastic depth"), without the rescaling. Ranking always
uses the fused logit.

Local letters: B rows (windows of histories), P positions with a target; M items of each user in a
batch of pairs.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from marquee.core.errors import InputError
from marquee.core.sizes import Sizes
from marquee.evaluation.ranker import rank_batch
from models.losses import binary_loss, catalog_softmax, softmax_loss
from models.ncf import NCF, NetworkConfig

T = TypeVar("T")
PROGRESS_BAR_METRICS = ("ndcg@10", "ndcg@100", "auc")


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """The optimizer, the loss and its negatives."""

    lr: float = 2e-3
    """Peak learning rate of AdamW, after `warmup_steps`; then it falls linearly to 0."""
    weight_decay: float = 0.01
    """Decoupled decay; too much on embeddings underfits."""
    warmup_steps: int = 100
    """Steps in which the rate rises; without them the first attention patterns are noise."""
    loss: Literal["softmax", "binary"] = "softmax"
    """`softmax` picks the next item among the candidates; `binary` classifies each candidate."""
    num_negatives: int = 0
    """Drawn items a batch, shared by all its positions, beside the batch's own targets; 0 takes the
    whole catalog (full softmax), best where that is some thousands of items."""
    sampler: Literal["uniform", "popularity"] = "uniform"
    """Probability of a negative: the same for all items, or by the number of training ratings,
    which makes negatives harder and teaches less about rare items."""
    mlp_share: float = 0.05
    """Share of positions at which the MLP joins the logit. The cost of a step grows with it."""
    reject_positives: bool = True
    """Exclude a user's own training items from the negatives at their positions."""
    influence_cap: int = 0
    """Positions that a user counts for at most. With 200, a user with 2,000 ratings moves the
    network as much as one with 200, each of their positions a tenth; 0 is no cap."""

    def __post_init__(self) -> None:
        if not 0 <= self.mlp_share <= 1:
            raise InputError(f"learning.mlp_share {self.mlp_share}: expected 0 <= share <= 1")
        if self.sampler == "popularity" and not self.num_negatives:
            raise InputError(
                "learning.sampler popularity with learning.num_negatives 0: the whole catalog is "
                "used and nothing drawn, expected a number of negatives; set it, e.g. to 512"
            )
        if not 0 < self.lr <= 1:
            raise InputError(f"learning.lr {self.lr}: expected 0 < lr <= 1")
        for name in ("weight_decay", "warmup_steps", "num_negatives", "influence_cap"):
            if getattr(self, name) < 0:
                raise InputError(f"learning.{name} {getattr(self, name)}: expected 0 or more")


class HasFeatures(Protocol):
    """The part of a datamodule that the module reads."""

    @property
    def genre_IG(self) -> Tensor: ...
    @property
    def period_I(self) -> Tensor: ...
    @property
    def text_IT(self) -> Tensor: ...
    @property
    def num_ratings_I(self) -> Tensor: ...


class RankingModule(pl.LightningModule):
    """A Lightning module that trains an `NCF` network.

    `RankingModule.load_from_checkpoint(path)` needs no arguments.
    """

    def __init__(
        self,
        sizes: Sizes,
        network: NetworkConfig = NetworkConfig(),
        learning: LearningConfig = LearningConfig(),
    ) -> None:
        super().__init__()
        self.sizes = as_config(Sizes, sizes)
        self.config = as_config(NetworkConfig, network)
        self.learning = as_config(LearningConfig, learning)
        self.save_hyperparameters(
            {
                "sizes": asdict(self.sizes),
                "network": asdict(self.config),
                "learning": asdict(self.learning),
            },
            logger=False,  # a run logs its settings by their names on the command line
        )
        self.network = NCF(self.config, self.sizes)
        self.batch_metrics: list[dict[str, np.ndarray]] = []

    def take_features(self, data: HasFeatures) -> None:
        """Copy the items' attributes into the network, so that a checkpoint holds them."""
        self.network.items.set_features(
            data.genre_IG, data.period_I, data.text_IT, data.num_ratings_I
        )

    def on_fit_start(self) -> None:
        self.take_features(self.trainer.datamodule)  # type: ignore[attr-defined]

    def training_step(self, batch: dict[str, Tensor], step: int) -> dict[str, Any]:
        """Return `loss`, and the `count` of positions or pairs that it is the mean of."""
        loss_of = self.history_loss if self.config.user == "history" else self.pairs_loss
        loss, count = loss_of(batch)
        return {"loss": loss, "count": count}

    def pairs_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        vector_ID, bias_I = self.network.items()
        user_BD, item_MB = self.network.user(batch["user_B"]), batch["item_MB"]
        loss = self.network.head.pair_loss(user_BD, vector_ID, bias_I, item_MB)
        return loss, item_MB.numel()

    def history_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Return the mean over positions, with the user cap, and the number of positions.

        The product is computed at all positions, the MLP at some of them.
        """
        network, head, target_BL = self.network, self.network.head, batch["target_BL"]
        vector_ID, bias_I = network.items()
        user_BLD = network.history_vectors(vector_ID, batch["item_BL"], batch["star_BL"]).float()
        row_P, place_P = (target_BL >= 0).nonzero(as_tuple=True)
        user_PD, target_P = user_BLD[row_P, place_P], target_BL[row_P, place_P]
        candidate_C, column_I = self.candidates(target_P)
        item_CD, bias_C, column_P = vector_ID[candidate_C], bias_I[candidate_C], column_I[target_P]
        mask_BC = self.negative_mask(batch, column_I, len(candidate_C))
        weight_P = self.weights(batch, row_P)
        fused, plain = self.split_positions(len(target_P), target_P.device)
        logit_PC = head.gmf(user_PD[fused], item_CD) + head.mlp(user_PD[fused], item_CD) + bias_C
        loss_of_logits = softmax_loss if self.learning.loss == "softmax" else binary_loss
        loss = loss_of_logits(logit_PC, column_P[fused], weight_P[fused], mask_BC[row_P[fused]])
        if self.learning.loss == "softmax":
            return loss + catalog_softmax(
                user_PD=head.gmf_part(user_PD[plain]),
                item_CD=head.item_gmf(item_CD),
                bias_C=bias_C,
                column_P=column_P[plain],
                weight_P=weight_P[plain],
                row_P=row_P[plain],
                mask_BC=mask_BC,
            ), len(target_P)
        logit_PC = head.gmf(user_PD[plain], item_CD) + bias_C
        loss = loss + binary_loss(logit_PC, column_P[plain], weight_P[plain], mask_BC[row_P[plain]])
        return loss, len(target_P)

    def candidates(self, target_P: Tensor) -> tuple[Tensor, Tensor]:
        """Return the candidate items, (C,), and each item's column there, (I,).

        The column of an item that is no candidate is -1. Items without a training rating are never
        candidates. As negatives at every position they would teach that new items are bad.
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

    def negative_mask(
        self, batch: dict[str, Tensor], column_I: Tensor, num_candidates: int
    ) -> Tensor:
        """Return float32 (B, C), 0 if a candidate is a training item of the row's user."""
        mask_BC = torch.ones(len(batch["target_BL"]), num_candidates, device=column_I.device)
        if self.learning.reject_positives:
            column_N = column_I[batch["positive_item_N"]]
            is_candidate_N = column_N >= 0
            mask_BC[batch["positive_row_N"][is_candidate_N], column_N[is_candidate_N]] = 0
        return mask_BC

    def weights(self, batch: dict[str, Tensor], row_P: Tensor) -> Tensor:
        """Return float32 (P,): one P-th each, and less for users above the cap.

        The sum stays below 1. Scaled to 1, a batch of heavy raters would pull as hard as one of
        light raters, and windows of like length, so of like raters, come in one batch.
        """
        weight_P = torch.ones(len(row_P), device=row_P.device)
        if cap := self.learning.influence_cap:
            count_B = torch.bincount(batch["positive_row_N"], minlength=len(batch["target_BL"]))
            weight_P = (cap / count_B.clamp(min=cap))[row_P]
        return weight_P / len(weight_P)

    def split_positions(self, num: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Draw the positions that the MLP joins.

        Returns them and those of the product alone.
        """
        num_fused = round(self.learning.mlp_share * num)
        order = torch.randperm(num, device=device)
        # Without the product branch the other positions have nothing to learn from.
        plain = order[num_fused:] if self.config.gmf else order[:0]
        return order[:num_fused].sort().values, plain.sort().values

    def validation_step(self, batch: dict[str, Tensor], step: int) -> None:
        self.batch_metrics.append(rank_batch(self.network.score(batch), batch))

    def on_validation_epoch_end(self) -> None:
        for name in self.batch_metrics[0]:
            values = np.concatenate([metrics[name] for metrics in self.batch_metrics])
            total = torch.tensor([values.sum(), len(values)], dtype=torch.float64)
            if dist.is_available() and dist.is_initialized():  # each process ranked its share
                total = total.to(self.device)
                dist.all_reduce(total)
            self.log(
                f"val/{name}", float(total[0] / total[1]), prog_bar=name in PROGRESS_BAR_METRICS
            )
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
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def as_config(kind: type[T], value: T | dict[str, Any]) -> T:
    """Return a config from the dict of a checkpoint, or as it is."""
    return kind(**value) if isinstance(value, dict) else value
