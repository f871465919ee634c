"""The loss of pairs, K movies for each of P persons, with all its gradients in one pass.

    logit_pk = gmf_p . gmf_i + mlp(hidden_p + hidden_i) + bias_i,          i = item_KP[k, p]
    loss     = mean of log(1 + e^logit) - label logit,    label 1 where k = 0, else 0

(He et al. 2017, "Neural collaborative filtering", equations 7 to 12; the MLP's first layer is split
as models/neumf_head.py tells.) A block of pairs goes forward and back while its activations are in the
cache. What meets at a person or a movie is summed at the end, as bags of rows.

The floor, layers of 128 and 64 at 95 GFLOP/s: 6 x 128 x 64 operations a pair, 8.5 ms of 16,384.
What is taken is 19 ms: the products 10.5 among other work, the rest are passes over activations.

Shapes: P persons, K movies of each, the watched one first; N pairs, B persons of a block, I movies,
G width of the product, H of the MLP's first layer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PAIRS_AT_ONCE = {"cpu": 1 << 12, "cuda": 1 << 20}
"""Pairs of a block: on a CPU 2 MB of activations at H = 128."""


def pair_loss(
    gmf_PG: Tensor,
    hidden_PH: Tensor,
    gmf_IG: Tensor,
    hidden_IH: Tensor,
    bias_I: Tensor,
    item_KP: Tensor,
    layers: Sequence[Tensor],
) -> Tensor:
    """Mean binary cross-entropy of watched pairs, the first row of item_KP, and drawn ones.

    gmf_PG, gmf_IG: what the product multiplies, its weights in one of them. hidden_PH, hidden_IH:
    the halves of the MLP's first layer before its activation. item_KP: int64. layers: weight and
    bias of each deeper layer, then the output's weight (1, width of the last layer).
    Computed in float32, under autocast too. The gradient can be asked for once: it is scaled where
    it stands.
    """
    with torch.autocast(gmf_PG.device.type, enabled=False):
        halves = (half.float() for half in (gmf_PG, hidden_PH, gmf_IG, hidden_IH, bias_I))
        loss: Tensor = _PairLoss.apply(item_KP, *halves, *layers)  # type: ignore[no-untyped-call]
        return loss


class _PairLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        item_KP: Tensor,
        gmf_PG: Tensor,
        hidden_PH: Tensor,
        gmf_IG: Tensor,
        hidden_IH: Tensor,
        bias_I: Tensor,
        *layers: Tensor,
    ) -> Tensor:
        item_PK, (K, P), H = item_KP.T.contiguous(), item_KP.shape, hidden_PH.shape[1]
        loss, slope_PK = gmf_PG.new_zeros(()), torch.empty_like(item_PK, dtype=torch.float32)
        to_hidden_PKH = hidden_PH.new_empty(P, K, H)
        to_layers = [torch.zeros_like(each) for each in layers]
        persons = max(1, PAIRS_AT_ONCE[gmf_PG.device.type] // K)
        for start in range(0, P, persons):
            part = slice(start, start + persons)
            item_N = item_PK[part].view(-1)
            hidden_NH = hidden_IH.index_select(0, item_N)
            hidden_NH.view(-1, K, H).add_(hidden_PH[part, None])
            kept = activations(hidden_NH, layers)
            logit_N = bias_I.index_select(0, item_N).addmv_(kept[-1], layers[-1][0])
            gmf_BKG = gmf_IG.index_select(0, item_N).view(-1, K, gmf_IG.shape[1])
            logit_BK = logit_N.view(-1, K).add_(gmf_BKG.mul_(gmf_PG[part, None]).sum(2))
            loss += F.softplus(logit_BK).sum() - logit_BK[:, 0].sum()
            slope_BK = torch.sigmoid(logit_BK, out=slope_PK[part])
            slope_BK[:, 0] -= 1
            pull(slope_BK.view(-1), kept, layers, to_layers, to_hidden_PKH[part].view(-1, H))
        given = bags(slope_PK, to_hidden_PKH.view(-1, H), item_PK, gmf_PG, gmf_IG)
        ctx.save_for_backward(*given, *to_layers)
        ctx.num_pairs = P * K
        return loss / ctx.num_pairs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = grads[0] / ctx.num_pairs
        return None, *(each.mul_(grad) for each in ctx.saved_tensors)


def activations(hidden_NH: Tensor, layers: Sequence[Tensor]) -> list[Tensor]:
    """What each layer of the MLP gives, the split one first; takes hidden_NH for it."""
    kept = [hidden_NH.relu_()]
    for weight, bias in zip(layers[:-1:2], layers[1::2], strict=True):
        kept.append(torch.addmm(bias, kept[-1], weight.T).relu_())
    return kept


def pull(
    slope_N: Tensor,
    kept: list[Tensor],
    layers: Sequence[Tensor],
    to_layers: Sequence[Tensor],
    to_hidden_NH: Tensor,
) -> None:
    """Adds the layers' gradients to `to_layers` and fills that of the first layer's sum.

    slope_N: the loss along each logit.
    """
    to_layers[-1][0].addmv_(kept[-1].T, slope_N)
    outs = [to_hidden_NH, *(torch.empty_like(each) for each in kept[1:])]
    torch.mul(slope_N[:, None], layers[-1][0], out=outs[-1])
    for number in range(len(kept) - 1, 0, -1):
        to, weight = relu_back(outs[number], kept[number]), layers[2 * number - 2]
        to_layers[2 * number - 2].addmm_(to.T, kept[number - 1])
        to_layers[2 * number - 1].add_(to.sum(0))
        torch.mm(to, weight, out=outs[number - 1])
    relu_back(to_hidden_NH, kept[0])


def relu_back(to: Tensor, kept: Tensor) -> Tensor:
    """`to`, in place, where the activation is above 0, else 0; one pass over both."""
    torch.ops.aten.threshold_backward.grad_input(to, kept, 0, grad_input=to)
    return to


def bags(
    slope_PK: Tensor, to_hidden_NH: Tensor, item_PK: Tensor, gmf_PG: Tensor, gmf_IG: Tensor
) -> tuple[Tensor, ...]:
    """The gradients of persons and movies, in the order of _PairLoss: sums over their pairs.

    embedding_bag, told where each movie's pairs begin, takes a quarter of the time of index_add_.
    """
    K, num_items = item_PK.shape[1], len(gmf_IG)
    pair_N, first_I = sorted_by_movie(item_PK.view(-1), num_items)
    pair_PK = torch.arange(item_PK.numel(), device=item_PK.device).view(-1, K)
    slope_N = slope_PK.view(-1)
    return (
        F.embedding_bag(item_PK, gmf_IG, mode="sum", per_sample_weights=slope_PK),
        F.embedding_bag(pair_PK, to_hidden_NH, mode="sum"),
        F.embedding_bag(
            pair_N // K, gmf_PG, first_I, mode="sum", per_sample_weights=slope_N[pair_N]
        ),
        F.embedding_bag(pair_N, to_hidden_NH, first_I, mode="sum"),
        torch.bincount(item_PK.view(-1), slope_N, num_items),
    )


def sorted_by_movie(item_N: Tensor, num_items: int) -> tuple[Tensor, Tensor]:
    """The pairs in the order of their movies, and the place of each movie's first pair, (I,)."""
    if item_N.device.type == "cpu":
        # By radix where rows fit 16 bits: .07 ms for 16,384 pairs, where torch takes .8.
        rows = item_N.numpy().astype(np.min_scalar_type(num_items))
        pair_N = torch.from_numpy(rows.argsort(kind="stable"))
    else:
        pair_N = item_N.argsort()
    count_I = torch.bincount(item_N, minlength=num_items)
    return pair_N, count_I.cumsum(0) - count_I
