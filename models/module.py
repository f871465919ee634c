"""The Lightning side of the network: joins it with its loss, logs, and ranks on validation.

    loss (history) = softmax over the batch's movies + drawn ones, at every position of every window
    loss (id)      = binary cross-entropy of watched and drawn pairs

The GMF part sees every position. The MLP costs H times as much a pair, so it joins the logit at
a random share of the positions (`mlp_share`), as a layer that is dropped elsewhere (after Huang et
al. 2016, "Deep networks with stochastic depth", without their rescaling); ranking always uses the
fused logit.

Shapes: B rows, L entries, P positions with a target, C candidates, I movies, D embedding.
"""

from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from catalogue.errors import UserError
from evaluation.metrics import hit_rate, mrr, ndcg, rank_counts
from models.losses import pair_loss, softmax_loss
from models.ncf import NCF, NetworkConfig, Sizes

T = TypeVar("T")


@dataclass(frozen=True)
class LearningConfig:
    """How the network learns."""

    lr: float = 2e-3
    """Peak learning rate of AdamW, after `warmup_steps`, then falling in a line to 0."""
    weight_decay: float = 0.01
    """Decoupled decay; too much on embeddings underfits."""
    warmup_steps: int = 100
    """Steps in which the rate rises; without them the first attention patterns are noise."""
    num_negatives: int = 512
    """Drawn movies a batch, shared by all its positions, beside the batch's own targets; 0 takes
    the whole catalogue (full softmax), best where that is small."""
    mlp_share: float = 0.05
    """Share of positions at which the MLP joins the logit. The cost of a step grows with it."""
    reject_positives: bool = True
    """Leave a person's own training movies out of the negatives at their positions."""

    def __post_init__(self) -> None:
        if not 0 <= self.mlp_share <= 1:
            raise UserError(f"learning.mlp_share {self.mlp_share}: needed 0 <= share <= 1")
        if not 0 < self.lr <= 1:
            raise UserError(f"learning.lr {self.lr}: needed 0 < lr <= 1")
        for name in ("weight_decay", "warmup_steps", "num_negatives"):
            if getattr(self, name) < 0:
                raise UserError(f"learning.{name} {getattr(self, name)}: needed 0 or more")


class HasFeatures(Protocol):
    """What the module needs of a datamodule."""

    @property
    def genre_IG(self) -> Tensor: ...
    @property
    def period_I(self) -> Tensor: ...


class RankingModule(pl.LightningModule):
    """Trains an `NCF` network. `RankingModule.load_from_checkpoint(path)` needs no arguments."""

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
            }
        )
        self.network = NCF(self.config, self.sizes)
        self.ranked: list[tuple[np.ndarray, np.ndarray]] = []

    def take_features(self, data: HasFeatures) -> None:
        """Copies the movies' genres and periods into the network, where a checkpoint keeps them."""
        self.network.items.set_features(data.genre_IG, data.period_I)

    def on_fit_start(self) -> None:
        self.take_features(self.trainer.datamodule)  # type: ignore[attr-defined]

    def training_step(self, batch: dict[str, Tensor], step: int) -> Tensor:
        if self.config.user == "history":
            loss, count = self.history_loss(batch)
        else:
            loss, count = self.pairs_loss(batch)
        self.log("train/loss", loss, on_step=False, on_epoch=True, batch_size=count, prog_bar=True)
        return loss

    def pairs_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        vector_ID = self.network.items()
        user_BD = self.network.user(batch["user_B"])
        logit_B = self.network.head.pairs(user_BD, vector_ID[batch["item_B"]])
        logit_B = logit_B + self.network.item_bias[batch["item_B"]]
        return pair_loss(logit_B, batch["label_B"]), len(logit_B)

    def history_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        network, target_BL = self.network, batch["target_BL"]
        vector_ID = network.items()
        user_BLD = network.history_vectors(vector_ID, batch["item_BL"], batch["star_BL"])
        row_P, place_P = (target_BL >= 0).nonzero(as_tuple=True)
        user_PD, target_P = user_BLD[row_P, place_P], target_BL[row_P, place_P]
        candidate_C, slot_I = self.candidates(target_P)
        item_CD = vector_ID[candidate_C]
        logit_PC = torch.addmm(
            network.item_bias[candidate_C],
            network.head.gmf_part(user_PD),
            network.head.item_gmf(item_CD).T,
        )
        num_some = int(self.learning.mlp_share * len(target_P))
        some = torch.randperm(len(target_P), device=target_P.device)[:num_some]
        if len(some):
            # In place, here and in the loss: (P, C) is 90 MB on ml-1m, and a copy costs 20 ms.
            logit_PC.index_add_(0, some, network.head.mlp(user_PD[some], item_CD))
        excluded_PC = None
        if self.learning.reject_positives:
            slot_N = slot_I[batch["positive_item_N"]]
            excluded_PC = marked(batch["positive_row_N"], slot_N, len(target_BL), len(candidate_C))
            excluded_PC = excluded_PC[row_P]
        return softmax_loss(logit_PC, slot_I[target_P], excluded_PC), len(target_P)

    def candidates(self, target_P: Tensor) -> tuple[Tensor, Tensor]:
        """The movies to choose among, (C,), and the column of each movie there, (I,), -1 if out."""
        num_items, drawn = self.sizes.num_items, self.learning.num_negatives
        candidate_C = torch.arange(num_items, device=target_P.device)
        if 0 < drawn < num_items:
            negative_N = torch.randint(num_items, (drawn,), device=target_P.device)
            candidate_C = torch.cat([target_P, negative_N]).unique()
        slot_I = torch.full((num_items,), -1, device=target_P.device)
        slot_I[candidate_C] = torch.arange(len(candidate_C), device=target_P.device)
        return candidate_C, slot_I

    def validation_step(self, batch: dict[str, Tensor], step: int) -> None:
        score_BI = self.network.score(batch)
        if "candidate_BC" in batch:
            column_BC = torch.cat([batch["candidate_BC"], batch["target_B"][:, None]], 1)
            score_BI = score_BI.gather(1, column_BC)
            target_B = torch.full_like(batch["target_B"], column_BC.shape[1] - 1)
            seen = None
        else:
            target_B = batch["target_B"]
            seen = marked(batch["seen_row_N"], batch["seen_item_N"], *score_BI.shape)
        greater_B, ties_B = rank_counts(score_BI, target_B, seen)
        self.ranked.append((greater_B.cpu().numpy(), ties_B.cpu().numpy()))

    def on_validation_epoch_end(self) -> None:
        greater, ties = (np.concatenate(parts) for parts in zip(*self.ranked, strict=True))
        self.ranked.clear()
        for k in (10, 50):
            self.log(f"val/hit_rate@{k}", float(hit_rate(greater, ties, k).mean()))
        self.log("val/ndcg@10", float(ndcg(greater, ties, 10).mean()), prog_bar=True)
        self.log("val/mrr", float(mrr(greater, ties).mean()))

    def configure_optimizers(self) -> Any:
        config = self.learning
        optimizer = torch.optim.AdamW(
            self.parameters(), lr=config.lr, weight_decay=config.weight_decay, fused=True
        )
        total = max(1, int(self.trainer.estimated_stepping_batches))

        def factor(step: int) -> float:
            warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
            return warm * max(0.0, 1 - step / total)

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }


def as_config(kind: type[T], value: T | dict[str, Any]) -> T:
    """A checkpoint holds plain dicts; callers pass the dataclass."""
    return kind(**value) if isinstance(value, dict) else value


def marked(row_N: Tensor, column_N: Tensor, rows: int, columns: int) -> Tensor:
    """bool (rows, columns), True at the listed places; a column of -1 marks nothing."""
    kept_N = column_N >= 0
    mask = torch.zeros(rows, columns, dtype=torch.bool, device=row_N.device)
    mask[row_N[kept_N], column_N[kept_N]] = True
    return mask
