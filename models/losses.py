"""Losses as pure functions, and the softmax over a catalogue that never holds all its logits.

Shapes: P positions (a position is one "what comes next" question), C candidate movies, B rows
(windows of histories) that the positions come from, D embedding.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LOGITS_AT_ONCE = {"cpu": 1 << 21, "cuda": 1 << 27}
"""Logits held at a time: on a CPU as many as stay near the cache, on a GPU enough to fill it."""


def catalogue_softmax(
    user_PD: Tensor,
    item_CD: Tensor,
    bias_C: Tensor,
    slot_P: Tensor,
    weight_P: Tensor,
    row_P: Tensor,
    keep_BC: Tensor,
) -> Tensor:
    """Weighted negative log-likelihood of each position's movie among the candidates, summed.

        logit_pc = u_p . v_c + b_c        loss = sum_p w_p (log sum_c keep_pc e^logit_pc - logit_p)

    user_PD, item_CD, bias_C: float32. slot_P: int64, the column of the right movie, which always
    counts. weight_P: float32. row_P: int64, rising; keep_BC: 0. where a candidate is one of the
    person's own training movies and so no negative, else 1.
    Where the candidates leave movies out this is a sampled softmax without the log-probability
    correction (Jean et al. 2015). Under autocast the products run in its dtype (bfloat16: 2 to 3
    times as fast on CPUs that have it); the right movie's logit and the loss stay float32.
    Gradients are made in the same pass, block by block, so that (P, C) logits, 120 MB on ml-1m,
    never reach memory: half the time of log_softmax over them.
    """
    device = user_PD.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
    with torch.autocast(device, enabled=False):
        parts = (user_PD, item_CD, bias_C, slot_P, weight_P, row_P, keep_BC.to(dtype), dtype)
        loss: Tensor = _CatalogueSoftmax.apply(*parts)  # type: ignore[no-untyped-call]
        return loss


class _CatalogueSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        user_PD: Tensor,
        item_CD: Tensor,
        bias_C: Tensor,
        slot_P: Tensor,
        weight_P: Tensor,
        row_P: Tensor,
        keep_BC: Tensor,
        dtype: torch.dtype,
    ) -> Tensor:
        user, item, bias = user_PD.to(dtype), item_CD.to(dtype), bias_C.to(dtype)
        right_PD = item_CD[slot_P]
        right_P = (user_PD * right_PD).sum(1) + bias_C[slot_P]
        grad_user, grad_item = torch.empty_like(user_PD), torch.zeros_like(item_CD)
        grad_bias, pull_P = torch.zeros_like(bias_C), torch.empty_like(right_P)
        loss = user_PD.new_zeros(())
        block = max(64, LOGITS_AT_ONCE[user_PD.device.type] // len(item_CD))
        for start in range(0, len(user_PD), block):
            part = slice(start, start + block)
            z_PC = torch.addmm(bias, user[part], item.T)
            top_P = torch.maximum(z_PC.amax(1), right_P[part].to(dtype))
            z_PC.sub_(top_P[:, None]).exp_().mul_(keep_BC[row_P[part]])
            z_PC.scatter_(1, slot_P[part, None], 0)  # the right movie, counted in float32 below
            top_P = top_P.float()
            own_P = (right_P[part] - top_P).exp()
            total_P = z_PC.sum(1).float() + own_P
            loss += (weight_P[part] * (total_P.log() + top_P - right_P[part])).sum()
            scale_P = weight_P[part] / total_P
            z_PC.mul_(scale_P.to(dtype)[:, None])
            grad_user[part] = z_PC @ item
            grad_item += z_PC.T @ user[part]
            grad_bias += z_PC.sum(0).float()
            pull_P[part] = scale_P * own_P - weight_P[part]
        grad_user.addcmul_(pull_P[:, None], right_PD)
        grad_item.index_add_(0, slot_P, pull_P[:, None] * user_PD)
        grad_bias.index_add_(0, slot_P, pull_P)
        ctx.save_for_backward(grad_user, grad_item, grad_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_user, grad_item, grad_bias = ctx.saved_tensors
        (grad,) = grads
        return grad * grad_user, grad * grad_item, grad * grad_bias, None, None, None, None, None


EXCLUDED = -1e4
"""Logit of a candidate that is left out: exp(-10,000) is 0 in float32 and in bfloat16."""


def softmax_loss(logit_PC: Tensor, slot_P: Tensor, weight_P: Tensor, keep_PC: Tensor) -> Tensor:
    """`catalogue_softmax` over logits that are there already."""
    keep_PC = keep_PC.scatter(1, slot_P[:, None], 1)
    logit_PC = logit_PC.masked_fill(keep_PC == 0, EXCLUDED)
    return (weight_P * F.cross_entropy(logit_PC, slot_P, reduction="none")).sum()


def binary_loss(logit_PC: Tensor, slot_P: Tensor, weight_P: Tensor, keep_PC: Tensor) -> Tensor:
    """Each position's movie against the mean of its negatives, as yes and no; summed.

    Binary cross-entropy as in SASRec (Kang and McAuley 2018, equation 6), with the negatives of a
    batch shared and averaged instead of one drawn for each position.
    """
    right_P = logit_PC.gather(1, slot_P[:, None]).squeeze(1)
    keep_PC = keep_PC.scatter(1, slot_P[:, None], 0).float()
    wrong_P = (F.softplus(logit_PC) * keep_PC).sum(1) / keep_PC.sum(1).clamp(min=1)
    return (weight_P * (F.softplus(-right_P) + wrong_P)).sum()
