"""The Lightning side of the network: joins it with its loss, logs, and ranks on validation.

    loss (history) = softmax over the catalogue, or over the batch's movies + drawn ones, at every
                     position of every window, each person's total weight bounded
    loss (id)      = binary cross-entropy of watched and drawn pairs

The GMF part sees every position. The MLP costs H times as much a pair, so it joins the logit at
a random share of the positions (`mlp_share`), as a layer that is dropped elsewhere (after Huang et
al. 2016, "Deep networks with stochastic depth", without their rescaling); ranking always uses the
fused logit.

Shapes: B rows, L entries, P positions with a target, C candidates, I movies, D embedding;
of pairs: K movies of P persons.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor

from marquee.core.errors import InputError
from marquee.evaluation.ranker import rank_batch
from models.losses import binary_loss, catalogue_softmax, softmax_loss
from models.ncf import NCF, NetworkConfig, Sizes

T = TypeVar("T")
ON_THE_BAR = ("ndcg@10", "ndcg@100", "auc")


@dataclass(frozen=True)
class LearningConfig:
    """How the network learns."""

    lr: float = 2e-3
    """Peak learning rate of AdamW, after `warmup_steps`, then falling in a line to 0."""
    weight_decay: float = 0.01
    """Decoupled decay; too much on embeddings underfits."""
    warmup_steps: int = 100
    """Steps in which the rate rises; without them the first attention patterns are noise."""
    loss: Literal["softmax", "binary"] = "softmax"
    """`softmax` asks which of the candidates came next; `binary` asks of each whether it did."""
    num_negatives: int = 0
    """Drawn movies a batch, shared by all its positions, beside the batch's own targets; 0 takes
    the whole catalogue (full softmax), best where that is some thousands of movies."""
    sampler: Literal["uniform", "popularity"] = "uniform"
    """How negatives are drawn: all movies alike, or by the number of their training ratings, which
    asks harder questions and knows less of rare movies."""
    mlp_share: float = 0.05
    """Share of positions at which the MLP joins the logit. The cost of a step grows with it."""
    reject_positives: bool = True
    """Leave a person's own training movies out of the negatives at their positions."""
    influence_cap: int = 0
    """Positions that a person counts for at most: with 200, somebody with 2,000 ratings moves the
    network as much as somebody with 200, each of their positions a tenth; 0 is no bound."""

    def __post_init__(self) -> None:
        if not 0 <= self.mlp_share <= 1:
            raise InputError(f"learning.mlp_share {self.mlp_share}: needed 0 <= share <= 1")
        if self.sampler == "popularity" and not self.num_negatives:
            raise InputError(
                "learning.sampler popularity with learning.num_negatives 0: the whole catalogue is "
                "taken and nothing drawn; give num_negatives, e.g. 512"
            )
        if not 0 < self.lr <= 1:
            raise InputError(f"learning.lr {self.lr}: needed 0 < lr <= 1")
        for name in ("weight_decay", "warmup_steps", "num_negatives", "influence_cap"):
            if getattr(self, name) < 0:
                raise InputError(f"learning.{name} {getattr(self, name)}: needed 0 or more")


class HasFeatures(Protocol):
    """What the module needs of a datamodule."""

    @property
    def genre_IG(self) -> Tensor: ...
    @property
    def period_I(self) -> Tensor: ...
    @property
    def text_IT(self) -> Tensor: ...
    @property
    def num_ratings_I(self) -> Tensor: ...


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
            },
            logger=False,  # a run logs its settings by their names on the command line
        )
        self.network = NCF(self.config, self.sizes)
        self.ranked: list[dict[str, np.ndarray]] = []

    def take_features(self, data: HasFeatures) -> None:
        """Copies what is known of the movies into the network, where a checkpoint keeps it."""
        self.network.items.set_features(data.genre_IG, data.period_I, data.text_IT, data.num_ratings_I)

    def on_fit_start(self) -> None:
        self.take_features(self.trainer.datamodule)  # type: ignore[attr-defined]

    def training_step(self, batch: dict[str, Tensor], step: int) -> dict[str, Any]:
        """`loss`, and the `count` of questions or pairs that it is the mean of."""
        of = self.history_loss if self.config.user == "history" else self.pairs_loss
        loss, count = of(batch)
        return {"loss": loss, "count": count}

    def pairs_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        vector_ID, bias_I = self.network.items()
        user_PD, item_KP = self.network.user(batch["user_B"]), batch["item_MB"]
        loss = self.network.head.pair_loss(user_PD, vector_ID, bias_I, item_KP)
        return loss, item_KP.numel()

    def history_loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, int]:
        """Mean over positions, a person's weight bounded: product at all, MLP at some of them."""
        network, head, target_BL = self.network, self.network.head, batch["target_BL"]
        vector_ID, bias_I = network.items()
        user_BLD = network.history_vectors(vector_ID, batch["item_BL"], batch["star_BL"]).float()
        row_P, place_P = (target_BL >= 0).nonzero(as_tuple=True)
        user_PD, target_P = user_BLD[row_P, place_P], target_BL[row_P, place_P]
        candidate_C, slot_I = self.candidates(target_P)
        item_CD, bias_C, slot_P = vector_ID[candidate_C], bias_I[candidate_C], slot_I[target_P]
        keep_BC = self.negatives(batch, slot_I, len(candidate_C))
        weight_P = self.weights(batch, row_P)
        some, rest = self.with_mlp(len(target_P), target_P.device)
        logit_SC = head.gmf(user_PD[some], item_CD) + head.mlp(user_PD[some], item_CD) + bias_C
        by_logits = softmax_loss if self.learning.loss == "softmax" else binary_loss
        loss = by_logits(logit_SC, slot_P[some], weight_P[some], keep_BC[row_P[some]])
        given = slot_P[rest], weight_P[rest]
        if self.learning.loss == "softmax":
            parts = head.gmf_part(user_PD[rest]), head.item_gmf(item_CD), bias_C
            loss = loss + catalogue_softmax(*parts, *given, row_P[rest], keep_BC)
        else:
            logit_RC = head.gmf(user_PD[rest], item_CD) + bias_C
            loss = loss + binary_loss(logit_RC, *given, keep_BC[row_P[rest]])
        return loss, len(target_P)

    def candidates(self, target_P: Tensor) -> tuple[Tensor, Tensor]:
        """The movies to choose among, (C,), and the column of each movie there, (I,), -1 if out.

        Movies without a training rating are never among them: as negatives at every position they
        would teach that new movies are bad.
        """
        num_ratings_I = self.network.items.num_ratings_I
        candidate_C = num_ratings_I.nonzero().squeeze(1)
        if 0 < self.learning.num_negatives < len(candidate_C):
            chance_I = num_ratings_I if self.learning.sampler == "popularity" else num_ratings_I > 0
            drawn = torch.multinomial(chance_I.float(), self.learning.num_negatives)
            candidate_C = torch.cat([target_P, drawn]).unique()
        slot_I = torch.full((self.sizes.num_items,), -1, device=target_P.device)
        slot_I[candidate_C] = torch.arange(len(candidate_C), device=target_P.device)
        return candidate_C, slot_I

    def negatives(self, batch: dict[str, Tensor], slot_I: Tensor, num_candidates: int) -> Tensor:
        """float32 (B, C): 0 where a candidate is a training movie of the person of a row."""
        keep_BC = torch.ones(len(batch["target_BL"]), num_candidates, device=slot_I.device)
        if self.learning.reject_positives:
            slot_N = slot_I[batch["positive_item_N"]]
            known = slot_N >= 0
            keep_BC[batch["positive_row_N"][known], slot_N[known]] = 0
        return keep_BC

    def weights(self, batch: dict[str, Tensor], row_P: Tensor) -> Tensor:
        """float32 (P,): one P-th each, and less for people with more than the cap.

        The sum is left below 1: made 1, a batch of heavy raters, whose windows are alike in length
        and so stand together, would pull as hard as one of light raters.
        """
        weight_P = torch.ones(len(row_P), device=row_P.device)
        if cap := self.learning.influence_cap:
            count_B = torch.bincount(batch["positive_row_N"], minlength=len(batch["target_BL"]))
            weight_P = (cap / count_B.clamp(min=cap))[row_P]
        return weight_P / len(weight_P)

    def with_mlp(self, num: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """The positions at which the MLP joins, drawn anew, and those of the product alone."""
        first = round(self.learning.mlp_share * num)
        order = torch.randperm(num, device=device)
        # Without the product branch the rest has nothing to learn from.
        rest = order[first:] if self.config.gmf else order[:0]
        return order[:first].sort().values, rest.sort().values

    def validation_step(self, batch: dict[str, Tensor], step: int) -> None:
        self.ranked.append(rank_batch(self.network.score(batch), batch))

    def on_validation_epoch_end(self) -> None:
        for name in self.ranked[0]:
            found = np.concatenate([metrics[name] for metrics in self.ranked])
            total = torch.tensor([found.sum(), len(found)], dtype=torch.float64)
            if dist.is_available() and dist.is_initialized():  # each rank was asked its share
                total = total.to(self.device)
                dist.all_reduce(total)
            self.log(f"val/{name}", float(total[0] / total[1]), prog_bar=name in ON_THE_BAR)
        self.ranked.clear()

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
