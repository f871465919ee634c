"""Losses as pure functions, and a softmax over the catalog that never holds all its logits.

Local letters: P positions (a position asks for one next item), C candidate items, B rows (windows
of histories) that the positions come from.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

LOGITS_PER_BLOCK = {"cpu": 1 << 21, "cuda": 1 << 27}  # stay near the cache; fill the GPU
EXCLUDED_LOGIT = -1e4  # exp(-10,000) is 0 in float32 and in bfloat16


def catalog_softmax(
    user_PD: Tensor,
    item_CD: Tensor,
    bias_C: Tensor,
    column_P: Tensor,
    weight_P: Tensor,
    row_P: Tensor,
    mask_BC: Tensor,
) -> Tensor:
    """Return the weighted negative log-likelihood of each position's target, summed.

        logit_pc = u_p . v_c + b_c        loss = sum_p w_p (log sum_c mask_pc e^logit_pc - logit_p)

    user_PD, item_CD, bias_C: float32. column_P: int64, the target's column among the candidates; a
    target always counts. weight_P: float32. row_P: int64, rising. mask_BC: 0. where a candidate is
    one of the user's own training items and so no negative, else 1.

    If the candidates leave items out, this is a sampled softmax without the log-probability
    correction (Jean et al. 2015). Under autocast the products run in its dtype; the target's logit
    and the loss stay float32.
    """
    device = user_PD.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
    with torch.autocast(device, enabled=False):
        loss: Tensor = _CatalogSoftmax.apply(  # type: ignore[no-untyped-call]
            dtype, user_PD, item_CD, bias_C, column_P, weight_P, row_P, mask_BC.to(dtype)
        )
        return loss


class _CatalogSoftmax(torch.autograd.Function):
    """The gradients, written by hand and computed block by block in the forward pass.

    Why by hand: autograd stores the (P, C) logits, 120 MB on ml-1m, and reads them again; here they
    stay in the cache, in half the time of log_softmax. Libraries (cut cross-entropy, Liger) have
    that for GPUs alone. A test compares with autograd's gradients.
    """

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, *inputs: Tensor) -> Tensor:
        user_PD, item_CD, bias_C, column_P, weight_P, row_P, mask_BC = inputs
        user, item, bias = user_PD.to(dtype), item_CD.to(dtype), bias_C.to(dtype)
        target_PD = item_CD[column_P]
        target_logit_P = (user_PD * target_PD).sum(1) + bias_C[column_P]
        grad_user, grad_item = torch.empty_like(user_PD), torch.zeros_like(item_CD)
        grad_bias, grad_target_P = torch.zeros_like(bias_C), torch.empty_like(target_logit_P)
        loss = user_PD.new_zeros(())
        block_size = max(64, LOGITS_PER_BLOCK[user_PD.device.type] // len(item_CD))
        for start in range(0, len(user_PD), block_size):
            block = slice(start, start + block_size)
            z_PC = torch.addmm(bias, user[block], item.T)
            max_P = torch.maximum(z_PC.amax(1), target_logit_P[block].to(dtype))
            z_PC.sub_(max_P[:, None]).exp_().mul_(mask_BC[row_P[block]])
            z_PC.scatter_(1, column_P[block, None], 0)  # the target, added in float32 below
            max_P = max_P.float()
            target_P = (target_logit_P[block] - max_P).exp()
            total_P = z_PC.sum(1).float() + target_P
            loss += (weight_P[block] * (total_P.log() + max_P - target_logit_P[block])).sum()
            scale_P = weight_P[block] / total_P
            z_PC.mul_(scale_P.to(dtype)[:, None])
            grad_user[block] = z_PC @ item
            grad_item += z_PC.T @ user[block]
            grad_bias += z_PC.sum(0).float()
            grad_target_P[block] = scale_P * target_P - weight_P[block]
        grad_user.addcmul_(grad_target_P[:, None], target_PD)
        grad_item.index_add_(0, column_P, grad_target_P[:, None] * user_PD)
        grad_bias.index_add_(0, column_P, grad_target_P)
        ctx.save_for_backward(grad_user, grad_item, grad_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return None, *(grads[0] * saved for saved in ctx.saved_tensors), None, None, None, None


def softmax_loss(logit_PC: Tensor, column_P: Tensor, weight_P: Tensor, mask_PC: Tensor) -> Tensor:
    """Return `catalog_softmax` of logits that exist already."""
    mask_PC = mask_PC.scatter(1, column_P[:, None], 1)
    logit_PC = logit_PC.masked_fill(mask_PC == 0, EXCLUDED_LOGIT)
    return (weight_P * F.cross_entropy(logit_PC, column_P, reduction="none")).sum()


def binary_loss(logit_PC: Tensor, column_P: Tensor, weight_P: Tensor, mask_PC: Tensor) -> Tensor:
    """Return the summed cross-entropy of targets and of the mean over negatives.

    As in SASRec (Kang and McAuley 2018, equation 6), but the negatives of a batch are shared and
    averaged instead of one drawn for each position.
    """
    target_P = logit_PC.gather(1, column_P[:, None]).squeeze(1)
    mask_PC = mask_PC.scatter(1, column_P[:, None], 0).float()
    negative_P = (F.softplus(logit_PC) * mask_PC).sum(1) / mask_PC.sum(1).clamp(min=1)
    return (weight_P * (F.softplus(-target_P) + negative_P)).sum()
